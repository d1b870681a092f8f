package sqlite_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

func TestMemoryIsPrivate(t *testing.T) {
	t.Parallel()
	a, err := sqlite.Open(t.Context(), ":memory:", sqlite.Config{})
	require.NoError(t, err)
	defer a.Close()
	b, err := sqlite.Open(t.Context(), ":memory:", sqlite.Config{})
	require.NoError(t, err)
	defer b.Close()
	require.NoError(t, a.Create(t.Context(), token(1), 0))
	n, err := a.Count(t.Context(), store.Query{})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = b.Count(t.Context(), store.Query{})
	require.NoError(t, err)
	require.Zero(t, n)
}

// In memory, readers and writers share a connection: reads must not see the
// transaction of a group, which may yet fail.
func TestMemoryUnderLoad(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), ":memory:", sqlite.Config{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for i := range 30 {
				r := token(c*100 + i)
				if !errors.Is(get(s, r.Identifier), store.ErrNotFound) || s.Create(context.Background(), r, 0) != nil || get(s, r.Identifier) != nil {
					t.Error("a write isn't seen, or something else is")
				}
			}
		})
	}
	wg.Wait()
	n, err := s.Count(t.Context(), store.Query{})
	require.NoError(t, err)
	require.Equal(t, 16*30, n)
	require.NoError(t, s.Close())
	require.ErrorIs(t, get(s, "x"), sqlite.ErrClosed)
}

func get(s *sqlite.Store, identifier string) error {
	_, err := s.Get(context.Background(), identifier)
	return err
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), sqlite.Config{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	ctx := t.Context()
	require.ErrorIs(t, s.Create(ctx, token(1), 0), sqlite.ErrClosed)
	require.ErrorIs(t, get(s, "x"), sqlite.ErrClosed)
	_, err = s.GetByDigest(ctx, store.Digest{1})
	require.ErrorIs(t, err, sqlite.ErrClosed)
	_, err = s.List(ctx, store.Query{})
	require.ErrorIs(t, err, sqlite.ErrClosed)
	_, err = s.Count(ctx, store.Query{})
	require.ErrorIs(t, err, sqlite.ErrClosed)
	_, err = s.Purge(ctx, store.Query{})
	require.ErrorIs(t, err, sqlite.ErrClosed)
	require.ErrorIs(t, s.Touch(ctx, nil), sqlite.ErrClosed)
}

// Not parallel, as it counts goroutines.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, path := range []string{filepath.Join(t.TempDir(), "tokens.db"), ":memory:"} {
		s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				_ = s.Create(ctx, token(i), 0)
				_, _ = s.List(ctx, store.Query{})
			})
		}
		wg.Wait()
		cancel()
		require.NoError(t, s.Close())
	}
	// database/sql has told its goroutine to end, but doesn't wait for it.
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// Contexts end at moments spread over all that a call does.
func TestCancelledAtAnyMoment(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{})
	for i := range 500 {
		require.NoError(t, s.Create(t.Context(), token(1_000_000+i), 0))
	}
	const callers, each = 16, 30
	var wg sync.WaitGroup
	created := make([]bool, callers*each)
	for c := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(c)))
			for i := range each {
				n := c*each + i
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rng.IntN(5000))*time.Microsecond)
				errs := []error{s.Create(ctx, token(n), 0)}
				created[n] = errs[0] == nil
				_, err := s.List(ctx, store.Query{Order: []store.Order{{Field: store.FieldDescription}}})
				errs = append(errs, err)
				_, err = s.Count(ctx, store.Query{Words: []store.Word{{Text: "x"}}})
				errs = append(errs, err)
				_, err = s.GetByDigest(ctx, token(1_000_000).Digest)
				errs = append(errs, err)
				for _, err := range errs {
					if err != nil && (!errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil) {
						t.Error(err)
					}
				}
				cancel()
			}
		})
	}
	wg.Wait()
	done := 0
	for n, want := range created {
		err := get(s, token(n).Identifier)
		if want {
			done++
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, store.ErrNotFound)
		}
	}
	t.Logf("%d of %d creations were in time", done, len(created))
	require.NoError(t, s.Create(t.Context(), token(2_000_000), 0))
}

// A taken value fails its own creation only, whoever it is in a group with.
func TestTakenInAGroup(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{})
	first := token(0)
	first.Managed = "m"
	require.NoError(t, s.Create(t.Context(), first, 0))
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			r := token(1 + i)
			var want store.Field
			switch i % 5 {
			case 0:
				r.Identifier, want = first.Identifier, store.FieldIdentifier
			case 1:
				r.Managed, want = first.Managed, store.FieldManaged
			case 2:
				r.Digest, want = first.Digest, store.FieldDigest
			case 3:
				r.PK, want = first.PK, store.FieldPK
			}
			err := s.Create(context.Background(), r, 0)
			var taken *store.TakenError
			switch {
			case want == "" && err != nil:
				t.Error(err)
			case want != "" && (!errors.As(err, &taken) || taken.Field != want):
				t.Errorf("%v instead of %v taken", err, want)
			}
		})
	}
	wg.Wait()
	n, err := s.Count(t.Context(), store.Query{})
	require.NoError(t, err)
	require.Equal(t, 1+200/5, n)
}

func TestUpdateOfAnyFields(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	s := open(t, sqlite.Config{})
	old := randomRecord(rng)
	require.NoError(t, s.Create(t.Context(), old, 0))
	// One field at a time, and then several, to and from "none".
	changes := []func(r *store.Record){
		func(r *store.Record) { r.Identifier += "x" },
		func(r *store.Record) { r.Intent += "x" },
		func(r *store.Record) { r.User += "0" },
		func(r *store.Record) { r.Description += "x" },
		func(r *store.Record) { r.Managed = pick(rng, "", "m", "n") },
		func(r *store.Record) { r.Expires = randomTime(rng) },
		func(r *store.Record) { r.Expiring = !r.Expiring },
		func(r *store.Record) { r.Digest[0]++ },
		func(r *store.Record) { r.Sealed = pick(rng, nil, []byte{1}, []byte{2}) },
		func(r *store.Record) { r.Retired = pick(rng, store.Digest{}, store.Digest{1}) },
		func(r *store.Record) { r.RetiredUntil = randomTime(rng) },
	}
	for i := range 200 {
		r := old
		changes[i%len(changes)](&r)
		for range max(0, i-50) % 4 {
			changes[rng.IntN(len(changes))](&r)
		}
		r.Created, r.LastUsed, r.LastUsedFrom = randomTime(rng), randomTime(rng), "elsewhere"
		require.NoError(t, s.Update(t.Context(), r))
		r.Version++
		r.Created, r.LastUsed, r.LastUsedFrom = old.Created, old.LastUsed, old.LastUsedFrom
		got, err := s.Get(t.Context(), r.Identifier)
		require.NoError(t, err)
		require.Equal(t, r, got)
		old = r
	}
}

func TestManyUsersAndUses(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{})
	r := token(1)
	r.User = "39999"
	require.NoError(t, s.Create(t.Context(), r, 0))
	users := make([]string, 40_000)
	for i := range users {
		users[i] = strconv.Itoa(i)
	}
	got, err := s.List(t.Context(), store.Query{Users: users, Words: []store.Word{{Text: "none", Users: users[39_000:]}}})
	require.NoError(t, err)
	require.Len(t, got, 1)

	uses := make([]store.Use, 300)
	for i := range uses {
		uses[i] = store.Use{PK: r.PK, At: time.UnixMicro(int64((i * 7919) % 300)), From: strconv.Itoa(i)}
	}
	uses[100].PK = uuid.New()
	require.NoError(t, s.Touch(t.Context(), uses))
	r, err = s.Get(t.Context(), r.Identifier)
	require.NoError(t, err)
	require.EqualValues(t, 299, r.LastUsed.UnixMicro())
	require.Zero(t, r.Version)
}
