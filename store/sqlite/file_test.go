package sqlite_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
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
			s, err := sqlite.Open(path, sqlite.Config{})
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
	s, err := sqlite.Open("tokens.db", sqlite.Config{})
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
			_, err := sqlite.Open(path, sqlite.Config{})
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
		_, err := sqlite.Open(path, sqlite.Config{})
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
	_, err = sqlite.Open(filepath.Join(copied, "tokens.db"), sqlite.Config{})
	require.ErrorContains(t, err, "newer release")
	for _, name := range []string{"tokens.db", "tokens.db-wal"} {
		before, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		after, err := os.ReadFile(filepath.Join(copied, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(before, after), name)
	}
}

func TestConfigFaultsAreReportedTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	_, err := sqlite.Open(path, sqlite.Config{Synchronous: 7, BusyTimeout: -1, MaxWaiting: -1})
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
	s, err := sqlite.Open(path, sqlite.Config{})
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
	s, err := sqlite.Open(path, sqlite.Config{})
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
	s, err = sqlite.Open(path, sqlite.Config{Synchronous: sqlite.Normal})
	require.NoError(t, err)
	defer s.Close()
	got, err := s.List(t.Context(), store.Query{})
	require.NoError(t, err)
	full.Created, full.LastUsed = full.Created.UTC(), full.LastUsed.UTC()
	require.Equal(t, []store.Record{least, full}, got)
}

// databaseOf returns the bytes of a database with n tokens.
func databaseOf(t *testing.T, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	s, err := sqlite.Open(path, sqlite.Config{Synchronous: sqlite.Normal})
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
