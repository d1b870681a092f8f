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
			s, err := sqlite.Open(t.Context(), filepath.Join(dir, name), sqlite.Config{})
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
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o660), info.Mode(), suffix)
	}
}

// linked returns the path of a database that is reached through a link to a directory, in which there is a link with
// "..", and where that really leads.
func linked(t *testing.T) (path, real string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "x/y/z"), 0o700))
	require.NoError(t, os.Symlink(filepath.Join(dir, "x/y/z"), filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink("../real.db", filepath.Join(dir, "x/y/z/db")))
	return filepath.Join(dir, "link/db"), filepath.Join(dir, "x/y/real.db")
}

// A file behind links is the one that SQLite makes, and its owner's alone.
func TestLinkedFileIsItsOwnersAlone(t *testing.T) { //nolint:paralleltest // changes the umask
	defer syscall.Umask(syscall.Umask(0o022))
	path, real := linked(t)
	st, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	require.NoError(t, err)
	defer st.Close()
	for _, end := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(real + end)
		require.NoError(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("real.db%s: %v", end, info.Mode())
		}
	}
	_, err = os.Stat(filepath.Join(filepath.Dir(path), "../real.db"))
	if wrong := filepath.Join(filepath.Dir(filepath.Dir(path)), "real.db"); err == nil {
		if _, err := os.Stat(wrong); err == nil {
			t.Errorf("made %s", wrong)
		}
	}
}

// If a file behind links is gone, the log beside it is found all the same.
func TestLinkedFileThatIsGone(t *testing.T) {
	t.Parallel()
	path, real := linked(t)
	st, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	require.NoError(t, err)
	log, err := os.ReadFile(real + "-wal")
	require.NoError(t, err)
	require.NotEmpty(t, log)
	require.NoError(t, st.Close())
	require.NoError(t, os.Remove(real))
	require.NoError(t, os.WriteFile(real+"-wal", log, 0o600))
	st, err = sqlite.Open(t.Context(), path, sqlite.Config{})
	if err == nil {
		_ = st.Close()
	}
	require.ErrorContains(t, err, "-wal")
}
