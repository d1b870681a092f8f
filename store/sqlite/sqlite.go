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

// Config is how a store uses its database. Its zero value is fine.
type Config struct {
	// Synchronous says what a write waits for. Defaults to Full. For a store on
	// the application's own handle it is the handle that says so, and New
	// takes the zero value only.
	Synchronous Synchronous

	// BusyTimeout is how long to wait for others who have the database locked
	// before giving up and, on the application's own handle, for a
	// connection to write through. Defaults to 5 seconds.
	BusyTimeout time.Duration

	// MaxWaiting is how many writes may wait for one that is under way. More
	// than that fail with ErrOverloaded. Defaults to 16,384.
	MaxWaiting int

	// TablePrefix is what the names of the tables and indexes start with, so that
	// there can be several stores in one database: 1 to 40 letters from a
	// to z, digits and underscores, the first no digit. Defaults to "authtoken_".
	TablePrefix string
}

// Synchronous is what a write waits for before it returns.
type Synchronous uint8

const (
	// Full waits until the write is on disk.
	Full Synchronous = iota

	// Normal leaves it to the operating system when to write. Nothing is lost if
	// the process crashes. If the power fails, the writes of the last moments may
	// be lost, though never a part of one, and the database stays sound.
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

// Store is a [store.Store] in a SQLite database. Use Open or New to make one.
type Store struct {
	operations
	committer *committer
	writer    *writer
	reader    *reader
	where     place

	file      *file      // that Open was for; nil for New, and for a database in memory
	writeDB   *sqlx.DB   // a pool of one connection
	writeConn *sqlx.Conn // that one, kept for the writer

	// Two pools of connections that can't write, so that lists, which can take
	// long, don't keep keys from being checked.
	pointDB, listDB *sqlx.DB

	// Or, instead of all these, one pool where a connection is taken from for each
	// thing to do: the application's, or the one connection that is a
	// database in memory, which is writeDB then as well.
	pool *sqlx.DB

	closed    atomic.Bool
	closeOnce sync.Once
	closeErr  error
	backups   sync.RWMutex // held for reading by each backup
}

func newStore() *Store {
	s := &Store{}
	s.operations = operations{s}
	return s
}

// Open opens the database in the file at path, and makes it if it isn't there;
// the directory must be. Path is a path and never a URI. Only ":memory:" is
// special: a new database in memory, for this store alone, that is gone when it
// is closed.
//
// The tables are made or brought up to date as needed. Several processes can do
// that at once. A file that was made by a later version of this package is refused.
// A file that can't be used is left as it was, and the error says why.
//
// Beside the file there are two more while it is open, ending in -wal and -shm.
// They are part of the database: a copy of the file alone is not a copy of it. If the
// file is gone and one of these still has something in it, Open refuses to make a new
// one.
//
// A new file and those beside it are for their owner alone, whatever the umask. A file
// that is there, which may be empty, keeps its permissions, and those beside it
// have the same.
//
// What is deleted is overwritten with zeros (secure_delete), so that digests and sealed keys
// that are gone can't be found in the file. They can in -wal until that is written
// back and started over, at the latest when the last process closes the database.
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
	f, err := newFile(path, cfg)
	if err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	s := newStore()
	defer func() {
		if err != nil {
			_ = s.closeDBs()
		}
	}()

	if f.inMemory() {
		if s.writeDB, err = f.openMemory(); err != nil {
			return nil, err
		}
		if err := newBorrower(s.writeDB, cfg).migrate(ctx, s.writeDB); err != nil {
			return nil, err
		}
		return s, s.use(ctx, s.writeDB, cfg)
	}
	if err := f.create(); err != nil {
		return nil, err
	}
	s.file = f
	if s.writeDB, s.writeConn, err = f.openWriter(); err != nil {
		return nil, err
	}
	s.writer = newWriter(s.writeConn, cfg)
	if err := s.writer.migrate(ctx, s.writeConn); err != nil {
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

// Close waits for the writes that have begun or are waiting, and closes the
// database, unless it is on a handle of the application's, which stays open.
// Other calls fail with ErrClosed from then on, and so does a backup that
// is under way; Close waits for that too, unless the handle is the application's.
// Closing again does nothing.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.closed.Store(true)
		s.committer.close()
		if s.writeDB != nil { // on the application's handle, a backup may wait for a connection for long
			s.backups.Lock() // when those under way have noticed
			defer s.backups.Unlock()
		}
		s.closeErr = s.closeDBs()
	})
	return s.closeErr
}

// closeDBs closes the writer last: the last connection to go moves what is in
// the -wal file to the database, which readers can't do.
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
	if s.writeConn != nil {
		errs = append(errs, s.writeConn.Close()) // or the pool would wait for it
	}
	if s.writeDB != nil {
		errs = append(errs, s.writeDB.Close())
	}
	return errors.Join(errs...)
}
