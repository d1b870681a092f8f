package sqlite_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store/sqlite"
)

func TestPing(t *testing.T) {
	t.Parallel()
	// Each has a store on its file when something happens to it.
	for _, c := range []struct {
		name    string
		happens func(t *testing.T, path string)
		reason  string
	}{
		{"nothing", func(*testing.T, string) {}, ""},
		{"locked", func(t *testing.T, path string) { begin(t, handleTo(t, path, wal)) }, ""},
		{"gone", func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "the file is gone"},
		{"directory gone", func(t *testing.T, path string) { require.NoError(t, os.RemoveAll(filepath.Dir(path))) }, "the file is gone"},
		{"replaced", func(t *testing.T, path string) {
			other := filepath.Join(t.TempDir(), "other.db")
			require.NoError(t, os.WriteFile(other, databaseOf(t, 5), 0o600))
			require.NoError(t, os.Rename(other, path))
		}, "another file has taken its place"},
		{"newer version", func(t *testing.T, path string) {
			_, err := openRaw(t, path).Exec(`INSERT INTO authtoken_migrations (version) VALUES (1000)`)
			require.NoError(t, err)
		}, "newer release"},
		{"tables dropped", func(t *testing.T, path string) {
			_, err := openRaw(t, path).Exec(`DROP TABLE authtoken_tokens; DROP TABLE authtoken_migrations`)
			require.NoError(t, err)
		}, "its tables are gone"},
		{"one table dropped", func(t *testing.T, path string) {
			_, err := openRaw(t, path).Exec(`DROP TABLE authtoken_tokens`)
			require.NoError(t, err)
		}, "no such table"},
		{"overwritten", func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			require.NoError(t, err)
			info, err := f.Stat()
			require.NoError(t, err)
			_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, int(info.Size())-4096), 4096)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			contents := databaseOf(t, 200)
			for name, use := range map[string]func(path string) *sqlite.Store{
				"Open": func(path string) *sqlite.Store {
					s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
					require.NoError(t, err)
					t.Cleanup(func() { require.NoError(t, s.Close()) })
					return s
				},
				"New": func(path string) *sqlite.Store { return onHandle(t, handleTo(t, path, wal), sqlite.Config{}) },
			} {
				path := filepath.Join(t.TempDir(), "tokens.db")
				require.NoError(t, os.WriteFile(path, contents, 0o600))
				s := use(path)
				if runtime.GOOS == "windows" && (c.name == "gone" || c.name == "directory gone" || c.name == "replaced") {
					return // not while it is open
				}
				if c.name != "overwritten" { // or its pages were known already
					require.NoError(t, s.Ping(t.Context()))
				}
				c.happens(t, path)
				err := s.Ping(t.Context())
				if c.reason == "" {
					require.NoError(t, err, name)
					continue
				}
				require.ErrorContains(t, err, "sqlite: ping "+path+": ", name)
				require.ErrorContains(t, err, c.reason, name)
			}
		})
	}
}

func TestPingOfMemory(t *testing.T) {
	t.Parallel()
	for _, s := range []*sqlite.Store{openMemory(t), onHandle(t, handleInMemory(t), sqlite.Config{})} {
		require.NoError(t, s.Ping(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := s.Ping(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "sqlite: ping database in memory: ")
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Ping(t.Context()), sqlite.ErrClosed)
	}
}
