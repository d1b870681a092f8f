package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

// Which index a query uses is a matter of wording, and of what SQLite's next
// release makes of it.
func TestQueriesUseTheirIndex(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), Config{})
	require.NoError(t, err)
	defer s.Close()

	after := &store.Record{Identifier: "m", User: "3"}
	by := func(f store.Field, desc bool) []store.Order { return []store.Order{{Field: f, Desc: desc}} }
	word := []store.Word{{Text: "é", Users: []string{"1", "2"}}}
	const (
		identifier   = "USING INDEX authtoken_tokens_identifier"
		byIdentifier = "SEARCH authtoken_tokens " + identifier
		byUser       = "SEARCH authtoken_tokens USING INDEX authtoken_tokens_user (user=?"
		byExpiry     = "SEARCH authtoken_tokens USING INDEX authtoken_tokens_expires (expiring=? AND expires"
	)
	for name, c := range map[string]struct {
		q    store.Query
		want string
	}{
		"everything":               {store.Query{Limit: 20}, "SCAN authtoken_tokens " + identifier},
		"everything, next page":    {store.Query{After: after, Limit: 20}, byIdentifier + " (identifier>?)"},
		"everything, from the end": {store.Query{Order: by(store.FieldIdentifier, true), After: after}, byIdentifier + " (identifier<?)"},
		"an identifier":            {store.Query{Identifier: "a"}, byIdentifier + " (identifier=?)"},
		"a managed":                {store.Query{Managed: "a"}, "USING INDEX authtoken_tokens_managed (managed=?)"},
		"a search in a user's":     {store.Query{Users: []string{"7"}, Words: word, Limit: 20}, byUser + ")"},
		"a user's, with intent":    {store.Query{Users: []string{"7"}, Intents: []string{"api", "recovery"}, Limit: 20}, byUser + ")"},
		"a user's, next page":      {store.Query{Users: []string{"7"}, After: after, Limit: 20}, byUser + " AND identifier>?)"},
		"a user's, from the end":   {store.Query{Users: []string{"7"}, Order: by(store.FieldIdentifier, true), After: after}, byUser + " AND identifier<?)"},
		"expired":                  {store.Query{ExpiryBefore: time.Now(), Order: by(store.FieldExpires, false), Limit: 20}, byExpiry + "<?)"},
		"expired, next page":       {store.Query{ExpiryBefore: time.Now(), Order: by(store.FieldExpires, false), After: &store.Record{Expires: time.Now()}}, byExpiry + ">? AND expires<?)"},
		"expired, latest first":    {store.Query{ExpiryBefore: time.Now(), Order: by(store.FieldExpires, true), Limit: 20}, byExpiry + "<?)"},
		"about to expire":          {store.Query{Expiring: new(true), ExpiryFrom: time.Now(), ExpiryBefore: time.Now(), Order: by(store.FieldExpires, false), Limit: 20}, byExpiry + ">? AND expires<?)"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := explain(t, s, &c.q)
			require.Contains(t, plan, c.want)
			// Ties are, if the index doesn't say which comes first.
			require.NotContains(t, plan, "TEMP B-TREE FOR ORDER BY", "sorted, though the index is")
		})
	}
	t.Run("a search", func(t *testing.T) {
		plan := explain(t, s, &store.Query{Words: word, After: after, Limit: 20})
		require.Contains(t, plan, "SCAN authtoken_tokens\n")
		require.Contains(t, plan, "USE TEMP B-TREE FOR ORDER BY")
	})
	t.Run("that expire at a time", func(t *testing.T) {
		require.Contains(t, explain(t, s, &store.Query{Expires: time.Now()}), byExpiry+"=?)")
	})
	t.Run("how many", func(t *testing.T) {
		plan := explainSQL(t, s, "SELECT count(*) FROM authtoken_tokens")
		require.Contains(t, plan, "SCAN authtoken_tokens USING COVERING INDEX authtoken_tokens_expires")
	})
	t.Run("how many of a user's", func(t *testing.T) {
		plan := explainSQL(t, s, insertWithinSQL, append(insertArgs(&store.Record{}), 7, 5, 5)...)
		require.Contains(t, plan, "SEARCH authtoken_tokens USING COVERING INDEX authtoken_tokens_user (user=?)")
	})
	t.Run("earlier keys", func(t *testing.T) {
		require.Contains(t, explainSQL(t, s, earlierSQL, []byte{1}), "USING COVERING INDEX authtoken_earlier_keys_pk (pk=?)")
		require.Contains(t, explainSQL(t, s, deleteEarlierSQL, []byte{1}, []byte{1}), "USING PRIMARY KEY (digest=? AND pk=?)")
	})
	t.Run("by digest", func(t *testing.T) {
		require.Contains(t, explainSQL(t, s, byDigestSQL, []byte{1}), "USING INDEX authtoken_tokens_digest (digest=?)")
		plan := explainSQL(t, s, byEitherSQL, []byte{1})
		require.Contains(t, plan, "USING INDEX authtoken_tokens_digest (digest=?)")
		require.Contains(t, plan, "USING INDEX authtoken_tokens_retired (retired=?)")
		require.Contains(t, plan, "SEARCH k USING PRIMARY KEY (digest=?)")
		require.NotContains(t, plan, "SCAN t")
	})
}

func explain(t *testing.T, s *Store, q *store.Query) string {
	t.Helper()
	var st statement
	st.add("SELECT " + columns + " FROM authtoken_tokens")
	st.filter(q)
	st.page(q)
	return explainSQL(t, s, st.sql.String(), st.args...)
}

func explainSQL(t *testing.T, s *Store, sql string, args ...any) string {
	t.Helper()
	rows, err := s.reader.lists.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+sql, args...)
	require.NoError(t, err)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	return strings.Join(plan, "\n")
}
