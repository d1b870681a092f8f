package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
)

// recorder keeps the statements that a store sends.
type recorder struct {
	mu   sync.Mutex
	sent []pgx.TraceQueryStartData
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, data)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Which index a query uses is a matter of wording, and of what PostgreSQL's next
// release makes of it.
func TestQueriesUseTheirIndex(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	cfg, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	sent := &recorder{}
	cfg.ConnConfig.Tracer = sent
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, postgres.Migrate(t.Context(), pool, postgres.Config{}))
	s, err := postgres.New(t.Context(), pool, postgres.Config{})
	require.NoError(t, err)
	explaining := newPool(t, dsn)
	_, err = explaining.Exec(t.Context(), `INSERT INTO authtoken_tokens
		SELECT gen_random_uuid(), 'token-' || md5(n::text), 'api', (n % 500)::text, '', CASE WHEN n % 50 = 0 THEN 'managed-' || n END,
			now() + n * interval '1 hour', n % 2 = 0, sha256(n::text::bytea), NULL,
			CASE WHEN n % 50 = 0 THEN sha256(('r' || n)::bytea) END, NULL, now(), NULL, '', 1, NULL, NULL, '*', '*', 1, NULL, NULL
		FROM generate_series(1, 20000) AS n`)
	require.NoError(t, err)
	_, err = explaining.Exec(t.Context(), "ANALYZE authtoken_tokens")
	require.NoError(t, err)

	after := &store.Record{Identifier: "token-8", User: "3"}
	by := func(f store.Field, desc bool) []store.Order { return []store.Order{{Field: f, Desc: desc}} }
	list := func(q store.Query) func() error {
		return func() error { _, err := s.List(t.Context(), q); return err }
	}
	soon := time.Now().Add(48 * time.Hour)
	const (
		scan         = "Index Scan using authtoken_tokens_"
		back         = "Index Scan Backward using authtoken_tokens_"
		byIdentifier = `Index Cond: (identifier `
		byUser       = `Index Cond: ("user" = '7'::text)`
	)
	for name, c := range map[string]struct {
		call func() error
		want []string
	}{
		"everything":               {list(store.Query{Limit: 20}), []string{scan + "identifier"}},
		"everything, next page":    {list(store.Query{After: after, Limit: 20}), []string{scan + "identifier", byIdentifier + ">="}},
		"everything, from the end": {list(store.Query{Order: by(store.FieldIdentifier, true), After: after, Limit: 20}), []string{back + "identifier", byIdentifier + "<="}},
		"an identifier":            {list(store.Query{Identifier: "a"}), []string{scan + "identifier", byIdentifier + "="}},
		"a managed":                {list(store.Query{Managed: "managed-50"}), []string{scan + "managed", "Index Cond: (sha256("}},
		"a user's":                 {list(store.Query{Users: []string{"7"}, Limit: 20}), []string{scan + "user", byUser}},
		"a search in a user's":     {list(store.Query{Users: []string{"7"}, Words: []store.Word{{Text: "é"}}, Limit: 20}), []string{"authtoken_tokens_user", byUser}},
		"a user's, next page":      {list(store.Query{Users: []string{"7"}, After: after, Limit: 20}), []string{"authtoken_tokens_user", `AND (identifier >= 'token-8'::text)`}},
		"expired":                  {list(store.Query{ExpiryBefore: soon, Order: by(store.FieldExpires, false), Limit: 20}), []string{scan + "expires", "Index Cond: (expires < "}},
		"about to expire":          {list(store.Query{ExpiryFrom: time.Now(), ExpiryBefore: soon, Order: by(store.FieldExpires, false)}), []string{"authtoken_tokens_expires", "Index Cond: ((expires >= "}},
		"to be swept": {func() error {
			_, err := s.Purge(t.Context(), store.Query{ExpiryBefore: soon.Add(-96 * time.Hour), Order: by(store.FieldExpires, false), Limit: 20})
			return err
		}, []string{scan + "expires", "Index Cond: (expires < ", scan + "pkey"}},
		"by identifier": {func() error { _, err := s.Get(t.Context(), "a"); return err }, []string{scan + "identifier"}},
		"by digest": {func() error { _, err := s.GetByDigest(t.Context(), store.Digest{1}); return err },
			[]string{scan + "digest", scan + "digest", scan + "retired", "authtoken_earlier_keys_pkey", scan + "pkey"}},
		"within a limit": {func() error {
			if err := s.Create(t.Context(), token(1), 1); !errors.Is(err, store.ErrLimit) {
				return err
			}
			return nil
		}, []string{"authtoken_tokens_user", byUser}},
		"last used": {func() error {
			return s.Touch(t.Context(), []store.Use{{PK: store.PK{1}, At: soon}, {PK: store.PK{2}, At: soon}})
		}, []string{"authtoken_tokens_pkey", scan + "pkey"}},
	} {
		t.Run(name, func(t *testing.T) {
			sent.sent = nil
			if err := c.call(); err != nil {
				require.ErrorIs(t, err, store.ErrNotFound)
			}
			var plan strings.Builder
			for _, data := range sent.sent {
				if slices.Contains([]string{"begin", "commit", "rollback"}, data.SQL) {
					continue
				}
				rows, err := explaining.Query(t.Context(), "EXPLAIN "+data.SQL, data.Args...)
				require.NoError(t, err)
				lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
				require.NoError(t, err)
				plan.WriteString(strings.Join(lines, "\n") + "\n")
			}
			rest := plan.String()
			for _, want := range c.want {
				_, after, found := strings.Cut(rest, want)
				require.True(t, found, "%s\nis not in, or not after the others,\n%s", want, &plan)
				rest = after
			}
			require.NotContains(t, plan.String(), "Seq Scan")
		})
	}
}

// Every letter, whatever its case in the word and the text, is found in SQL if
// and only if it is in Go.
func TestSearchAsTheContractSays(t *testing.T) {
	t.Parallel()
	s := open(t, server.DSN(t), postgres.Config{})
	r := token(1)
	require.NoError(t, s.Create(t.Context(), r, 0))
	for special := rune(1); special <= unicode.MaxRune; special++ {
		if special >= 0x100 && (unicode.SimpleFold(special) == special || special%32 != 0) {
			continue
		}
		for v := unicode.SimpleFold(special); ; v = unicode.SimpleFold(v) {
			r.Description = "x" + string(v) + "y"
			require.NoError(t, s.Update(t.Context(), r))
			r.Version++
			q := store.Query{Words: []store.Word{{Text: string(special) + "Y"}}}
			got, err := s.Count(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, q.Match(&r), got == 1, "%q in %q", q.Words[0].Text, r.Description)
			if v == special {
				break
			}
		}
	}
}
