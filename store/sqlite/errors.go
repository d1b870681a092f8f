package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrClosed is returned by every method of a closed store.
	ErrClosed = errors.New("sqlite: store is closed")

	// ErrOverloaded is returned by a write that found Config.MaxWaiting others
	// waiting. It has had no effect.
	ErrOverloaded = errors.New("sqlite: too many writes are waiting")

	// ErrInDoubt is returned by a write whose commit the disk did not confirm. In WAL
	// mode it is not there now, but it may be after a crash of the process or the
	// machine, until another write has succeeded: that one takes its place.
	ErrInDoubt = errors.New("the disk did not confirm the commit, and the write may be there after a crash")
)

// code returns SQLite's extended result code for err, or 0 if err isn't SQLite's.
func code(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code()
	}
	return 0
}

// primary returns the result code without what extends it.
func primary(code int) int { return code & 0xff }

// isBusy reports whether err says that the database is locked, and waiting may help.
func isBusy(err error) bool {
	c := code(err)
	return primary(c) == sqlite3.SQLITE_BUSY && c != sqlite3.SQLITE_BUSY_SNAPSHOT
}

// isUniqueViolation goes by the extended codes, as plain SQLITE_CONSTRAINT would
// take a NULL, or a text where a number belongs, for a value that is taken.
func isUniqueViolation(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return true
	}
	return false
}

// unsure adds ErrInDoubt to an error of a commit after which the write may be on
// disk: what makes it durable failed, and not what writes it.
func unsure(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC,
		sqlite3.SQLITE_IOERR_DELETE, sqlite3.SQLITE_IOERR_TRUNCATE: // these two of a rollback journal
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return err
}

// untilFree calls f until it returns something else than that the database is
// locked, or ctx has ended, or the deadline has passed.
//
// SQLite can wait by itself, and does as far as busy_timeout goes, but it looks
// again after ever longer sleeps, up to a tenth of a second, while another
// process that writes all the time lets go of the lock for microseconds. With
// three such processes, some writes took more than 3 s. Now that the
// writing connection's busy_timeout is short, and the asking starts over here, none
// takes more than 0.2 s.
func untilFree(ctx context.Context, deadline time.Time, f func() error) error {
	err := f()
	for isBusy(err) && ctx.Err() == nil && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
		err = f()
	}
	return err
}

// wrap puts the name of the operation before err, unless err is one that
// callers expect.
func (s *Store) wrap(op string, err error) error {
	switch {
	case err == nil, isOutcome(err), errors.Is(err, ErrClosed), errors.Is(err, ErrOverloaded):
		return err
	case s.closed.Load() && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		return ErrClosed
	}
	return fmt.Errorf("sqlite: %s: %w", op, reason(err))
}

// reason says in plain words why a file can't be used, where SQLite's own
// words leave it open.
func reason(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_READONLY_DIRECTORY:
		return fmt.Errorf("its directory is read-only, and files ending in -wal and -shm are needed there: %w", err)
	case sqlite3.SQLITE_IOERR_WRITE: // the driver does not tell errno
		return fmt.Errorf("the system refuses to write, as it does at an error of the disk, at a quota, at a limit on the size of files, "+
			"and if the file system has become read-only: %w", err)
	}
	switch primary(code(err)) {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("not a SQLite database: %w", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("damaged or cut short: %w", err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("read-only: %w", err)
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("no access to it, or none to its directory, where files ending in -wal and -shm are needed: %w", err)
	}
	return err
}
