package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/internal/dearest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return memory.New() })
}

func ExampleNew() {
	ctx := context.Background()
	s := memory.New()

	err := s.Create(ctx, store.Record{PK: store.PK{1}, Identifier: "ci", User: "7", Digest: store.Digest{1}}, 0)
	fmt.Println("created:", err)
	err = s.Create(ctx, store.Record{PK: store.PK{2}, Identifier: "ci", User: "8", Digest: store.Digest{2}}, 0)
	fmt.Println("again:", err, errors.Is(err, store.ErrTaken))

	r, err := s.GetByDigest(ctx, store.Digest{1})
	fmt.Println("found:", r.Identifier, r.User, err)
	// Output:
	// created: <nil>
	// again: identifier taken by another token true
	// found: ci 7 <nil>
}

// TestManyRecords compares a store large enough for every index to have many
// chunks, and for reads to let go of the lock, with the rules themselves.
func TestManyRecords(t *testing.T) {
	t.Parallel()
	const size = 5000
	rng := rand.New(rand.NewPCG(11, 12))
	s := memory.New()
	records := make([]store.Record, size)
	for i, n := range rng.Perm(size) {
		r := token(n)
		r.User = owners[rng.IntN(len(owners))]
		r.Intent = []string{"api", "recovery"}[n%2]
		r.Expiring = rng.IntN(3) > 0
		r.Expires = start.Add(time.Duration(rng.IntN(500)) * time.Second)
		r.Created = start.Add(time.Duration(rng.IntN(50)) * time.Hour)
		if rng.IntN(10) == 0 {
			r.Expires = time.Time{}
		}
		records[i] = r
		require.NoError(t, s.Create(t.Context(), r, 0))
	}
	// Change and remove some, so that chunks have split and merged.
	for i := range records[:1500] {
		r := &records[i]
		r.Identifier = strings.Replace(r.Identifier, "service", "job", i%2)
		if i%3 == 0 {
			r.User = owners[i%len(owners)]
		}
		require.NoError(t, s.Update(t.Context(), *r))
		r.Version++
	}
	for range 500 {
		r := records[len(records)-1]
		records = records[:len(records)-1]
		require.NoError(t, s.Delete(t.Context(), r.PK, r.Version))
	}

	for range 60 {
		q := query(rng, records)
		want, err := q.Select(t.Context(), slices.Clone(records))
		require.NoError(t, err)
		got, err := s.List(t.Context(), q)
		require.NoError(t, err)
		requireSame(t, want, got, q)
		q.Order, q.After, q.Offset, q.Limit = nil, nil, 0, 0
		n, err := s.Count(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, matching(records, q), n, "%+v", q)
	}
	for len(records) > 0 {
		q := query(rng, records)
		if rng.IntN(2) == 0 {
			q = store.Query{Users: q.Users, Limit: 2000}
		}
		want, err := q.Select(t.Context(), slices.Clone(records))
		require.NoError(t, err)
		got, err := s.Purge(t.Context(), q)
		require.NoError(t, err)
		requireSame(t, want, got, q)
		gone := map[store.PK]bool{}
		for _, r := range want {
			gone[r.PK] = true
		}
		records = slices.DeleteFunc(records, func(r store.Record) bool { return gone[r.PK] })
	}
}

// owners are alike in many ways.
var owners = []string{
	"1", "2", "10", "é", "0b0c3a62-5f0e-4f62-9d4c-0d9d1bb6a0a1", "0b0c3a62-5f0e-4f62-9d4c-0d9d1bb6a0a2",
	strings.Repeat("a", 300), strings.Repeat("b", 299),
}

func query(rng *rand.Rand, records []store.Record) store.Query {
	var q store.Query
	r := records[rng.IntN(len(records))]
	if rng.IntN(2) == 0 {
		q.Users = [][]string{{r.User}, {r.User, "1", r.User}, {"2", "10", owners[5], "nobody"}}[rng.IntN(3)]
	}
	if rng.IntN(3) == 0 {
		q.ExpiryFrom = start.Add(time.Duration(rng.IntN(500)) * time.Second)
	}
	if rng.IntN(3) == 0 {
		q.ExpiryBefore = start.Add(time.Duration(rng.IntN(600)) * time.Second)
	}
	if rng.IntN(5) == 0 {
		q.Intents = []string{r.Intent}
	}
	if rng.IntN(5) == 0 {
		q.Words = []store.Word{{Text: r.Identifier[len(r.Identifier)-1:]}}
	}
	if field := []store.Field{"", store.FieldIdentifier, store.FieldExpires, store.FieldCreated}[rng.IntN(4)]; field != "" {
		q.Order = []store.Order{{Field: field, Desc: rng.IntN(2) == 0}}
		if rng.IntN(3) == 0 {
			q.Order = append(q.Order, store.Order{Field: store.FieldUser, Desc: true})
		}
	}
	if rng.IntN(2) == 0 {
		q.After = &r
	}
	if rng.IntN(2) == 0 {
		q.Offset = rng.IntN(len(records))
	}
	if rng.IntN(2) == 0 {
		q.Limit = 1 + rng.IntN(50)
	}
	return q
}

func matching(records []store.Record, q store.Query) (n int) {
	for i := range records {
		if q.Match(&records[i]) {
			n++
		}
	}
	return n
}

func requireSame(t *testing.T, want, got []store.Record, q store.Query) {
	t.Helper()
	require.True(t, slices.EqualFunc(want, got, func(a, b store.Record) bool { return a.PK == b.PK && a.Identifier == b.Identifier }),
		"%+v\nreturns %d records, want %d", q, len(got), len(want))
}

// TestEndingContext checks that a search through many records ends with its
// context, even when it is past the lock.
func TestEndingContext(t *testing.T) {
	t.Parallel()
	s := filled(t, 5000)
	q := store.Query{Words: []store.Word{{Text: "nowhere"}}}
	_, err := s.List(&lastLook{Context: t.Context()}, q)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Count(&lastLook{Context: t.Context()}, q)
	require.ErrorIs(t, err, context.Canceled)
}

// lastLook is a context that has ended when it is looked at a second time.
type lastLook struct {
	context.Context
	looked bool
}

func (c *lastLook) Err() error {
	if c.looked {
		return context.Canceled
	}
	c.looked = true
	return nil
}

func TestGetByDigestAllocates(t *testing.T) {
	s := filled(t, 1000)
	ctx, digest, none := t.Context(), token(500).Digest, store.Digest{1}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := s.GetByDigest(ctx, digest); err != nil {
			t.Error(err)
		}
		if _, err := s.GetByDigest(ctx, none); err == nil {
			t.Error("found nothing")
		}
	}))
}

// Not parallel, as it looks at the heap.
func TestHeapOfALongList(t *testing.T) {
	dearest.TestHeap(t, func(testing.TB) store.Store { return memory.New() })
}

// looks is a context that ends after it has been looked at a number of times.
type looks struct {
	context.Context
	n, most int
}

func (l *looks) Err() error {
	if l.n++; l.n > l.most {
		return context.Canceled
	}
	return nil
}

// Whoever has given up does not keep a core busy: neither with looking through rows nor
// with sorting them.
func TestScansStopWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	const size = 3000
	s := filled(t, size)
	q := store.Query{Intents: []string{"api"}, Order: []store.Order{{Field: store.FieldDescription}}}
	for name, c := range map[string]struct {
		scan  func(ctx context.Context) (int, error)
		looks int // at least
	}{
		"List": {func(ctx context.Context) (int, error) {
			rs, err := s.List(ctx, q)
			return len(rs), err
		}, size/64 + size/128},
		"Count": {func(ctx context.Context) (int, error) { return s.Count(ctx, q) }, size / 64},
		"Purge": {func(ctx context.Context) (int, error) {
			rs, err := s.Purge(ctx, q)
			return len(rs), err
		}, size/64 + size/128},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := new(looks)
			for {
				ctx = &looks{Context: t.Context(), most: ctx.n}
				n, err := c.scan(ctx)
				if err == nil {
					require.Equal(t, size, n)
					break
				}
				require.ErrorIs(t, err, context.Canceled)
				require.Zero(t, n)
				require.Equal(t, ctx.most+1, ctx.n, "it looks no further")
				left, err := s.Count(t.Context(), store.Query{})
				require.NoError(t, err)
				require.Equal(t, size, left)
			}
			require.Greater(t, ctx.n, c.looks)
			s = filled(t, size)
		})
	}
}
