package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	driver "modernc.org/sqlite"
)

// backupPages is how many pages are copied between two looks at ctx and at Close.
const backupPages = 256

// Backup copies the whole database to a new file at path, as it is at one moment
// between the call and its return. All writes made before the call are in it. To
// restore it, open the copy, or put it where the database was while nobody has that
// open.
//
// The file appears at path when it is complete and on disk. It does not appear if
// anything fails, ctx ends or the store is closed. If there is already a file at path,
// or at path with -wal or -journal added, which SQLite would take for a part of the
// copy, the error matches [io/fs.ErrExist]. Meanwhile the copy is in the same
// directory, in a file whose name ends in .tmp. That file stays there if the process is
// killed. Only its owner may read the copy.
//
// For a store on the application's handle, the copy includes the application's data,
// and the driver must be modernc.org/sqlite itself, not a wrapper. In WAL mode, which
// Open sets, others read and write meanwhile, but their writes stay in the -wal file
// until the copy is complete. On a pool of one connection, and for a database in
// memory, they wait.
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := s.backUp(ctx, path); err != nil {
		return fmt.Errorf("sqlite: back up to %s: %w", path, reason(err))
	}
	return nil
}

func (s *Store) backUp(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.backups.RLock()
	defer s.backups.RUnlock()
	if s.closed.Load() {
		return ErrClosed
	}
	if path == "" {
		return errors.New("the path is empty")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	for _, name := range []string{path, path + "-wal", path + "-journal"} {
		if err := absent(name); err != nil {
			return err
		}
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	_ = tmp.Chmod(ownersAlone) // see file.create

	if err := s.copyTo(ctx, tmp.Name()); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return publish(tmp.Name(), path)
}

// copyTo copies the database into the empty file at path.
//
// VACUUM INTO would do this too. But it takes four times as long, while the -wal file
// grows, and it renumbers the rows of tables whose rowid has no name, which the
// application may have. SQLite's backup starts over when somebody writes, unless it is
// within a transaction.
func (s *Store) copyTo(ctx context.Context, path string) (err error) {
	db := s.pool
	if s.file != nil {
		if db, err = s.file.openReaders(pointCache); err != nil {
			return err
		}
		defer db.Close()
	}
	deadline := time.Now().Add(s.writer.busyTimeout)
	conn, err := connect(ctx, db, deadline)
	if err != nil {
		return err
	}
	defer conn.Close()

	transaction := context.WithoutCancel(ctx) // else it may be unknown whether it has begun
	if _, err := conn.ExecContext(transaction, "BEGIN"); err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(transaction, "ROLLBACK") }()
	err = untilFree(ctx, deadline, func() error {
		_, err := conn.ExecContext(transaction, "SELECT 1 FROM sqlite_schema") // only now it begins
		return err
	})
	if err != nil {
		return err
	}
	return conn.Raw(func(driverConn any) error {
		source, ok := driverConn.(interface {
			NewBackup(uri string) (*driver.Backup, error)
		})
		if !ok {
			return fmt.Errorf("a connection of the handle is a %T, which can't make a backup", driverConn)
		}
		// The file is useless until it is complete, and then it is synced.
		target := &file{path: path}
		backup, err := source.NewBackup(target.dsn("rw", pragma("journal_mode", "OFF"), pragma("synchronous", "OFF")))
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if err = ctx.Err(); err == nil && s.closed.Load() {
				err = ErrClosed
			}
			if err == nil {
				more, err = backup.Step(backupPages)
			}
		}
		if finishErr := backup.Finish(); err == nil {
			err = finishErr
		}
		return err
	})
}

// absent returns an error if there is something at path.
func absent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// publish gives the file at tmp its final name, which must be free.
func publish(tmp, path string) error {
	err := os.Link(tmp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // no links on this file system: use two steps
		if err = absent(path); err == nil {
			err = os.Rename(tmp, path)
		}
	}
	if err != nil {
		return err
	}
	// The name must be on disk too. Like SQLite, ignore a file system that has no way
	// to do that.
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}
