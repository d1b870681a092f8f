package sqlite_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

func TestPathIsNotAURI(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"with space", "a?mode=memory&x=y", "a#b", "100%41", "semi;colon", "a+b&c=d", "quote'\"", "back\\slash", "ünïcödé",
		"file:x.db", ":memory:.db", "~", "*",
	} {
		path := filepath.Join(t.TempDir(), name)
		for range 2 {
			s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
			require.NoError(t, err)
			_ = s.Create(t.Context(), token(1), 0)
			_, err = s.Get(t.Context(), token(1).Identifier)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			entries, err := os.ReadDir(filepath.Dir(path))
			require.NoError(t, err)
			require.Len(t, entries, 1)
			require.Equal(t, name, entries[0].Name())
		}
	}
}

func TestRelativePathOutlivesTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	s, err := sqlite.Open(t.Context(), "tokens.db", sqlite.Config{})
	require.NoError(t, err)
	defer s.Close()
	t.Chdir(t.TempDir())
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	_, err = s.Get(t.Context(), token(1).Identifier)
	require.NoError(t, err)
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	valid := databaseOf(t, 200)
	for _, c := range []struct {
		name   string
		bytes  []byte
		reason string
	}{
		{"text", bytes.Repeat([]byte("no database\n"), 1000), "not a SQLite database"},
		{"short text", []byte("no database\n"), "not a SQLite database"},
		{"cut in its header", valid[:50], "damaged or cut short"},
		{"cut in its first page", valid[:1000], "damaged or cut short"},
		{"cut after its first page", valid[:4096], "damaged or cut short"},
		{"cut in the middle", valid[:len(valid)/2], "damaged or cut short"},
		{"cut by a byte", valid[:len(valid)-1], "cut short"},
		{"overwritten schema", append(append(valid[:100:100], bytes.Repeat([]byte{0xff}, 3996)...), valid[4096:]...), "damaged or cut short"},
		{"made by a newer version", newerDatabase(t), "newer release"},
		{"UTF-16", utf16Database(t), "UTF-16le"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "tokens.db")
			require.NoError(t, os.WriteFile(path, c.bytes, 0o600))
			_, err := sqlite.Open(t.Context(), path, sqlite.Config{})
			t.Log(err)
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, c.reason)
			now, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, bytes.Equal(c.bytes, now), "the file was changed")
		})
	}
}

func TestPlacesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for path, reason := range map[string]string{
		"":                                  "the path is empty",
		dir:                                 "it is a directory",
		filepath.Join(dir, "nowhere", "db"): "no directory to make it in",
		filepath.Join(dir, "file", "db"):    "not a directory",
		filepath.Join(dir, "a\x00b"):        "invalid argument",
	} {
		_, err := sqlite.Open(t.Context(), path, sqlite.Config{})
		t.Log(err)
		require.ErrorContains(t, err, "sqlite: open "+path)
		require.ErrorContains(t, err, reason)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was made")
}

// A process of the newer version may have crashed, so that there is a
// -wal file, which closing would write back.
func TestNewerFileWithALogIsUntouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens.db")
	db := openRaw(t, path, "journal_mode(WAL)")
	_, err := db.Exec(`CREATE TABLE authtoken_migrations (version INTEGER PRIMARY KEY) STRICT; INSERT INTO authtoken_migrations VALUES (99)`)
	require.NoError(t, err)
	copied := t.TempDir()
	for _, name := range []string{"tokens.db", "tokens.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NotEmpty(t, b)
		require.NoError(t, os.WriteFile(filepath.Join(copied, name), b, 0o600))
	}
	_, err = sqlite.Open(t.Context(), filepath.Join(copied, "tokens.db"), sqlite.Config{})
	require.ErrorContains(t, err, "newer release")
	for _, name := range []string{"tokens.db", "tokens.db-wal"} {
		before, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		after, err := os.ReadFile(filepath.Join(copied, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(before, after), name)
	}
}

// leftBeside is what a process that was killed leaves beside a file that has all its
// tokens in the first page of the log, or a write that is to be undone.
func leftBeside(t *testing.T, journalMode string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	// With synchronous OFF, the head of a journal is whole from the beginning.
	db := openRaw(t, path, "journal_mode("+journalMode+")", "synchronous(OFF)")
	_, err := db.Exec(`CREATE TABLE x (y); INSERT INTO x VALUES (zeroblob(100000)); BEGIN; UPDATE x SET y = randomblob(100000)`)
	require.NoError(t, err)
	if journalMode == "WAL" {
		_, err = db.Exec("COMMIT")
		require.NoError(t, err)
	}
	suffix := map[string]string{"WAL": "-wal", "DELETE": "-journal"}[journalMode]
	b, err := os.ReadFile(path + suffix)
	require.NoError(t, err)
	require.NotEmpty(t, b)
	return b
}

// SQLite takes a file that is empty or not there for a new one, and deletes what is
// beside it. That is all there is of the tokens, or what puts a file right that
// somebody has moved.
func TestFilesThatAreGone(t *testing.T) {
	t.Parallel()
	log, journal := leftBeside(t, "WAL"), leftBeside(t, "DELETE")
	for _, c := range []struct {
		name   string
		suffix string
		beside []byte
		empty  bool // or not there at all
		reason string
	}{
		{"missing, log", "-wal", log, false, "it is not there, but PATH has writes to it"},
		{"empty, log", "-wal", log, true, "it is empty, but PATH has writes to it"},
		{"missing, journal", "-journal", journal, false, "it is not there, but PATH has to undo a write to it"},
		{"empty, journal", "-journal", journal, true, "it is empty, but PATH has to undo a write to it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "tokens.db")
			link := filepath.Join(t.TempDir(), "link.db") // SQLite goes by the name it leads to
			require.NoError(t, os.Symlink(path, link))
			require.NoError(t, os.WriteFile(path+c.suffix, c.beside, 0o600))
			files := 1
			if c.empty {
				require.NoError(t, os.WriteFile(path, nil, 0o600))
				files++
			}
			for _, name := range []string{path, link} {
				_, err := sqlite.Open(t.Context(), name, sqlite.Config{})
				t.Log(err)
				require.ErrorContains(t, err, name+": "+strings.Replace(c.reason, "PATH", path+c.suffix, 1))
				now, err := os.ReadFile(path + c.suffix)
				require.NoError(t, err)
				require.Equal(t, c.beside, now)
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Len(t, entries, files, "nothing was made")
			}
		})
	}
}

// A process that was killed as it made the file may leave a journal of nothing, and
// a log that is empty. Neither keeps the next from making it.
func TestFilesThatWereNeverMade(t *testing.T) {
	t.Parallel()
	header := make([]byte, 512) // a database of no pages
	copy(header, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7\x00\x00\x00\x00\x12\x34\x56\x78\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x10\x00")
	over := leftBeside(t, "DELETE") // as in the journal mode PERSIST, when the write is done
	clear(over[:28])
	for suffix, contents := range map[string][][]byte{
		"-wal":     {nil},
		"-journal": {nil, header, header[:11], over},
	} {
		for _, b := range contents {
			for _, empty := range []bool{false, true} {
				path := filepath.Join(t.TempDir(), "tokens.db")
				require.NoError(t, os.WriteFile(path+suffix, b, 0o600))
				if empty {
					require.NoError(t, os.WriteFile(path, nil, 0o600))
				}
				s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
				require.NoError(t, err, "%s of %d bytes", suffix, len(b))
				require.NoError(t, s.Create(t.Context(), token(1), 0))
				require.NoError(t, s.Close())
			}
		}
	}
}

// What is deleted or replaced is not left in the file. In the log it is until that is
// written back and started over, which here is done at once.
func TestDeletedSecretsAreOverwritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{Synchronous: sqlite.Normal})
	require.NoError(t, err)
	defer s.Close()
	secrets := func(r *store.Record) [][]byte { return [][]byte{r.Digest[:], r.Retired[:], r.Sealed} }
	rng := rand.New(rand.NewPCG(1, 2))
	var kept, gone [][]byte
	for i := range 2000 {
		r := token(i)
		r.Sealed = fmt.Appendf(nil, "sealed %d.%s", i, strings.Repeat("x", rng.IntN(100)))
		r.Retired = sha256.Sum256(fmt.Appendf(nil, "retired %d", i))
		require.NoError(t, s.Create(t.Context(), r, 0))
		switch before := r; {
		case i >= 1500: // as many pages are emptied in one go
			gone = append(gone, secrets(&r)...)
		case i%3 == 0:
			require.NoError(t, s.Delete(t.Context(), r.PK, r.Version))
			gone = append(gone, secrets(&r)...)
		case i%3 == 1:
			r.Digest, r.Retired, r.Sealed = sha256.Sum256(r.Digest[:]), store.Digest{}, nil
			require.NoError(t, s.Update(t.Context(), r))
			gone = append(gone, secrets(&before)...)
			kept = append(kept, r.Digest[:])
		default:
			kept = append(kept, secrets(&r)...)
		}
	}
	for i := 1500; i < 2000; i++ {
		_, err := s.Purge(t.Context(), store.Query{Identifier: token(i).Identifier})
		require.NoError(t, err)
	}
	_, err = openRaw(t, path).Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	require.NoError(t, err)
	var all []byte
	for _, name := range []string{path, path + "-wal"} {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		all = append(all, b...)
	}
	for _, secret := range kept {
		require.True(t, bytes.Contains(all, secret), "what is kept is found this way")
	}
	found := 0
	for _, secret := range gone {
		if bytes.Contains(all, secret) {
			found++
		}
	}
	require.Zero(t, found, "of %d that are gone", len(gone))
}

func TestConfigFaultsAreReportedTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	_, err := sqlite.Open(t.Context(), path, sqlite.Config{Synchronous: 7, BusyTimeout: -1, MaxWaiting: -1})
	require.ErrorContains(t, err, "Synchronous")
	require.ErrorContains(t, err, "BusyTimeout")
	require.ErrorContains(t, err, "MaxWaiting")
	require.NoFileExists(t, path)
}

func TestLivesInAnApplicationsDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	db := openRaw(t, path)
	_, err := db.Exec(`PRAGMA user_version = 7; CREATE TABLE tokens (x); CREATE TABLE users (y); INSERT INTO users VALUES (1)`)
	require.NoError(t, err)
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	require.NoError(t, err)
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	require.NoError(t, s.Close())
	var version, users int
	require.NoError(t, db.QueryRow(`PRAGMA user_version`).Scan(&version))
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM users`).Scan(&users))
	require.Equal(t, 7, version)
	require.Equal(t, 1, users)
}

func TestReopenShowsEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	require.NoError(t, err)
	full := token(1)
	full.Managed, full.Sealed, full.Retired = "m", []byte{0, 1}, store.Digest{1}
	full.RetiredUntil = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	full.Expires = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
	full.LastUsed, full.LastUsedFrom, full.Version = time.UnixMicro(-1), "::1", 1<<62
	least := store.Record{Digest: store.Digest{9}}
	for _, r := range []store.Record{full, least} {
		require.NoError(t, s.Create(t.Context(), r, 0))
	}
	require.NoError(t, s.Close())
	s, err = sqlite.Open(t.Context(), path, sqlite.Config{Synchronous: sqlite.Normal})
	require.NoError(t, err)
	defer s.Close()
	got, err := s.List(t.Context(), store.Query{})
	require.NoError(t, err)
	full.Created, full.LastUsed = full.Created.UTC(), full.LastUsed.UTC()
	require.Equal(t, []store.Record{least, full}, got)
}

// TestOpenEndsWithItsContext locks the file in ways that stop Open in different places.
func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ journalMode, lock string }{
		"to read":    {"DELETE", "BEGIN EXCLUSIVE"},
		"to set WAL": {"DELETE", "BEGIN; SELECT * FROM x"},
		"to migrate": {"WAL", "BEGIN IMMEDIATE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "tokens.db")
			db := openRaw(t, path, "journal_mode("+c.journalMode+")")
			for _, statement := range []string{"CREATE TABLE x (y)", c.lock} {
				_, err := db.Exec(statement)
				require.NoError(t, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			for range 2 { // the second time, ctx has ended already
				_, err := sqlite.Open(ctx, path, sqlite.Config{BusyTimeout: time.Minute})
				require.EqualError(t, err, "sqlite: open "+path+": context deadline exceeded")
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			_, err := db.Exec("ROLLBACK")
			require.NoError(t, err)
			s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
			require.NoError(t, err)
			require.NoError(t, s.Close())
		})
	}
}

// databaseOf returns the bytes of a database with n tokens.
func databaseOf(t *testing.T, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{Synchronous: sqlite.Normal})
	require.NoError(t, err)
	for i := range n {
		require.NoError(t, s.Create(t.Context(), token(i), 0))
	}
	require.NoError(t, s.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func newerDatabase(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	require.NoError(t, os.WriteFile(path, databaseOf(t, 10), 0o600))
	db := openRaw(t, path)
	_, err := db.Exec(`INSERT INTO authtoken_migrations (version) VALUES (1000)`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func utf16Database(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := openRaw(t, path)
	_, err := db.Exec(`PRAGMA encoding = 'UTF-16le'; CREATE TABLE x (y)`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// openRaw opens the file at path without the store.
func openRaw(tb testing.TB, path string, pragmas ...string) *sql.DB {
	tb.Helper()
	dsn := "file:" + path + "?_pragma=busy_timeout(5000)"
	for _, p := range pragmas {
		dsn += "&_pragma=" + p
	}
	db, err := sql.Open("sqlite", dsn)
	require.NoError(tb, err)
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() { db.Close() })
	return db
}
