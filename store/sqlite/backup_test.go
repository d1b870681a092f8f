package sqlite_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// sources are stores to make a backup of, by where they keep their tokens.
var sources = map[string]func(t *testing.T) *sqlite.Store{
	"file":             func(t *testing.T) *sqlite.Store { return open(t, sqlite.Config{Synchronous: sqlite.Normal}) },
	"memory":           openMemory,
	"handle":           func(t *testing.T) *sqlite.Store { return onHandle(t, handle(t, wal), sqlite.Config{}) },
	"handle in memory": func(t *testing.T) *sqlite.Store { return onHandle(t, handleInMemory(t), sqlite.Config{}) },
}

// history is what writers have been told is done: the version of each token.
type history struct {
	mu       sync.Mutex
	versions map[store.PK]int64
}

func (h *history) note(r store.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.versions[r.PK] = r.Version
}

func (h *history) soFar() map[store.PK]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.versions)
}

// write creates tokens and changes all about them, until done is closed.
func (h *history) write(t *testing.T, s *sqlite.Store, done <-chan struct{}) {
	for {
		r := lived(uuid.New(), 0)
		err := s.Create(context.Background(), r, 0)
		for err == nil && r.Version < 3 {
			h.note(r)
			r = lived(r.PK, r.Version+1)
			r.Version--
			err = s.Update(context.Background(), r)
			r.Version++
		}
		if err != nil {
			t.Error(err)
			return
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// lived returns a token in a version of its life, which all its fields tell.
func lived(pk store.PK, version int64) store.Record {
	digest := func(version int64) store.Digest { return sha256.Sum256(fmt.Appendf(nil, "%x %d", pk, version)) }
	r := store.Record{
		PK: pk, Identifier: fmt.Sprintf("%x %d", pk, version), Description: strconv.FormatInt(version, 10),
		Digest: digest(version), Version: version,
	}
	if version > 0 {
		r.Retired = digest(version - 1)
	}
	return r
}

// restored opens a copy, of which everything must be as it should.
func restored(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	var integrity string
	require.NoError(t, openRaw(t, path).QueryRow("PRAGMA integrity_check").Scan(&integrity))
	require.Equal(t, "ok", integrity)
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t)
			h := &history{versions: make(map[store.PK]int64)}
			done := make(chan struct{})
			var writers sync.WaitGroup
			for range 8 {
				writers.Go(func() { h.write(t, s, done) })
			}
			for len(h.soFar()) < 500 {
				require.NoError(t, s.Ping(t.Context()))
			}
			for range 3 {
				path := filepath.Join(t.TempDir(), "copy.db")
				before := h.soFar()
				require.NoError(t, s.Backup(t.Context(), path))
				entries, err := os.ReadDir(filepath.Dir(path))
				require.NoError(t, err)
				require.Len(t, entries, 1, "nothing but the copy")
				info, err := entries[0].Info()
				require.NoError(t, err)
				require.EqualValues(t, 0o600, info.Mode())

				copied := restored(t, path)
				records, err := copied.List(t.Context(), store.Query{})
				require.NoError(t, err)
				there := make(map[store.PK]int64)
				for _, r := range records {
					require.Equal(t, lived(r.PK, r.Version), r, "half a change")
					there[r.PK] = r.Version
				}
				for pk, version := range before {
					require.Contains(t, there, pk)
					require.GreaterOrEqual(t, there[pk], version)
				}
				require.NoError(t, copied.Create(t.Context(), token(1), 0), "it is a store like any other")
			}
			close(done)
			writers.Wait()
			t.Logf("%d tokens in the end", len(h.soFar()))
		})
	}
}

// large fills a store with some megabytes.
func large(t *testing.T, s *sqlite.Store) {
	t.Helper()
	for i := range 40 {
		r := token(1_000_000 + i)
		r.Sealed = make([]byte, 100_000)
		require.NoError(t, s.Create(t.Context(), r, 0))
	}
}

// looks is a context that calls f each time that somebody looks whether it has ended.
type looks struct {
	context.Context
	n atomic.Int64
	f func(n int64) error
}

func (c *looks) Err() error { return c.f(c.n.Add(1)) }

// Others write between any two pieces of a copy, which has none of it.
func TestBackupIsOfOneMoment(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"file", "handle"} {
		s := sources[name](t)
		large(t, s)
		path := filepath.Join(t.TempDir(), "copy.db")
		ctx := &looks{Context: t.Context(), f: func(n int64) error { return s.Create(context.Background(), token(int(n)), 0) }}
		require.NoError(t, s.Backup(ctx, path))
		require.Greater(t, ctx.n.Load(), int64(4))
		records, err := restored(t, path).List(t.Context(), store.Query{})
		require.NoError(t, err)
		n := len(records) - 40
		require.Less(t, n, int(ctx.n.Load())-3, "what was written after it had begun is not in it")
		for i := range n {
			require.NoError(t, get(s, token(i+1).Identifier))
		}
	}
}

func TestBackupIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t)
			large(t, s)
			dir := t.TempDir()
			path := filepath.Join(dir, "copy.db")
			// It ends at each moment when somebody looks.
			for fuse := int64(0); ; fuse++ {
				ctx := &looks{Context: t.Context(), f: func(n int64) error {
					if n > fuse {
						return context.Canceled
					}
					return nil
				}}
				err := s.Backup(ctx, path)
				if err == nil {
					require.Greater(t, fuse, int64(4), "nobody looks")
					break
				}
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorContains(t, err, "sqlite: back up to "+path)
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Empty(t, entries)
				require.NoError(t, s.Create(t.Context(), token(int(fuse)), 0), "the store goes on")
			}
			restored(t, path)
			require.ErrorIs(t, s.Backup(t.Context(), path), fs.ErrExist)
			restored(t, path)
			require.NoError(t, s.Close())
			require.ErrorIs(t, s.Backup(t.Context(), filepath.Join(dir, "other.db")), sqlite.ErrClosed)
		})
	}
}

func TestBackupToPlacesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{})
	dir := t.TempDir()
	for _, name := range []string{"there", "log-wal", "journal-journal"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "link")))
	for name, want := range map[string]error{
		"there": fs.ErrExist, "log": fs.ErrExist, "journal": fs.ErrExist, "link": fs.ErrExist, ".": fs.ErrExist,
		"nowhere/copy.db": fs.ErrNotExist,
	} {
		path := filepath.Join(dir, name)
		err := s.Backup(t.Context(), path)
		t.Log(err)
		require.ErrorIs(t, err, want, name)
		require.ErrorContains(t, err, "sqlite: back up to "+path+": ")
	}
	require.ErrorContains(t, s.Backup(t.Context(), ""), "the path is empty")
	b, err := os.ReadFile(filepath.Join(dir, "there"))
	require.NoError(t, err)
	require.Equal(t, "x", string(b))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4)
}

// Of many at once to one place, one is there, whole.
func TestBackupsToOnePlace(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{})
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	dir := t.TempDir()
	path := filepath.Join(dir, "with space & ? # %41.db")
	var won atomic.Int64
	together(8, func(int) {
		err := s.Backup(context.Background(), path)
		if err == nil {
			won.Add(1)
		} else if !strings.Contains(err.Error(), "exists") {
			t.Error(err)
		}
	})
	require.EqualValues(t, 1, won.Load())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	moved := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, os.Rename(path, moved))
	require.NoError(t, get(restored(t, moved), token(1).Identifier))
}

func TestCloseEndsBackups(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{})
	large(t, s)
	path := filepath.Join(t.TempDir(), "copy.db")
	closed := make(chan error, 1)
	ctx := &looks{Context: t.Context(), f: func(n int64) error {
		if n == 3 {
			go func() { closed <- s.Close() }()
			for !errors.Is(s.Ping(context.Background()), sqlite.ErrClosed) {
				runtime.Gosched()
			}
		}
		return nil
	}}
	require.ErrorIs(t, s.Backup(ctx, path), sqlite.ErrClosed)
	require.NoError(t, <-closed)
	require.NoFileExists(t, path)
}

// The copy holds what is the application's too.
func TestBackupOfAnApplication(t *testing.T) {
	t.Parallel()
	a := newApplication(t, wal)
	_, err := a.db.Exec(`INSERT INTO users (rowid, name) VALUES (1000, 'alice'); PRAGMA user_version = 7`)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, a.store.Backup(t.Context(), path))
	db := handleTo(t, path, wal)
	s, err := sqlite.New(t.Context(), db.DB, sqlite.Config{})
	require.NoError(t, err)
	defer s.Close()
	got, err := s.List(t.Context(), store.Query{})
	require.NoError(t, err)
	require.Len(t, got, len(before()))
	var rowid, version int
	require.NoError(t, db.Get(&rowid, `SELECT rowid FROM users WHERE name = 'alice'`))
	require.NoError(t, db.Get(&version, `PRAGMA user_version`))
	require.Equal(t, 1000, rowid)
	require.Equal(t, 7, version)
}
