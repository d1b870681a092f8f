//go:build unix

package sqlite_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store/sqlite"
)

// Not parallel, as the umask is the process's.
func TestNewFilesAreTheirOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	modes := func() map[string]fs.FileMode {
		m := make(map[string]fs.FileMode)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			info, err := e.Info()
			require.NoError(t, err)
			m[e.Name()] = info.Mode()
			require.NoError(t, os.Remove(filepath.Join(dir, e.Name())))
		}
		return m
	}
	for _, umask := range []int{0, 0o022, 0o077, 0o277, 0o777} {
		for _, name := range []string{"tokens.db", "link.db"} {
			if name == "link.db" {
				require.NoError(t, os.Symlink("tokens.db", filepath.Join(dir, name)))
			}
			before := syscall.Umask(umask)
			s, err := sqlite.Open(filepath.Join(dir, name), sqlite.Config{})
			if err == nil {
				err = s.Create(t.Context(), token(1), 0)
			}
			if err == nil {
				err = s.Backup(t.Context(), filepath.Join(dir, "copy.db"))
			}
			syscall.Umask(before)
			require.NoError(t, err, "%o", umask)
			got := modes()
			delete(got, "link.db")
			require.NoError(t, s.Close())
			require.Equal(t, map[string]fs.FileMode{
				"tokens.db": 0o600, "tokens.db-wal": 0o600, "tokens.db-shm": 0o600, "copy.db": 0o600,
			}, got, "%o", umask)
		}
	}
}

// Whoever makes the file first decides who may use it.
func TestFilesKeepTheirPermissions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens.db")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chmod(path, 0o660))
	s, err := sqlite.Open(path, sqlite.Config{})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o660), info.Mode(), suffix)
	}
}
