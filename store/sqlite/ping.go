package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/authtoken/authtoken/store"
)

// A place is where the database was when the store was made.
type place struct {
	path string      // empty for a database in memory
	info os.FileInfo // nil if unknown
}

func placeOf(path string) place {
	p := place{path: path}
	if path != "" {
		p.info, _ = os.Stat(path) // only the application's VFS may know the path
	}
	return p
}

// check makes sure that the file at the path is still the open one: a process does not
// notice if its file is deleted or replaced.
func (p place) check() error {
	if p.info == nil {
		return nil
	}
	now, err := os.Stat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the file is gone")
	case err != nil:
		return err
	case !os.SameFile(p.info, now):
		return errors.New("another file has taken its place")
	}
	return nil
}

func (p place) String() string {
	if p.path == "" {
		return "database in memory"
	}
	return p.path
}

// Ping returns nil if keys can be checked now: the store is open, the same file is
// still at its path, this release knows its schema, and it could look up a token.
// Otherwise the error says what is wrong; it matches ErrClosed if the store is closed.
//
// Ping is for health endpoints and takes a few times as long as the check of a key. It
// does not write, so it does not detect a full disk or a lock that is never freed. It
// detects damage only in the pages that it reads. It takes no write lock.
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, "ping "+s.where.String(), func(ctx context.Context, rd *reader) error {
		if err := s.where.check(); err != nil {
			return err
		}
		steps, err := missing(ctx, rd.lists, rd.prefix)
		if err != nil {
			return err
		}
		if len(steps) > 0 {
			return errors.New("its tables are gone")
		}
		var r store.Record
		err = rd.getByDigest(ctx, store.Digest{1}, &r)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
}
