package torture

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/sqlite"
)

const pageSize = 4096

// database returns a database with n tokens, named by their numbers in the order
// in which they were made, and the log that was not written back yet.
func database(t *testing.T, n int) (file, log []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	st := openStore(t, path)
	svc := newService(t, st)
	for i := range n {
		_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint(i), User: "1"})
		require.NoError(t, err)
	}
	log, err := os.ReadFile(path + "-wal")
	require.NoError(t, err)
	file, err = os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, st.Close())
	return file, log
}

// places returns up to most of the lengths between 1 and size at which something
// can be cut: before, at, after and between the ends of blocks.
func places(size, block, most int) []int {
	var all []int
	for end := 0; end < size; end += block {
		all = append(all, end-1, end, end+1, end+2+rand.IntN(block-3))
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	lengths := []int{size - 1}
	for _, n := range all {
		if n > 0 && n < size-1 && len(lengths) < most {
			lengths = append(lengths, n)
		}
	}
	return lengths
}

// refused checks that a database can't be opened, is left as it is, and that
// the error names it and gives a reason that matches want.
func refused(t *testing.T, file, log []byte, want string) {
	t.Helper()
	dir := t.TempDir() // each time another
	path := filepath.Join(dir, "tokens.db")
	names := []string{"tokens.db"}
	require.NoError(t, os.WriteFile(path, file, 0o600))
	if log != nil {
		names = append(names, "tokens.db-wal")
		require.NoError(t, os.WriteFile(path+"-wal", log, 0o600))
	}
	st, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	if err == nil {
		_ = st.Close()
	}
	require.ErrorContains(t, err, "sqlite: open "+path+": ", "%d bytes", len(file))
	require.Regexp(t, want, err.Error())

	var there []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != "tokens.db-shm" { // the index of the log, which holds nothing itself
			there = append(there, e.Name())
		}
	}
	require.Equal(t, names, there)
	for i, want := range [][]byte{file, log}[:len(names)] {
		now, err := os.ReadFile(filepath.Join(dir, names[i]))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, now), "%s was changed", names[i])
	}
	require.NoError(t, os.RemoveAll(dir))
}

func TestDatabaseCutShort(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	made, log := database(t, 200)
	require.NoError(t, os.WriteFile(path, made, 0o600))
	require.NoError(t, os.WriteFile(path+"-wal", log, 0o600))
	require.NoError(t, openStore(t, path).Close()) // and the log is in the file
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	lengths := places(len(whole), pageSize, cuts)
	for _, n := range lengths {
		refused(t, whole[:n], nil, "cut short|not a SQLite database")
	}
	refused(t, []byte{}, log, "empty")
	t.Logf("a database of %d bytes cut at %d places", len(whole), len(lengths))
}

// Bytes without any meaning to us are what an encrypted database looks like.
func TestNoDatabase(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 15, 16, 99, 100, 101, 511, 512, 1000, pageSize - 1, pageSize, 10 * pageSize, 10*pageSize + 1} {
		noise := make([]byte, size)
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		refused(t, noise, nil, "not a SQLite database|cut short")
		copy(noise, "SQLite format 3\x00")
		refused(t, noise, nil, "not a SQLite database|cut short")
	}
}

// What is left of a log after a loss of power is used as far as it is sound: up to
// some commit, and no further.
func TestLogCutShort(t *testing.T) {
	t.Parallel()
	const tokens, frame = 30, 24 + pageSize
	file, log := database(t, tokens)
	dir := t.TempDir()
	opened := 0
	try := func(log []byte, atLeast, atMost int) int {
		opened++
		path := filepath.Join(dir, fmt.Sprint(opened))
		require.NoError(t, os.WriteFile(path, file, 0o600))
		require.NoError(t, os.WriteFile(path+"-wal", log, 0o600))
		st := openStore(t, path)
		svc := newService(t, st)
		there := AllTokens(t, svc)
		require.GreaterOrEqual(t, len(there), atLeast)
		require.LessOrEqual(t, len(there), atMost)
		for i := range len(there) {
			require.Contains(t, there, fmt.Sprint(i), "the first %d of them", len(there))
		}
		_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "next", User: "1"})
		require.NoError(t, err)
		require.NoError(t, st.Close())
		requireSound(t, path)
		require.NoError(t, os.Remove(path))
		return len(there)
	}
	require.Equal(t, tokens, try(log, 0, tokens))
	lengths := places(len(log), frame, cuts)
	for _, n := range lengths {
		whole := try(log[:n], 0, tokens)

		// What follows the cut is noise instead, as on a disk that had written
		// something else there: the same is sound.
		damaged := bytes.Clone(log)
		for i := n; i < min(n+100, len(damaged)); i++ {
			damaged[i] ^= 0x55
		}
		try(damaged, whole, whole)
	}
	t.Logf("a log of %d bytes cut and damaged at %d places", len(log), len(lengths))
}
