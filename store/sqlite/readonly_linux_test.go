package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store/sqlite"
)

func TestReadOnlyPlaces(t *testing.T) {
	t.Parallel()
	contents := databaseOf(t, 10)
	for _, c := range []struct {
		name      string
		file, dir os.FileMode
		reason    string
	}{
		{"file", 0o444, 0o777, "read-only"},
		{"directory", 0o666, 0o555, "its directory is read-only"},
		{"both", 0o444, 0o555, "read-only"},
		{"unreadable", 0o000, 0o777, "no access"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "tokens.db")
			require.NoError(t, os.WriteFile(path, contents, 0o666))
			require.NoError(t, os.Chmod(path, c.file))
			require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
			require.NoError(t, os.Chmod(dir, c.dir))
			t.Cleanup(func() { require.NoError(t, os.Chmod(dir, 0o777)) })

			err := openWithoutPrivileges(path)
			t.Log(err)
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, c.reason)
			require.NoError(t, os.Chmod(path, 0o444))
			now, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, contents, now)
		})
	}
}

// openWithoutPrivileges opens the file on a thread to which the file system is
// what it is to nobody, if this process is root's: to root no file is read-only.
func openWithoutPrivileges(path string) error {
	failed := make(chan error)
	go func() {
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // for good, so that the thread ends with the goroutine
			_ = syscall.Setfsuid(65534)
		}
		s, err := sqlite.Open(context.Background(), path, sqlite.Config{})
		if err == nil {
			err = s.Close()
		}
		failed <- err
	}()
	return <-failed
}
