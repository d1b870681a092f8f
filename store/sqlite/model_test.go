package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// A translation to SQL has more corners than one would think of, so queries made
// at random are put to the database and to the contract's own implementation.
func TestQueriesMatchTheContract(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	records := randomRecords(rng, 80)
	s := open(t, sqlite.Config{})
	for _, r := range records {
		require.NoError(t, s.Create(t.Context(), r, 0))
	}
	matched := 0
	for range 200 {
		q := randomQuery(rng, records)
		want, err := q.Select(t.Context(), slices.Clone(records))
		require.NoError(t, err)
		got, err := s.List(t.Context(), q)
		require.NoError(t, err, "%+v", q)
		require.Equal(t, identifiers(want), identifiers(got), "%+v\nAfter %+v", q, q.After)
		if len(got) > 0 {
			matched++
		}

		all := q
		all.After, all.Offset, all.Limit = nil, 0, 0
		n, err := s.Count(t.Context(), q)
		require.NoError(t, err)
		want, err = all.Select(t.Context(), slices.Clone(records))
		require.NoError(t, err)
		require.Equal(t, len(want), n, "%+v", q)
	}
	t.Logf("%d queries had results", matched)
}

func TestPurgeMatchesTheContract(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		records := randomRecords(rng, 30)
		s := open(t, sqlite.Config{})
		for _, r := range records {
			require.NoError(t, s.Create(t.Context(), r, 0))
		}
		q := randomQuery(rng, records)
		want, err := q.Select(t.Context(), slices.Clone(records))
		require.NoError(t, err)
		got, err := s.Purge(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, identifiers(want), identifiers(got), "%+v", q)
		left, err := s.List(t.Context(), store.Query{})
		require.NoError(t, err)
		require.Len(t, left, len(records)-len(want))
	}
}

func open(tb testing.TB, cfg sqlite.Config) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), filepath.Join(tb.TempDir(), "tokens.db"), cfg)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func identifiers(records []store.Record) []string {
	names := make([]string, len(records))
	for i := range records {
		names[i] = records[i].Identifier
	}
	return names
}

// Letters that meet when case is put aside, some that don't though they look
// like it, and what means something to LIKE.
var syllables = []string{
	"a", "A", "b", "B", "k", "K", "\u212a", "i", "I", "\u0130", "\u0131",
	"\u00e9", "\u00c9", "e\u0301", "\u00df", "\u1e9e", "\u03c3", "\u03c2", "\u03a3", "\u00e5", "\u00c5", "\u212b",
	"\u01c6", "\u01c5", "\u01c4", "\u03c9", "\u03a9", "\u2126", "\u03b8", "\u03f4", "\u0432", "\u0412", "\u1c80",
	"\u65e5", "\U0001f600", " ", "%", "_", "\\", "*", "'", "\"",
}

func randomText(rng *rand.Rand, n int) string {
	var s string
	for range n {
		s += syllables[rng.IntN(len(syllables))]
	}
	return s
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

func randomTime(rng *rand.Rand) time.Time {
	if rng.IntN(3) == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(rng.IntN(8)) - 4).UTC()
}

func randomRecord(rng *rand.Rand) store.Record {
	var r store.Record
	for i := range r.PK {
		r.PK[i] = byte(rng.Uint32())
	}
	for i := range r.Digest {
		r.Digest[i] = byte(rng.Uint32())
	}
	r.Identifier = fmt.Sprintf("%s%d", randomText(rng, 3), rng.Uint32())
	r.Intent = pick(rng, "api", "app_password", "É")
	r.User = pick(rng, "1", "2", "10", "é", "a", "A", "日", "abc")
	r.Description = randomText(rng, rng.IntN(4))
	if rng.IntN(3) == 0 {
		r.Managed = fmt.Sprintf("m%d", rng.Uint32())
	}
	r.Expires = randomTime(rng)
	r.Expiring = rng.IntN(2) == 0
	if rng.IntN(3) == 0 {
		r.Sealed = []byte{1, 2, 3}
	}
	if rng.IntN(3) == 0 {
		r.Retired[0] = byte(1 + rng.IntN(3))
		r.RetiredUntil = randomTime(rng)
	}
	r.Created = randomTime(rng)
	r.LastUsed = randomTime(rng)
	r.Version = int64(rng.IntN(5))
	return r
}

func randomRecords(rng *rand.Rand, n int) []store.Record {
	records := make([]store.Record, n)
	for i := range records {
		records[i] = randomRecord(rng)
	}
	return records
}

func randomQuery(rng *rand.Rand, records []store.Record) store.Query {
	var q store.Query
	any := &records[rng.IntN(len(records))]
	often := func() bool { return rng.IntN(2) == 0 }
	rarely := func() bool { return rng.IntN(8) == 0 }
	if rarely() {
		q.Identifier = any.Identifier
	}
	if rarely() {
		q.Description = any.Description
	}
	if rarely() {
		q.Managed = any.Managed
	}
	if rarely() {
		q.Users = pick(rng, []string{}, []string{"1"}, []string{"2", "日"}, []string{"é", "10", "10"})
	}
	if rarely() {
		q.Intents = pick(rng, []string{}, []string{"api"}, []string{"É", "api"}, []string{"<", "\u2028"})
	}
	if rarely() {
		q.Expires = randomTime(rng)
	}
	if rarely() {
		q.Expiring = pick(rng, new(true), new(false))
	}
	if rarely() {
		q.ExpiryFrom = randomTime(rng)
	}
	if rarely() {
		q.ExpiryBefore = randomTime(rng)
	}
	for range pick(rng, 0, 0, 0, 0, 1, 1, 2, 2, 101) {
		w := store.Word{Text: randomText(rng, rng.IntN(3))}
		if often() {
			w.Users = pick(rng, []string{}, []string{"1"}, []string{"1", "2", "abc", "é"})
		}
		q.Words = append(q.Words, w)
	}
	fields := []store.Field{
		store.FieldPK, store.FieldIdentifier, store.FieldIntent, store.FieldUser, store.FieldDescription, store.FieldManaged,
		store.FieldExpires, store.FieldExpiring, store.FieldCreated, store.FieldLastUsed,
	}
	for range rng.IntN(4) {
		q.Order = append(q.Order, store.Order{Field: fields[rng.IntN(len(fields))], Desc: often()})
	}
	if often() {
		q.After = any
		if rarely() { // one that isn't there, or is another by now
			r := randomRecord(rng)
			if often() {
				r = *any
				r.PK[0] += byte(1 + rng.IntN(255))
			}
			q.After = &r
		}
	}
	q.Offset = pick(rng, 0, 0, -1, 1, 5)
	q.Limit = pick(rng, 0, -1, 1, 3, 20)
	return q
}
