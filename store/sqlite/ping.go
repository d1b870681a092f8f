package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/authtoken/authtoken/store"
)

// A place is where a database was when the store came to be.
type place struct {
	path string      // empty for a database in memory
	info os.FileInfo // nil if there is no telling
}

func placeOf(path string) place {
	p := place{path: path}
	if path != "" {
		p.info, _ = os.Stat(path) // a path may mean something to the application's VFS only
	}
	return p
}

// check makes sure that the file is still the one that is open: a process does
// not notice by itself if it has been deleted or replaced.
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

// Ping returns nil if keys can be checked now: the store is open, the file is
// where it was and the same, its schema is one that this release knows, and a token
// was looked up in it. Otherwise the error says what is wrong; it matches
// ErrClosed if the store is closed.
//
// It is meant for health endpoints and takes a few times as long as the checking
// of a key. It does not look for damage beyond the pages that it reads, nor does it
// write: that there is room on the disk, and that nobody keeps the lock, shows
// only when something is written. Writers never wait for it.
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
