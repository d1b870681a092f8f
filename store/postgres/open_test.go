package postgres_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
)

func TestConfigFaultsComeTogether(t *testing.T) {
	t.Parallel()
	cfg := postgres.Config{TablePrefix: "a-b", RetryFor: -1}
	_, err := postgres.New(t.Context(), nil, cfg)
	require.EqualError(t, err, `postgres: new store: pool is nil
TablePrefix: "a-b" is not 1 to 40 letters from a to z, digits and underscores, the first no digit
RetryFor: -1ns is negative`)
	require.ErrorContains(t, postgres.Migrate(t.Context(), nil, cfg), "pool is nil\nTablePrefix: ")
	_, err = postgres.Migrations(cfg)
	require.ErrorContains(t, err, "postgres: migrations: TablePrefix: ")
	for _, bad := range []string{"A", "é", "1a", "a b", `a"`, "a;", strings.Repeat("a", 41)} {
		_, err := postgres.Migrations(postgres.Config{TablePrefix: bad})
		require.Error(t, err, bad)
	}
	for _, good := range []string{"a", "_", "a1_", strings.Repeat("a", 40)} {
		_, err := postgres.Migrations(postgres.Config{TablePrefix: good})
		require.NoError(t, err, good)
	}
}

// What is wrong with a DSN is said without the password in it.
func TestOpenKeepsThePassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://app:hunter2@localhost:notaport/db",
		"postgres://app:hunter2@localhost:1/db?connect_timeout=1",
		"host=/nowhere password=hunter2",
		"host=/nowhere password=hunter2 sslmode=whatever",
		"postgres://app:hunter2@localhost:1/db?pool_max_conns=none",
	} {
		_, err := postgres.Open(t.Context(), dsn, postgres.Config{})
		require.ErrorContains(t, err, "postgres: open: ")
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// A DSN that can't be parsed may have its password anywhere. What pgx says of it
// quotes the DSN or a piece of it.
func TestOpenDoesNotQuoteTheDSN(t *testing.T) {
	t.Parallel()
	for dsn, reason := range map[string]string{
		"hunter2":                                       "failed to parse as keyword/value",
		"  hunter2":                                     "failed to parse as keyword/value",
		"host=/nowhere password=a hunter2":              "failed to parse as keyword/value",
		"host=/nowhere password='hunter2":               "failed to parse as keyword/value",
		"app:hunter2@localhost/db":                      "failed to parse as keyword/value",
		"app:hunter2@localhost:1 port=none":             "failed to parse as keyword/value",
		"postgres://app:a/hunter2@localhost/db":         "invalid port",
		"postgres://app:%hunter2@localhost/db":          "failed to parse as URL",
		"postgres://localhost:hunter2/db":               "invalid port",
		"host=/nowhere port=hunter2":                    "invalid port",
		"host=localhost sslmode=hunter2":                "failed to configure TLS",
		"host=/nowhere connect_timeout=hunter2":         "invalid connect_timeout",
		"host=/nowhere target_session_attrs=hunter2":    "unknown target_session_attrs value",
		"host=/nowhere min_protocol_version=hunter2":    "invalid min_protocol_version",
		"host=/nowhere pool_max_conns=hunter2":          "cannot parse pool_max_conns",
		"host=/nowhere default_query_exec_mode=hunter2": "invalid default_query_exec_mode",
		"hunter2\x00":                                   "",
	} {
		_, err := postgres.Open(t.Context(), dsn, postgres.Config{})
		t.Log(err)
		require.ErrorContains(t, err, "postgres: open: the DSN can't be used: "+reason, dsn)
		for ; err != nil; err = errors.Unwrap(err) {
			require.NotContains(t, fmt.Sprintf("%v %+v", err, err), "hunter2", dsn)
		}
	}
}

// What looks like a setting is one to pgx, and goes to the server, which quotes the
// name of one that it does not know.
func TestServerDoesNotQuoteTheDSN(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	for _, name := range []string{"hunter2", "app:hunter2@localhost/db?sslmode", "app:hunter2@db.example.com/db?sslmode"} {
		_, err := postgres.Open(t.Context(), pgtest.With(dsn, name, "disable"), postgres.Config{})
		t.Log(err)
		require.ErrorContains(t, err, "postgres: open: the DSN can't be used: ")
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// Any number of processes may start at once with a database that is empty.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), dsn, postgres.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Create(t.Context(), token(n), 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n, err := open(t, dsn, postgres.Config{}).Count(t.Context(), store.Query{})
	require.NoError(t, err)
	require.Equal(t, 8, n)
}

func TestSchemaVersions(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	pool := newPool(t, dsn)
	_, err := postgres.New(t.Context(), pool, postgres.Config{})
	require.EqualError(t, err, "postgres: new store: the tables authtoken_* lack migrations (3): call Migrate first")

	// A tool of the application's own makes them as well.
	steps, err := postgres.Migrations(postgres.Config{})
	require.NoError(t, err)
	require.Len(t, steps, 3)
	require.Equal(t, store.Migration{Version: 1, Name: "tokens", SQL: steps[0].SQL}, steps[0])
	require.Equal(t, store.Migration{Version: 2, Name: "user_ids_and_earlier_keys", SQL: steps[1].SQL}, steps[1])
	require.Equal(t, store.Migration{Version: 3, Name: "what_keys_are_good_for", SQL: steps[2].SQL}, steps[2])
	for _, step := range steps {
		pgtest.Exec(t, dsn, step.SQL)
	}
	s, err := postgres.New(t.Context(), pool, postgres.Config{})
	require.NoError(t, err)
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	require.NoError(t, s.Ping(t.Context()))
	require.NoError(t, postgres.Migrate(t.Context(), pool, postgres.Config{}), "does nothing")
	holds(t, s, token(1))

	pgtest.Exec(t, dsn, "INSERT INTO authtoken_migrations VALUES (4)")
	const newer = "its schema has version 4, made by a newer release; this one knows versions up to 3"
	_, err = postgres.Open(t.Context(), dsn, postgres.Config{})
	require.EqualError(t, err, "postgres: open: "+newer)
	_, err = postgres.New(t.Context(), pool, postgres.Config{})
	require.EqualError(t, err, "postgres: new store: "+newer)
	require.EqualError(t, postgres.Migrate(t.Context(), pool, postgres.Config{}), "postgres: migrate: "+newer)
	require.EqualError(t, s.Ping(t.Context()), "postgres: ping: "+newer)

	pgtest.Exec(t, dsn, "DROP TABLE authtoken_tokens, authtoken_earlier_keys, authtoken_owners, authtoken_migrations")
	for _, limit := range []int{0, 9} {
		require.ErrorContains(t, s.Create(t.Context(), token(2), limit), "postgres: create token: the tables are not there; Migrate makes them: ")
	}
	require.ErrorContains(t, s.Ping(t.Context()), "call Migrate first")
}

// A step that has been released never changes: whoever has taken it would have
// another schema than the rest.
func TestReleasedMigrations(t *testing.T) {
	t.Parallel()
	steps, err := postgres.Migrations(postgres.Config{})
	require.NoError(t, err)
	require.Equal(t, "779a9db97afe74b662c622d02b9d60e28f48dde51283e3bd9eba10be40def945",
		fmt.Sprintf("%x", sha256.Sum256([]byte(steps[0].SQL))))
}

// A database of an earlier release, with tokens in it, is brought up to date where it
// is.
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
	dsn := server.DSN(t)
	steps, err := postgres.Migrations(postgres.Config{})
	require.NoError(t, err)
	for _, m := range steps[:version] {
		pgtest.Exec(t, dsn, m.SQL)
	}
	pool := newPool(t, dsn)
	const insertSQL = `INSERT INTO authtoken_tokens
		(pk, identifier, intent, "user", description, expires, expiring, digest, retired, retired_until, created, last_used_from, version)
		VALUES ($1, $2, 'api', $3, '', $4, TRUE, $5, $6, $7, $8, '', 1)`
	users := []int64{0, 9, 10, -1, 1<<53 + 1, math.MaxInt64, math.MinInt64, 7, 7}
	released := func(n int) store.Record {
		r := token(n)
		r.User = strconv.FormatInt(users[n], 10)
		r.Retired, r.RetiredUntil = store.Digest{0: 9, 31: byte(n)}, r.Created.AddDate(0, 1, 0)
		return r
	}
	for n, user := range users {
		r := released(n)
		owner := any(user)
		if version > 1 {
			owner = r.User
		}
		_, err := pool.Exec(t.Context(), insertSQL, r.PK, r.Identifier, owner, r.Expires, r.Digest[:], r.Retired[:], r.RetiredUntil, r.Created)
		require.NoError(t, err)
	}
	_, err = postgres.New(t.Context(), pool, postgres.Config{})
	require.ErrorContains(t, err, fmt.Sprintf("the tables authtoken_* lack migrations (%d): call Migrate first", 3-version))
	s := open(t, dsn, postgres.Config{})
	require.NoError(t, s.Ping(t.Context()))
	for n := range users {
		want := released(n)
		want.Scopes, want.Networks, want.State = "*", "*", store.StateActive
		got, err := s.GetByDigest(t.Context(), want.Retired)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, s.Update(t.Context(), rotated(want)))
		got, err = s.GetByDigest(t.Context(), want.Retired)
		require.NoError(t, err)
		require.Equal(t, at(rotated(want), 2), got)
	}
	require.ErrorIs(t, s.Create(t.Context(), token(20), 2), store.ErrLimit)
	require.NoError(t, s.Create(t.Context(), token(20), 3))

	byUser, err := s.List(t.Context(), store.Query{Order: []store.Order{{Field: store.FieldUser}}})
	require.NoError(t, err)
	var sorted []string
	for _, r := range byUser {
		sorted = append(sorted, r.User)
	}
	require.Equal(t, []string{"0", "7", "7", "7", "9", "-1", "10", "9007199254740993", "9223372036854775807", "-9223372036854775808"}, sorted)

	fresh := server.DSN(t)
	open(t, fresh, postgres.Config{})
	require.Equal(t, schema(t, newPool(t, fresh)), schema(t, pool))
}

// schema returns the columns and the indexes that there are.
func schema(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, collation_name, is_nullable, column_default)
			FROM information_schema.columns WHERE table_schema = current_schema()
		UNION SELECT replace(indexdef, current_schema(), '') FROM pg_indexes WHERE schemaname = current_schema()
		UNION SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace ORDER BY 1`)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

// A migration that fails leaves nothing behind.
func TestMigrateAllOrNothing(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	pool := newPool(t, dsn)
	pgtest.Exec(t, dsn, "CREATE TABLE authtoken_tokens_user ()") // a name that an index wants
	require.ErrorContains(t, postgres.Migrate(t.Context(), pool, postgres.Config{}), "postgres: migrate: migration 1: ")
	var n int
	const tables = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
	require.NoError(t, pool.QueryRow(t.Context(), tables).Scan(&n))
	require.Equal(t, 1, n)
	pgtest.Exec(t, dsn, "DROP TABLE authtoken_tokens_user")
	require.NoError(t, postgres.Migrate(t.Context(), pool, postgres.Config{}))
}

func TestTablePrefix(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	longest := open(t, dsn, postgres.Config{TablePrefix: strings.Repeat("x", 40)})
	other := open(t, dsn, postgres.Config{TablePrefix: "other_"})
	usual := open(t, dsn, postgres.Config{})
	for _, s := range []*postgres.Store{longest, other, usual} {
		require.NoError(t, s.Create(t.Context(), token(1), 0))
		taken := token(2)
		taken.Digest = token(1).Digest
		var err *store.TakenError
		require.ErrorAs(t, s.Create(t.Context(), taken, 0), &err, "by an index of a long name too")
		require.Equal(t, store.FieldDigest, err.Field)
	}
	require.NoError(t, other.Delete(t.Context(), token(1).PK, 1))
	holds(t, other)
	holds(t, usual, token(1))
	holds(t, longest, token(1))
	require.NoError(t, other.Ping(t.Context()))
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	dsn, name := server.DSN(t), pgtest.Name()
	pgtest.Exec(t, dsn, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'")
	t.Cleanup(func() { pgtest.Exec(t, dsn, "DROP DATABASE "+name) })
	cfg, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	latin := strings.Replace(dsn, "dbname="+cfg.Database, "dbname="+name, 1)
	if latin == dsn {
		latin = strings.Replace(dsn, "/"+cfg.Database, "/"+name, 1)
	}
	_, err = postgres.Open(t.Context(), latin, postgres.Config{})
	require.EqualError(t, err, "postgres: open: the encoding of the database is LATIN1, but must be UTF8")
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	opened, err := postgres.Open(t.Context(), dsn, postgres.Config{})
	require.NoError(t, err)
	pool := newPool(t, dsn)
	onPool, err := postgres.New(t.Context(), pool, postgres.Config{})
	require.NoError(t, err)
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	inTx := onPool.WithTx(tx)
	for _, s := range []*postgres.Store{opened, onPool} {
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Ping(t.Context()), postgres.ErrClosed)
	}
	for _, s := range []store.Store{opened, onPool, inTx} {
		ctx := t.Context()
		require.ErrorIs(t, s.Create(ctx, token(1), 0), postgres.ErrClosed)
		_, err := s.Get(ctx, "x")
		require.ErrorIs(t, err, postgres.ErrClosed)
		_, err = s.GetByDigest(ctx, store.Digest{1})
		require.ErrorIs(t, err, postgres.ErrClosed)
		require.ErrorIs(t, s.Update(ctx, token(1)), postgres.ErrClosed)
		require.ErrorIs(t, s.Delete(ctx, token(1).PK, 1), postgres.ErrClosed)
		_, err = s.List(ctx, store.Query{})
		require.ErrorIs(t, err, postgres.ErrClosed)
		_, err = s.Count(ctx, store.Query{})
		require.ErrorIs(t, err, postgres.ErrClosed)
		_, err = s.Purge(ctx, store.Query{})
		require.ErrorIs(t, err, postgres.ErrClosed)
		require.ErrorIs(t, s.Touch(ctx, nil), postgres.ErrClosed)
	}
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, pool.Ping(t.Context()), "the application's pool is still open")
}

// Not parallel, as it counts goroutines.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	dsn := server.DSN(t)
	before := runtime.NumGoroutine()
	s, err := postgres.Open(t.Context(), dsn, postgres.Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			_ = s.Create(ctx, token(i), 0)
			_, _ = s.List(ctx, store.Query{})
			if i == 20 {
				cancel()
			}
		})
	}
	wg.Wait()
	cancel()
	require.NoError(t, s.Close())
	// pgx has told its goroutines to end, but doesn't wait for all of them.
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
