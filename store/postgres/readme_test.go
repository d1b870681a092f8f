package postgres_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/sqlite"
)

// The Go of the README that is about this package is here, as a test in the root
// module makes sure of.
func TestReadme(t *testing.T) {
	t.Parallel()
	ctx, dsn := t.Context(), server.DSN(t)
	from, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), sqlite.Config{})
	require.NoError(t, err)
	defer from.Close()
	svc, err := authtoken.New(from, authtoken.Config{})
	require.NoError(t, err)
	_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "deploy", User: "7"})
	require.NoError(t, err)

	st, err := postgres.Open(ctx, dsn, postgres.Config{}) // dsn is like postgres://app@db.example.com/app
	require.NoError(t, err)
	defer st.Close()

	stats, err := store.Copy(ctx, st, from, nil)
	require.NoError(t, err)
	require.Equal(t, store.CopyStats{Total: 1, Created: 1}, stats)

	svc, err = authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	_, err = svc.Authenticate(ctx, key.Reveal())
	require.NoError(t, err)
}

// Whatever a record has in it, it comes back from SQLite as it was.
func TestCopyToSQLiteAndBack(t *testing.T) {
	t.Parallel()
	first := open(t, server.DSN(t), postgres.Config{})
	var want []store.Record
	for n := range 300 {
		r := token(n)
		switch n % 4 {
		case 1:
			r = touched(at(r, 1<<40))
		case 2:
			r.Managed, r.Description = "managed \\ \U0010ffff "+r.Identifier, "É\n"
		case 3:
			r.Retired, r.RetiredUntil, r.Sealed = r.Digest, r.Expires, []byte{0, 1}
			r.Expires, r.Expiring = r.Expires.AddDate(9000, 0, 0), false
			r.Retired[5] = 1
		}
		require.NoError(t, first.Create(t.Context(), r, 0))
		want = append(want, r)
	}
	through, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), sqlite.Config{})
	require.NoError(t, err)
	defer through.Close()
	second := open(t, server.DSN(t), postgres.Config{})
	for _, c := range [][]store.Store{{through, first}, {second, through}} {
		for _, copied := range []store.CopyStats{{Total: len(want), Created: len(want)}, {Total: len(want), Kept: len(want)}} {
			stats, err := store.Copy(t.Context(), c[0], c[1], nil)
			require.NoError(t, err)
			require.Equal(t, copied, stats)
		}
	}
	holds(t, second, slices.Clone(want)...)
}
