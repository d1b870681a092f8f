package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/authtoken/authtoken/store"
)

var (
	// ErrClosed is returned by every method of a closed store.
	ErrClosed = errors.New("sqlite: store is closed")

	// ErrOverloaded is returned by a write if Config.MaxWaiting others are queued
	// already. It has had no effect.
	ErrOverloaded = errors.New("sqlite: too many writes are waiting")

	// ErrInDoubt is returned by a write whose commit the disk did not confirm. In WAL
	// mode the write is not visible now, but may be after a crash of the process or the
	// machine, until another write succeeds and takes its place.
	ErrInDoubt = errors.New("the disk did not confirm the commit, and the write may be there after a crash")
)

// code returns SQLite's extended result code for err, or 0 if err isn't SQLite's.
func code(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code()
	}
	return 0
}

// primary returns the primary code of an extended result code.
func primary(code int) int { return code & 0xff }

// isBusy reports whether err means that the database is locked and waiting may help.
func isBusy(err error) bool {
	c := code(err)
	return primary(c) == sqlite3.SQLITE_BUSY && c != sqlite3.SQLITE_BUSY_SNAPSHOT
}

// isUniqueViolation uses the extended codes: plain SQLITE_CONSTRAINT also means a NULL,
// or a text in a number's column.
func isUniqueViolation(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return true
	}
	return false
}

// unsure adds ErrInDoubt to a commit error after which the write may be on disk: SQLite
// could write it but not make it durable.
func unsure(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC,
		sqlite3.SQLITE_IOERR_DELETE, sqlite3.SQLITE_IOERR_TRUNCATE: // these two for a rollback journal
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return err
}

// untilFree calls f until it returns anything but "database is locked", ctx ends, or
// the deadline passes.
//
// SQLite can wait itself, up to busy_timeout, but it retries after ever longer sleeps,
// up to 0.1 s. Another process that writes all the time frees the lock only for
// microseconds. With three such processes, some writes took more than 3 s. Now that the
// writing connection's busy_timeout is short and this loop repeats it, none takes more
// than 0.2 s.
func untilFree(ctx context.Context, deadline time.Time, f func() error) error {
	err := f()
	for isBusy(err) && ctx.Err() == nil && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
		err = f()
	}
	return err
}

// wrap adds the name of the operation to err, unless callers expect err as it is.
func (s *Store) wrap(op string, err error) error {
	switch {
	case err == nil, store.IsOutcome(err), errors.Is(err, ErrClosed), errors.Is(err, ErrOverloaded):
		return err
	case s.closed.Load() && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		return ErrClosed
	}
	return fmt.Errorf("sqlite: %s: %w", op, reason(err))
}

// reason adds plain words to an error about a file, where SQLite's own are vague.
func reason(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_READONLY_DIRECTORY:
		return fmt.Errorf("its directory is read-only, but must also hold files ending in -wal and -shm: %w", err)
	case sqlite3.SQLITE_IOERR_WRITE: // the driver hides errno
		return fmt.Errorf("the system refuses to write: because of a disk error, a quota, a limit on the size of files, "+
			"or a read-only file system: %w", err)
	}
	switch primary(code(err)) {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("not a SQLite database: %w", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("damaged or cut short: %w", err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("read-only: %w", err)
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("no access to it, or to its directory, which must also hold files ending in -wal and -shm: %w", err)
	}
	return err
}
