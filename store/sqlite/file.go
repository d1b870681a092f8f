package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/authtoken/authtoken/store"
)

const (
	// writerWait is the busy_timeout of a connection on which untilFree waits.
	writerWait = 10 * time.Millisecond

	// The page caches, in KiB. writerCache holds the pages that a group changes and the
	// upper levels of all indexes. listCache, for each connection for lists, holds the
	// index of 16 MiB that counts a million tokens: 2 ms instead of 9 ms from the file.
	// Point reads have SQLite's 2 MiB: 16 or 64 gain nothing at a million tokens.
	// Mapping the file into memory would gain a quarter, but then a disk error ends the
	// process.
	writerCache = 64 << 10
	listCache   = 32 << 10
	pointCache  = 2 << 10

	// checkpointPages is how many pages the -wal file has before it is written back and
	// restarted. With SQLite's default of 1,000, a busy database writes the same pages
	// back again and again.
	checkpointPages = 4000

	// inMemory is the path of a database that is no file.
	inMemory = ":memory:"

	// ownersAlone is the file mode of a new database and of a backup.
	ownersAlone = 0o600
)

// A file is a database that Open opens.
type file struct {
	path string // absolute
	cfg  Config
}

// newFile makes the path absolute, since connections are also opened later, when the
// working directory may be another.
func newFile(path string, cfg Config) (*file, error) {
	if path == "" {
		return nil, errors.New("the path is empty")
	}
	path, err := filepath.Abs(path)
	return &file{path: path, cfg: cfg}, err
}

// dsn returns the driver's data source name, with parameters. SQLite parses it as a
// URI, so the path is escaped.
func (f *file) dsn(mode string, pragmas ...string) string {
	values := url.Values{"_pragma": pragmas, "mode": {mode}}
	path := filepath.ToSlash(f.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/ on Windows
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: values.Encode()}
	return u.String()
}

func pragma(name string, value any) string { return fmt.Sprintf("%s(%v)", name, value) }

// check returns an error if the file can't be used. It runs before anything writes.
func (f *file) check(ctx context.Context) error {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err := os.Stat(filepath.Dir(f.path))
		if err != nil {
			return fmt.Errorf("there is no directory to make it in: %w", err)
		}
		return f.checkBeside(ctx, "it is not there")
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a directory")
	case info.Size() == 0:
		return f.checkBeside(ctx, "it is empty")
	case info.Size() == 1:
		return errors.New("not a SQLite database") // SQLite would take it for empty
	}

	// The last connection to close writes back the -wal file. So if there is one, look
	// through a read-only connection. If there isn't, a read-only connection would make
	// one and leave it there.
	mode := "rw"
	if _, err := os.Stat(f.target() + "-wal"); err == nil {
		mode = "ro"
	}
	db, err := sqlx.Open("sqlite", f.dsn(mode, pragma("busy_timeout", writerWait.Milliseconds())))
	if err != nil {
		return err
	}
	defer db.Close()
	return f.checkContents(ctx, db)
}

// checkBeside makes sure that an empty or missing file has never been in use. SQLite
// would take it for new and delete the files beside it, which may hold all the tokens.
func (f *file) checkBeside(ctx context.Context, what string) error {
	err := f.beside(what)
	if info, statErr := os.Stat(f.path); err != nil && statErr == nil && info.Size() > 0 {
		return f.check(ctx) // another process has just made it
	}
	return err
}

func (f *file) beside(what string) error {
	wal, journal := f.target()+"-wal", f.target()+"-journal"
	if log, err := os.Stat(wal); err == nil && log.Size() > 0 {
		return fmt.Errorf("%s, but %s has writes to it", what, wal)
	}
	hot, err := isHot(journal)
	if err == nil && hot {
		err = fmt.Errorf("%s, but %s has to undo a write to it", what, journal)
	}
	return err
}

// isHot reports whether path holds a rollback journal of a database that had pages. A
// journal of no pages remains if a process is killed while it makes the file.
func isHot(path string) (bool, error) {
	journal, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer journal.Close()
	// See https://www.sqlite.org/fileformat2.html: after eight bytes of magic,
	// big-endian, the number of records, a nonce, and how many pages the database had.
	var header struct {
		Magic                   [8]byte
		Records, Nonce, Initial uint32
	}
	if err := binary.Read(journal, binary.BigEndian, &header); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil // too short to undo anything
		}
		return false, err
	}
	return string(header.Magic[:]) == "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" && header.Initial > 0, nil
}

// create makes the file, for its owner alone, if it does not exist. SQLite would follow
// the umask. It gives the files beside this one the same permissions.
func (f *file) create() error {
	made, err := os.OpenFile(f.target(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, ownersAlone)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Restore what the umask took from the owner. The mode is never wider than
	// requested, so a file system without permissions loses nothing.
	_ = made.Chmod(ownersAlone)
	return made.Close()
}

// target returns where the links of the path lead. SQLite makes a missing database
// there, and names the files beside it after that path.
func (f *file) target() string {
	path := f.path
	for range 100 { // SQLite reports a cycle of links
		// A link is relative to the real path of its directory.
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(dir, filepath.Base(path))
		}
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			// Joined without cleaning: "x/../y" is not "y" if x is a link.
			to = filepath.Dir(path) + string(filepath.Separator) + to
		}
		path = to
	}
	return path
}

// checkContents checks a file that isn't empty.
func (f *file) checkContents(ctx context.Context, db *sqlx.DB) error {
	var size int64
	const sizeSQL = `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`
	err := untilFree(ctx, time.Now().Add(f.cfg.BusyTimeout), func() error {
		if _, err := missing(ctx, db, store.TablePrefix(f.cfg.TablePrefix)); err != nil {
			return err
		}
		return db.GetContext(ctx, &size, sizeSQL)
	})
	if err != nil {
		return reason(err)
	}

	// By now SQLite has noticed a file that is no database or lacks many pages. It
	// accepts a last page that is cut short. Pages that the file lacks may be in the
	// -wal file still. If that is empty now, the file must have all the pages counted
	// before.
	if log, err := os.Stat(f.target() + "-wal"); err == nil && log.Size() > 0 {
		return nil
	}
	info, err := os.Stat(f.path)
	if err == nil && info.Size() < size {
		err = fmt.Errorf("cut short: %d bytes instead of %d", info.Size(), size)
	}
	return err
}

// openWriter opens the connection that writes.
func (f *file) openWriter(ctx context.Context) (*sqlx.DB, *sqlx.Conn, error) {
	db, err := sqlx.Open("sqlite", f.dsn("rwc",
		pragma("busy_timeout", writerWait.Milliseconds()),
		pragma("cache_size", -writerCache),
		pragma("journal_mode", "WAL"),
		pragma("synchronous", f.cfg.Synchronous),
		pragma("wal_autocheckpoint", checkpointPages),
		pragma("secure_delete", true)))
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)

	// Switching to WAL takes a lock that SQLite doesn't always wait for: if two
	// processes open a new file, one may get "database is locked".
	conn, err := connect(ctx, db, time.Now().Add(f.cfg.BusyTimeout))
	if err == nil {
		err = f.checkWriter(ctx, conn)
	}
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		_ = db.Close()
		return nil, nil, reason(err)
	}
	return db, conn, nil
}

// checkWriter checks what SQLite may refuse without an error.
func (f *file) checkWriter(ctx context.Context, conn *sqlx.Conn) error {
	err := conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(interface{ IsReadOnly(string) (bool, error) })
		if !ok {
			return nil
		}
		readOnly, err := c.IsReadOnly("main")
		if err == nil && readOnly {
			err = errors.New("read-only")
		}
		return err
	})
	if err != nil {
		return err
	}
	var mode string
	if err := conn.GetContext(ctx, &mode, "PRAGMA journal_mode"); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("no write-ahead log on this file system (journal_mode is %q)", mode)
	}
	return nil
}

// openMemory opens a database in memory. It ends with its only connection, which must
// stay open as long as the store.
func openMemory() (*sqlx.DB, error) {
	db, err := sqlx.Open("sqlite", inMemory)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// openReaders opens a pool of read-only connections, each with a page cache of cache
// KiB. More connections than can run at once only hinder each other.
func (f *file) openReaders(cache int) (*sqlx.DB, error) {
	db, err := sqlx.Open("sqlite", f.dsn("rw",
		pragma("busy_timeout", f.cfg.BusyTimeout.Milliseconds()),
		pragma("cache_size", -cache),
		pragma("query_only", true)))
	if err != nil {
		return nil, err
	}
	n := max(2, runtime.GOMAXPROCS(0))
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}
