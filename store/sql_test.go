package store_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

func TestTablePrefix(t *testing.T) {
	t.Parallel()
	for p, want := range map[store.TablePrefix]bool{
		store.DefaultTablePrefix: true,
		"a":                      true,
		"_":                      true,
		"tokens_2":               true,
		store.TablePrefix(strings.Repeat("a", 40)): true,
		store.TablePrefix(strings.Repeat("a", 41)): false,
		"":        false,
		"2a":      false,
		"A":       false,
		"a-b":     false,
		"a b":     false,
		"ä":       false,
		"a;--":    false,
		"sqlite_": false,
	} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, p.Check() == nil)
		})
	}
	require.Equal(t, "SELECT * FROM app_tokens", store.TablePrefix("app_").In("SELECT * FROM authtoken_tokens"))
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"migrations/0002_more.sql":   {Data: []byte("ALTER TABLE authtoken_tokens;")},
		"migrations/0001_tokens.sql": {Data: []byte("CREATE TABLE authtoken_tokens;")},
		"migrations/README":          {},
	}
	all, err := store.Migrations(files, "app_")
	require.NoError(t, err)
	require.Equal(t, []store.Migration{
		{Version: 1, Name: "tokens", SQL: "CREATE TABLE app_tokens;\nINSERT INTO app_migrations (version) VALUES (1);\n"},
		{Version: 2, Name: "more", SQL: "ALTER TABLE app_tokens;\nINSERT INTO app_migrations (version) VALUES (2);\n"},
	}, all)
	for version, want := range []int{2, 1, 0} {
		steps, err := store.Missing(all, version)
		require.NoError(t, err)
		require.Len(t, steps, want)
	}
	_, err = store.Missing(all, 3)
	require.ErrorContains(t, err, "newer release")
}

func TestLacking(t *testing.T) {
	t.Parallel()
	require.NoError(t, store.TablePrefix("app_").Lacking(nil))
	err := store.TablePrefix("app_").Lacking(make([]store.Migration, 2))
	require.EqualError(t, err, "the tables app_* lack migrations (2): call Migrate first")
}

func TestEarlier(t *testing.T) {
	t.Parallel()
	keys := []store.EarlierKey{
		{Digest: store.Digest{1, 31: 2}, Until: time.UnixMicro(1_700_000_000_000_001).UTC()},
		{Digest: store.Digest{3}, Until: time.UnixMicro(-1).UTC()},
		{}, // the zero time
	}
	b := store.AppendEarlier([]byte("before"), keys)
	require.Len(t, b, len("before")+3*40)
	b = b[len("before"):]
	// Databases hold this form.
	require.Equal(t, append(append([]byte{1}, make([]byte, 30)...), 2, 0, 0x06, 0x0a, 0x24, 0x18, 0x1e, 0x40, 0x01), b[:40])
	got, err := store.ParseEarlier(b)
	require.NoError(t, err)
	require.Equal(t, keys, got)

	require.Nil(t, store.AppendEarlier(nil, nil))
	for _, none := range [][]byte{nil, {}} {
		got, err := store.ParseEarlier(none)
		require.NoError(t, err)
		require.Nil(t, got)
	}
	_, err = store.ParseEarlier(b[:79])
	require.EqualError(t, err, "79 bytes instead of keys of 40 each")
}

// TestSearch compares a Search with Query.Select.
func TestSearch(t *testing.T) {
	t.Parallel()
	records := contents(t, filled(t, 30)) // by identifier
	for _, words := range [][]store.Word{nil, {{Text: "N-2"}}, {{Text: "nowhere"}}} {
		for _, offset := range []int{math.MinInt, -1, 0, 1, 5, 40, math.MaxInt} {
			for _, limit := range []int{math.MinInt, -1, 0, 1, 7, 40, math.MaxInt} {
				q := store.Query{Users: []string{"user-1", "user-2", "user-3"}, Words: words, Offset: offset, Limit: limit}
				want, err := q.Select(t.Context(), slices.Clone(records))
				require.NoError(t, err)

				rest, search := q.SearchInGo()
				require.Equal(t, store.Query{Users: q.Users}, rest)
				got := []store.Record{}
				for i := range records {
					selected, more, err := search.Take(t.Context(), &records[i])
					require.NoError(t, err)
					if selected {
						got = append(got, records[i])
					}
					require.Equal(t, limit <= 0 || len(got) < limit, more)
					if !more {
						break
					}
				}
				require.Equal(t, want, got, "%d, %d", offset, limit)
			}
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := store.Query{Words: []store.Word{{Text: "token"}}}
	_, search := q.SearchInGo()
	selected, more, err := search.Take(ctx, &records[0])
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, selected || more)

	search = nil
	selected, more, err = search.Take(ctx, &records[0])
	require.NoError(t, err)
	require.True(t, selected && more)
}

func TestSortedBy(t *testing.T) {
	t.Parallel()
	field := func(f store.Field) store.Order { return store.Order{Field: f} }
	for name, c := range map[string]struct{ order, want []store.Order }{
		"nothing":          {nil, []store.Order{field("identifier"), field("pk")}},
		"one":              {[]store.Order{{Field: "user", Desc: true}}, []store.Order{{Field: "user", Desc: true}, field("pk")}},
		"one twice":        {[]store.Order{field("user"), {Field: "user", Desc: true}}, []store.Order{field("user"), field("pk")}},
		"more than the PK": {[]store.Order{{Field: "pk", Desc: true}, field("user")}, []store.Order{{Field: "pk", Desc: true}}},
		"no such field":    {[]store.Order{field("digest"), field("secret"), field("user")}, []store.Order{field("user"), field("pk")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := store.Query{Order: c.order}
			require.Equal(t, c.want, q.SortedBy())
		})
	}
}

// That Variants finds all of them rests on tables of Unicode, of which there will be new
// versions.
func TestVariants(t *testing.T) {
	t.Parallel()
	folded := make(map[rune][]rune) // for those that don't only equal themselves
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if f := store.Fold(r); f != r {
			folded[f] = append(folded[f], r)
		}
	}
	for f, want := range folded {
		want = append(want, f)
		slices.Sort(want)
		for _, r := range want {
			got := store.Variants(r)
			require.Equal(t, r, got[0])
			slices.Sort(got)
			require.Equal(t, want, got, "%U", r)
		}
	}
}
