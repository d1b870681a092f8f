package sqlite_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

var (
	syncs  = []uintptr{syscall.SYS_FSYNC, syscall.SYS_FDATASYNC}
	writes = []uintptr{syscall.SYS_PWRITE64} // and not SYS_WRITE, by which Go's runtime wakes threads
)

// withFault does f on a thread on which these system calls fail with errno. It is the
// kernel's filter (seccomp) that makes them fail.
func withFault(t *testing.T, errno syscall.Errno, calls []uintptr, f func() error) error {
	t.Helper()
	const (
		loadWord, jumpIfEqual, result = 0x20, 0x15, 0x06 // of a BPF program
		fail, allow                   = 0x0005_0000, 0x7fff_0000
		prSetNoNewPrivs, prSetSeccomp = 38, 22
		modeFilter                    = 2
	)
	program := []syscall.SockFilter{{Code: loadWord, K: 0}} // the number of the call
	for _, nr := range calls {
		program = append(program,
			syscall.SockFilter{Code: jumpIfEqual, Jf: 1, K: uint32(nr)},
			syscall.SockFilter{Code: result, K: fail | uint32(errno)})
	}
	program = append(program, syscall.SockFilter{Code: result, K: allow})

	var failed, unable error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good, so that the thread ends with the goroutine
		filter := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
		for _, args := range [][3]uintptr{{prSetNoNewPrivs, 1}, {prSetSeccomp, modeFilter, uintptr(unsafe.Pointer(&filter))}} {
			if _, _, err := syscall.RawSyscall6(syscall.SYS_PRCTL, args[0], args[1], args[2], 0, 0, 0); err != 0 {
				unable = err
				return
			}
		}
		failed = f()
	}()
	<-done
	if unable != nil {
		t.Skip("no system call can be made to fail here:", unable)
	}
	return failed
}

// crashed returns the path of a copy of the database, as a crash would leave it now.
func crashed(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "tokens.db")
	for _, suffix := range []string{"", "-wal", "-journal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			require.ErrorIs(t, err, fs.ErrNotExist)
			continue
		}
		require.NoError(t, os.WriteFile(to+suffix, b, 0o600))
	}
	return to
}

// A commit is in the log before it is on disk. If the disk fails in between, SQLite
// takes it back, but a crash finds it in the log.
func TestCommitInDoubt(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(ctx context.Context, s *sqlite.Store) error{
		"alone": func(ctx context.Context, s *sqlite.Store) error { return s.Create(ctx, token(2), 0) },
		"in a transaction": func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Purge(ctx, store.Query{Identifier: token(1).Identifier})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "tokens.db")
			s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
			require.NoError(t, err)
			defer s.Close()
			require.NoError(t, s.Create(t.Context(), token(1), 0))
			count := func(s *sqlite.Store) int {
				n, err := s.Count(t.Context(), store.Query{})
				require.NoError(t, err)
				return n
			}
			err = withFault(t, syscall.EIO, syncs, func() error { return write(t.Context(), s) })
			t.Log(err)
			require.ErrorIs(t, err, sqlite.ErrInDoubt)
			e := new(driver.Error)
			require.ErrorAs(t, err, &e)
			require.Equal(t, sqlite3.SQLITE_IOERR_FSYNC, e.Code())
			require.Equal(t, 1, count(s), "it is not there")

			after, err := sqlite.Open(t.Context(), crashed(t, path), sqlite.Config{})
			require.NoError(t, err)
			defer after.Close()
			require.NotEqual(t, 1, count(after), "but after a crash it is")

			// What is written next takes its place.
			require.NoError(t, s.Create(t.Context(), token(3), 0))
			after, err = sqlite.Open(t.Context(), crashed(t, path), sqlite.Config{})
			require.NoError(t, err)
			defer after.Close()
			require.Equal(t, 2, count(after))
			require.NoError(t, get(after, token(1).Identifier))
			require.NoError(t, get(after, token(3).Identifier))
		})
	}
}

// In a transaction of the application's nothing is in doubt before it commits.
func TestNothingInDoubtInATransaction(t *testing.T) {
	t.Parallel()
	db := handle(t, "_pragma=journal_mode(DELETE)&_pragma=cache_size(1)")
	s := onHandle(t, db, sqlite.Config{})
	tx := begin(t, db)
	err := withFault(t, syscall.EIO, syncs, func() error {
		in := s.WithTx(tx.Tx)
		for n := range 100 { // until the cache is full, and is written to the file
			if err := in.Create(t.Context(), token(n), 0); err != nil {
				return err
			}
		}
		return nil
	})
	t.Log(err)
	require.ErrorContains(t, err, "disk I/O error")
	require.NotErrorIs(t, err, sqlite.ErrInDoubt)

	// But a write of its own is, in any journal mode.
	_ = tx.Rollback() // SQLite has done so
	err = withFault(t, syscall.EIO, syncs, func() error { return s.Create(t.Context(), token(1), 0) })
	require.ErrorIs(t, err, sqlite.ErrInDoubt)
}

// SQLite does not pass on why the system refuses to write, unless the disk is full.
func TestWritesThatTheSystemRefuses(t *testing.T) {
	t.Parallel()
	for errno, reason := range map[syscall.Errno]string{
		syscall.ENOSPC: "database or disk is full",
		syscall.EIO:    refusedWrite,
		syscall.EROFS:  refusedWrite,
		syscall.EDQUOT: refusedWrite,
		syscall.EFBIG:  refusedWrite,
	} {
		t.Run(errno.Error(), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "tokens.db")
			opened, err := sqlite.Open(t.Context(), path, sqlite.Config{})
			require.NoError(t, err)
			defer opened.Close()
			db, err := sqlx.Open("sqlite", path)
			require.NoError(t, err)
			defer db.Close()
			lent := onHandle(t, db, sqlite.Config{})
			for n, s := range []*sqlite.Store{opened, lent} {
				err = withFault(t, errno, writes, func() error { return s.Create(t.Context(), token(n), 0) })
				t.Log(err)
				require.ErrorContains(t, err, "sqlite: create token: "+reason)
				require.NotErrorIs(t, err, sqlite.ErrInDoubt, "it was not written")
				require.NoError(t, s.Create(t.Context(), token(n), 0))
			}
		})
	}
}

const refusedWrite = "the system refuses to write: because of a disk error, a quota, a limit on the size of files, or a read-only file system"
