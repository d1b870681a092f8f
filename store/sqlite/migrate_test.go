package sqlite_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// schema returns the SQL of all there is in a database.
func schema(t *testing.T, db *sqlx.DB) []string {
	t.Helper()
	var all []string
	require.NoError(t, db.Select(&all, `SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name`))
	return all
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	db := handle(t, wal)
	require.NoError(t, sqlite.Migrate(t.Context(), db.DB, sqlite.Config{}))
	before := schema(t, db)
	s, err := sqlite.New(t.Context(), db.DB, sqlite.Config{})
	require.NoError(t, err)
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	require.NoError(t, sqlite.Migrate(t.Context(), db.DB, sqlite.Config{Synchronous: sqlite.Normal})) // as for Open
	require.Equal(t, before, schema(t, db))
	require.NoError(t, get(s, token(1).Identifier))
	require.NoError(t, s.Close())
}

func TestMigrateAllOrNothing(t *testing.T) {
	t.Parallel()
	db := handleInMemory(t)
	_, err := db.Exec(`CREATE TABLE x (authtoken_tokens_expires); CREATE INDEX authtoken_tokens_expires ON x (authtoken_tokens_expires)`)
	require.NoError(t, err)
	before := schema(t, db)
	require.ErrorContains(t, sqlite.Migrate(t.Context(), db.DB, sqlite.Config{}), "sqlite: migrate: migration 1: ")
	require.Equal(t, before, schema(t, db))
	_, err = db.Exec("BEGIN IMMEDIATE; ROLLBACK")
	require.NoError(t, err, "no transaction is open")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, sqlite.Migrate(ctx, handleInMemory(t).DB, sqlite.Config{}), context.Canceled)
}

// Whoever runs the migrations with a tool of their own gets the same tables, and
// the package knows.
func TestMigrationsByHand(t *testing.T) {
	t.Parallel()
	for _, cfg := range []sqlite.Config{{}, {TablePrefix: "app_"}} {
		path := filepath.Join(t.TempDir(), "app.db")
		db := handleTo(t, path, wal)
		all, err := sqlite.Migrations(cfg)
		require.NoError(t, err)
		for i, m := range all {
			require.Equal(t, i+1, m.Version)
			require.Regexp(t, `^[a-z_]+$`, m.Name)
			for line := range strings.Lines(m.SQL) {
				// Tools that split the text at its semicolons, some of them at those
				// at the end of a line only, must come to the same statements.
				code, comment, _ := strings.Cut(line, "--")
				require.NotContains(t, comment, ";")
				if strings.Contains(code, ";") {
					require.Equal(t, ";", strings.TrimSpace(code)[len(strings.TrimSpace(code))-1:])
				}
			}
			tx, err := db.Beginx()
			require.NoError(t, err)
			for sql := range strings.SplitSeq(m.SQL, ";") {
				_, err = tx.Exec(sql)
				require.NoError(t, err)
			}
			require.NoError(t, tx.Commit())
		}
		migrated := handle(t, wal)
		require.NoError(t, sqlite.Migrate(t.Context(), migrated.DB, cfg))
		require.Equal(t, schema(t, migrated), schema(t, db))

		before := schema(t, db)
		s, err := sqlite.New(t.Context(), db.DB, cfg)
		require.NoError(t, err)
		require.NoError(t, s.Create(t.Context(), token(1), 0))
		require.NoError(t, s.Close())
		require.NoError(t, sqlite.Migrate(t.Context(), db.DB, cfg))
		s, err = sqlite.Open(t.Context(), path, cfg)
		require.NoError(t, err)
		require.NoError(t, get(s, token(1).Identifier))
		require.NoError(t, s.Close())
		require.Equal(t, before, schema(t, db))
	}
}

// A step that has been released never changes: whoever has taken it would have
// another schema than the rest.
func TestReleasedMigrations(t *testing.T) {
	t.Parallel()
	all, err := sqlite.Migrations(sqlite.Config{})
	require.NoError(t, err)
	for i, want := range []string{
		"13a28f08178a72a8697305070a9c1988538e0104a1f7e89a08a7d1e6efc49cc5",
		"7d8eb2154d7ea2aca1cd03aa69190904d4cd7443a708e510c355cf1ffcaabdac",
	} {
		require.Equal(t, want, fmt.Sprintf("%x", sha256.Sum256([]byte(all[i].SQL))))
	}
}

// A database of an earlier release, with tokens in it, is brought up to date where it is,
// whoever does that.
func TestMigrateFromAnEarlierRelease(t *testing.T) {
	t.Parallel()
	t.Run("users are numbers", func(t *testing.T) {
		t.Parallel()
		migrateFrom(t, 1)
	})
	t.Run("keys may do anything", func(t *testing.T) {
		t.Parallel()
		migrateFrom(t, 2)
	})
}

func migrateFrom(t *testing.T, version int) {
	released := func(t *testing.T) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "tokens.db")
		all, err := sqlite.Migrations(sqlite.Config{})
		require.NoError(t, err)
		db := handleTo(t, path, wal)
		for _, m := range all[:version] {
			db.MustExec(m.SQL)
		}
		const insertSQL = `INSERT INTO authtoken_tokens
			(pk, identifier, intent, user, description, managed, expires, expiring, digest, sealed, retired, retired_until,
				created, last_used, last_used_from, version)
			VALUES (?, ?, ?, ?, ?, ?, ?, TRUE, ?, ?, ?, ?, ?, ?, ?, ?)`
		for i, user := range numbered {
			r := rotated(i)
			owner := any(user)
			if version > 1 {
				owner = r.User
			}
			db.MustExec(insertSQL, r.PK[:], r.Identifier, r.Intent, owner, r.Description, r.Managed, r.Expires.UnixMicro(), r.Digest[:], r.Sealed,
				r.Retired[:], r.RetiredUntil.UnixMicro(), r.Created.UnixMicro(), r.LastUsed.UnixMicro(), r.LastUsedFrom, r.Version)
		}
		return path
	}
	fresh := handleTo(t, filepath.Join(t.TempDir(), "fresh.db"), wal)
	require.NoError(t, sqlite.Migrate(t.Context(), fresh.DB, sqlite.Config{}))
	migrated := schema(t, fresh)
	for name, open := range map[string]func(t *testing.T, path string) *sqlite.Store{
		"Open": func(t *testing.T, path string) *sqlite.Store {
			s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		},
		"Migrate": func(t *testing.T, path string) *sqlite.Store {
			db := handleTo(t, path, wal)
			_, err := sqlite.New(t.Context(), db.DB, sqlite.Config{})
			require.ErrorContains(t, err, fmt.Sprintf("the tables authtoken_* lack migrations (%d): call Migrate first", 3-version))
			return onHandle(t, db, sqlite.Config{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := released(t)
			s := open(t, path)
			require.NoError(t, s.Ping(t.Context()))
			for i := range numbered {
				want := rotated(i)
				got, err := s.GetByDigest(t.Context(), want.Retired)
				require.NoError(t, err)
				want.Scopes, want.Networks, want.State = "*", "*", store.StateActive
				require.Equal(t, want, got)

				got.Earlier = []store.EarlierKey{{Digest: got.Retired, Until: got.RetiredUntil}}
				got.Retired = token(2000 + i).Digest
				require.NoError(t, s.Update(t.Context(), got))
				got.Version++
				again, err := s.GetByDigest(t.Context(), want.Retired)
				require.NoError(t, err)
				require.Equal(t, got, again)
			}
			next := rotated(len(numbered) - 1) // another of user 7
			next.PK, next.Identifier, next.Digest, next.Managed = token(500).PK, "next", token(500).Digest, ""
			require.ErrorIs(t, s.Create(t.Context(), next, 2), store.ErrLimit)
			require.NoError(t, s.Create(t.Context(), next, 3))
			byUser, err := s.List(t.Context(), store.Query{Order: []store.Order{{Field: store.FieldUser}}})
			require.NoError(t, err)
			var users []string
			for _, r := range byUser {
				users = append(users, r.User)
			}
			require.Equal(t, []string{"0", "7", "7", "7", "9", "-1", "10", "9007199254740993", "9223372036854775807", "-9223372036854775808"}, users)
			require.Equal(t, migrated, schema(t, handleTo(t, path, "")))
		})
	}
}

// numbered are users as the first release kept them.
var numbered = []int64{0, 9, 10, -1, 1<<53 + 1, math.MaxInt64, math.MinInt64, 7, 7}

// rotated is a token of the ith of them, with everything that the first release had.
func rotated(i int) store.Record {
	r := fixed(i)
	r.User, r.Version, r.Managed = strconv.FormatInt(numbered[i], 10), int64(i)+1, fmt.Sprint("managed-", i)
	r.Sealed, r.LastUsed, r.LastUsedFrom = []byte{1, byte(i)}, r.Created.AddDate(0, 0, 1), "192.0.2.1"
	r.Retired, r.RetiredUntil = token(1000+i).Digest, r.Created.AddDate(0, 1, 0)
	return r
}

const migrators = 8

// migrate migrates from several goroutines, and says what comes of it.
func migrate(path string, report func(string)) {
	together(migrators, func(int) {
		db, err := sqlx.Open("sqlite", path) // without a busy_timeout
		if err == nil {
			err = sqlite.Migrate(context.Background(), db.DB, sqlite.Config{})
			defer db.Close()
		}
		if err != nil {
			report(err.Error())
			return
		}
		report("migrated")
	})
}

func TestTwoProcessesMigrate(t *testing.T) {
	t.Parallel()
	for range 5 {
		path := filepath.Join(t.TempDir(), "new.db")
		for _, counts := range play(t, "migrate", path) {
			require.Equal(t, map[string]int{"migrated": migrators}, counts)
		}
		s, err := sqlite.New(t.Context(), handleTo(t, path, "").DB, sqlite.Config{})
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
}

func TestTablePrefix(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	longest := strings.Repeat("a", 40)
	prefixes := []string{"", "a_", "a_tokens_", "_", "x1", longest}
	stores := make([]*sqlite.Store, len(prefixes))
	for i, prefix := range prefixes {
		cfg := sqlite.Config{TablePrefix: prefix}
		if i%2 == 0 {
			s, err := sqlite.Open(t.Context(), path, cfg)
			require.NoError(t, err)
			defer s.Close()
			stores[i] = s
		} else {
			stores[i] = onHandle(t, handleTo(t, path, wal), cfg)
		}
	}
	for i, s := range stores { // all different, and all the same to whoever is unique
		r := token(1)
		r.User = fmt.Sprint("user-", i)
		r.Earlier = []store.EarlierKey{{Digest: token(2).Digest, Until: token(2).Created}}
		require.NoError(t, s.Create(t.Context(), r, 0))
		require.ErrorIs(t, s.Create(t.Context(), r, 0), store.ErrTaken)
	}
	for i, s := range stores {
		got, err := s.List(t.Context(), store.Query{})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, fmt.Sprint("user-", i), got[0].User)
		byDigest, err := s.GetByDigest(t.Context(), token(1).Digest)
		require.NoError(t, err)
		require.Equal(t, got[0], byDigest)
		byDigest, err = s.GetByDigest(t.Context(), token(2).Digest)
		require.NoError(t, err)
		require.Equal(t, got[0], byDigest)
		purged, err := s.Purge(t.Context(), store.Query{})
		require.NoError(t, err)
		require.Equal(t, got, purged)
	}
	var others int
	const othersSQL = `SELECT count(*) FROM sqlite_schema
		WHERE name NOT LIKE 'sqlite_autoindex%' AND tbl_name NOT LIKE '%tokens' AND tbl_name NOT LIKE '%migrations'
			AND tbl_name NOT LIKE '%earlier_keys'`
	require.NoError(t, handleTo(t, path, "").Get(&others, othersSQL))
	require.Zero(t, others)
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"A_", "1_", "a-", "a b", "é", `"`, "a;b", "sqlite_", "sqlite_x", strings.Repeat("a", 41), " ", "a\x00"} {
		cfg := sqlite.Config{TablePrefix: prefix, BusyTimeout: -1}
		path := filepath.Join(t.TempDir(), "tokens.db")
		_, openErr := sqlite.Open(t.Context(), path, cfg)
		_, newErr := sqlite.New(t.Context(), handleInMemory(t).DB, cfg)
		_, migrationsErr := sqlite.Migrations(cfg)
		for _, err := range []error{openErr, newErr, migrationsErr, sqlite.Migrate(t.Context(), handleInMemory(t).DB, cfg)} {
			require.ErrorContains(t, err, "TablePrefix: ", prefix)
			require.ErrorContains(t, err, "BusyTimeout: ", prefix)
		}
		_, err := os.Stat(path)
		require.ErrorIs(t, err, os.ErrNotExist)
	}

	_, err := sqlite.New(t.Context(), nil, sqlite.Config{Synchronous: sqlite.Normal, MaxWaiting: -1})
	require.ErrorContains(t, err, "db is nil")
	require.ErrorContains(t, err, "Synchronous: ")
	require.ErrorContains(t, err, "MaxWaiting: ")
}
