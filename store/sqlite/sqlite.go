package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/authtoken/authtoken/store"
)

// Config configures a store. Its zero value is ready for use.
type Config struct {
	// Synchronous says what a write waits for. Defaults to Full. New accepts only the
	// zero value: there the application's handle decides.
	Synchronous Synchronous

	// BusyTimeout limits how long a call waits while others have the database locked
	// and, on the application's handle, for a connection to write through. Defaults to
	// 5 seconds.
	BusyTimeout time.Duration

	// MaxWaiting is how many writes may be queued behind the ones under way. Any more
	// fail with ErrOverloaded. Defaults to 16,384.
	MaxWaiting int

	// TablePrefix starts the names of the tables and indexes, so that several stores
	// can share a database; see [store.TablePrefix.Check]. Defaults to "authtoken_".
	TablePrefix string
}

// Synchronous says what a write waits for before it returns. The zero value is Full.
type Synchronous uint8

const (
	// Full waits until the write is on disk.
	Full Synchronous = iota

	// Normal lets the operating system decide when to write to disk. A crash of the
	// process loses nothing. A loss of power may lose the latest writes, but never a
	// part of one, and the database stays intact.
	Normal
)

func (s Synchronous) String() string {
	switch s {
	case Full:
		return "FULL"
	case Normal:
		return "NORMAL"
	}
	return fmt.Sprintf("Synchronous(%d)", uint8(s))
}

func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Synchronous > Normal {
		errs = append(errs, fmt.Errorf("Synchronous: %v is neither Full nor Normal", c.Synchronous))
	}
	if c.BusyTimeout < 0 {
		errs = append(errs, fmt.Errorf("BusyTimeout: %v is negative", c.BusyTimeout))
	}
	if c.MaxWaiting < 0 {
		errs = append(errs, fmt.Errorf("MaxWaiting: %d is negative", c.MaxWaiting))
	}
	if c.TablePrefix == "" {
		c.TablePrefix = string(store.DefaultTablePrefix)
	}
	if err := store.TablePrefix(c.TablePrefix).Check(); err != nil {
		errs = append(errs, fmt.Errorf("TablePrefix: %w", err))
	}
	if c.BusyTimeout == 0 {
		c.BusyTimeout = 5 * time.Second
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 16384
	}
	return c, errors.Join(errs...)
}

// Store is a [store.Store] in a SQLite database. Use Open or New to make one. It is
// safe for concurrent use.
type Store struct {
	operations
	committer *committer
	writer    *writer
	reader    *reader
	where     place

	file    *file    // of Open; nil for New and for a database in memory
	writeDB *sqlx.DB // a pool of one connection, which the writer keeps

	// Two pools of read-only connections: a long list must not hold up the check of a
	// key.
	pointDB, listDB *sqlx.DB

	// Or, instead of all these, one pool that each operation takes a connection from:
	// the application's, or for a database in memory its only connection, which is then
	// writeDB as well.
	pool *sqlx.DB

	closed    atomic.Bool
	closeOnce sync.Once
	closeErr  error
	backups   sync.RWMutex // each backup holds it for reading
}

func newStore() *Store {
	s := &Store{}
	s.operations = operations{s}
	return s
}

// Open opens the database file at path and creates it if it does not exist. Its
// directory must exist. path is never a URI. Only ":memory:" is special: a new database
// in memory, private to this store, which ends when the store is closed.
//
// Open creates the tables or brings them up to date. Several processes may do that at
// once. Open refuses a file that a later version of this package made. It leaves a file
// that it can't use as it was, and the error says why.
//
// While the database is open, there are two more files beside it, ending in -wal and
// -shm. They are part of the database: a copy of the file alone is not a copy of it. If
// the file is missing or empty but its -wal or -journal file is not, Open refuses to
// make a new one.
//
// Only its owner may read and write a new file and those beside it, whatever the umask.
// An existing file, even an empty one, keeps its permissions, and those beside it get
// the same.
//
// Deleted data is overwritten with zeros (secure_delete), so that old digests and
// sealed keys can't be found in the file. They may remain in the -wal file until it is
// written back and restarted, at the latest when the last process closes the database.
//
// If ctx ends while the database is locked, Open fails. Call Close when done.
func Open(ctx context.Context, path string, cfg Config) (*Store, error) {
	s, err := open(ctx, path, cfg)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string, cfg Config) (_ *Store, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := newStore()
	defer func() {
		if err == nil {
			return
		}
		_ = s.closeDBs()
		if ctx.Err() != nil {
			err = ctx.Err() // instead of "locked" or "interrupted"
		}
	}()
	if path == inMemory {
		if s.writeDB, err = openMemory(); err != nil {
			return nil, err
		}
		if err := newBorrower(s.writeDB, cfg).migrate(ctx); err != nil {
			return nil, err
		}
		return s, s.use(ctx, s.writeDB, cfg)
	}

	f, err := newFile(path, cfg)
	if err != nil {
		return nil, err
	}
	if err := f.check(ctx); err != nil {
		return nil, err
	}
	if err := f.create(); err != nil {
		return nil, err
	}
	s.file = f
	db, conn, err := f.openWriter(ctx)
	if err != nil {
		return nil, err
	}
	s.writeDB, s.writer = db, newWriter(conn, cfg)
	if err := s.writer.migrate(ctx); err != nil {
		return nil, err
	}
	if err := s.writer.prepareAll(ctx); err != nil {
		return nil, err
	}
	s.where = placeOf(f.path)
	s.committer = newCommitter(s.writer, cfg.MaxWaiting)
	if s.pointDB, err = f.openReaders(pointCache); err != nil {
		return nil, err
	}
	if s.listDB, err = f.openReaders(listCache); err != nil {
		return nil, err
	}
	s.reader = newReader(s.pointDB, s.listDB, cfg)
	return s, s.reader.prepareAll(ctx)
}

// Close waits for the writes that are under way or queued, and closes the database. It
// leaves a handle of the application open. From then on, other calls fail with
// ErrClosed, and so does a backup under way. Close waits for that too, unless the
// handle is the application's. Closing again does nothing.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.closed.Store(true)
		s.committer.close()
		if s.writeDB != nil { // on the application's handle, a backup may wait long for a connection
			s.backups.Lock() // until running backups have noticed
			defer s.backups.Unlock()
		}
		s.closeErr = s.closeDBs()
	})
	return s.closeErr
}

// closeDBs closes the writer last: the last connection moves the contents of the -wal
// file to the database, which readers can't do.
func (s *Store) closeDBs() error {
	var errs []error
	if s.reader != nil {
		errs = append(errs, s.reader.close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	for _, db := range []*sqlx.DB{s.pointDB, s.listDB} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.writeDB != nil {
		errs = append(errs, s.writeDB.Close())
	}
	return errors.Join(errs...)
}
