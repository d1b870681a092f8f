package authtoken_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// recorder is an Observer that keeps what it is told.
type recorder struct {
	mu     sync.Mutex
	events []authtoken.Event
}

func (r *recorder) Observe(_ context.Context, e authtoken.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// take returns what came since the last time, as "kind identifier actor".
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var told []string
	for _, e := range r.events {
		text := fmt.Sprintf("%s %s %d", e.Kind, e.Token.Identifier, e.Actor)
		if e.Reason != nil {
			text += " " + e.Reason.Error()
		}
		told = append(told, text)
	}
	r.events = nil
	return told
}

// newObserved is newService with a recorder, and whatever else is configured.
func newObserved(t *testing.T, cfg authtoken.Config) (*authtoken.Service, *authtokentest.Clock, *recorder) {
	t.Helper()
	users, err := authtoken.NewUserList(root, alice, bob, carol, dave)
	require.NoError(t, err)
	told := new(recorder)
	cfg.Users, cfg.Observer = users, told
	svc, clock := authtokentest.NewService(t, cfg)
	return svc, clock, told
}

func TestRotate(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{})
	before, first := create(t, svc, authtoken.CreateParams{Identifier: "one", User: 2, Expires: clock.Now().Add(24 * time.Hour)})

	after, key, err := svc.As(alice).Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	second := key.Reveal()
	want := before
	want.Version, want.RetiredUntil = 2, clock.Now().Add(time.Hour)
	require.Equal(t, want, after, "nothing else changes")

	good := func(key string) error { _, err := svc.Authenticate(t.Context(), key); return err }
	require.NoError(t, good(first))
	require.NoError(t, good(second))
	clock.Advance(time.Hour - time.Microsecond)
	require.NoError(t, good(first))
	clock.Advance(time.Microsecond)
	require.ErrorIs(t, good(first), authtoken.ErrKeyRetired)
	require.NoError(t, good(second))

	// Rotating again ends the overlap before.
	_, third, err := svc.Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	_, fourth, err := svc.Rotate(t.Context(), "one", 0)
	require.NoError(t, err)
	require.ErrorIs(t, good(first), authtoken.ErrKeyUnknown)
	require.ErrorIs(t, good(second), authtoken.ErrKeyUnknown)
	require.ErrorIs(t, good(third.Reveal()), authtoken.ErrKeyRetired, "no overlap at all")
	require.NoError(t, good(fourth.Reveal()))

	// Setting a key leaves that one only.
	_, fifth, err := svc.Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	require.NoError(t, svc.SetKey(t.Context(), "one", "a-key-of-more-than-thirty-two-bytes"))
	require.ErrorIs(t, good(fourth.Reveal()), authtoken.ErrKeyUnknown)
	require.ErrorIs(t, good(fifth.Reveal()), authtoken.ErrKeyUnknown)

	_, _, err = svc.Rotate(t.Context(), "one", -1)
	requireFaults(t, err, "overlap: Ensure this value is greater than or equal to 0.")
	_, _, err = svc.As(bob).Rotate(t.Context(), "one", -1)
	require.ErrorIs(t, err, authtoken.ErrNotFound)
	clock.Advance(48 * time.Hour)
	require.ErrorIs(t, good("a-key-of-more-than-thirty-two-bytes"), authtoken.ErrKeyExpired, "rotating gives no longer life")
}

// While one token is rotated from 16 goroutines, there must be at least one
// and at most two good keys at every moment.
func TestConcurrentRotation(t *testing.T) {
	t.Parallel()
	const writers, each = 16, 10
	svc, _ := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: 2, Expiring: new(false)})

	var mu sync.Mutex
	keys := map[int64]string{1: key} // by version
	done := make(chan struct{})
	var rotating, reading sync.WaitGroup
	for range writers {
		rotating.Go(func() {
			for range each {
				token, key, err := svc.Rotate(t.Context(), "one", time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				keys[token.Version] = key.Reveal()
				mu.Unlock()
			}
		})
	}
	for range 4 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				// A key stays good for one rotation. If it was refused, there must
				// have been two since.
				before, err := svc.Get(t.Context(), "one")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				key, ok := keys[before.Version]
				mu.Unlock()
				if !ok {
					continue // the one who rotated has not told yet
				}
				_, refused := svc.Authenticate(t.Context(), key)
				after, err := svc.Get(t.Context(), "one")
				if err != nil {
					t.Error(err)
				}
				if refused != nil && after.Version < before.Version+2 {
					t.Errorf("the key of version %d was refused by version %d", before.Version, after.Version)
				}
			}
		})
	}
	rotating.Wait()
	close(done)
	reading.Wait()

	require.Len(t, keys, 1+writers*each)
	good := 0
	for version, key := range keys {
		if _, err := svc.Authenticate(t.Context(), key); err == nil {
			good++
			require.GreaterOrEqual(t, version, int64(writers*each), "the last two")
		}
	}
	require.Equal(t, 2, good)
}

func TestRevokeOnReuse(t *testing.T) {
	t.Parallel()
	svc, clock, told := newObserved(t, authtoken.Config{Policy: authtoken.Policy{RevokeOnReuse: true}})
	_, first := create(t, svc, authtoken.CreateParams{Identifier: "one", User: 2})
	_, second, err := svc.Rotate(t.Context(), "one", time.Minute)
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), first)
	require.NoError(t, err, "in the overlap it is no misuse")
	clock.Advance(time.Minute)
	told.take()
	_, err = svc.Authenticate(t.Context(), first)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	require.Equal(t, []string{
		"refused one 0 key refused: it has been replaced",
		"revoked one 0 key refused: it has been replaced",
	}, told.take())
	_, err = svc.Authenticate(t.Context(), second.Reveal())
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	sealer, err := authtoken.NewAESSealer(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	svc, clock, told := newObserved(t, authtoken.Config{Sealer: sealer})
	as := svc.As(alice)
	step := func(want string, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, []string{want}, told.take())
	}
	_, key, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "one"})
	step("created one 2", err)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "two", User: 5})
	step("created two 0", err)
	_, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Identifier: new("uno")})
	step("updated uno 2", err)
	_, err = as.Reveal(t.Context(), "uno")
	step("revealed uno 2", err)
	_, _, err = as.Rotate(t.Context(), "uno", 0)
	step("rotated uno 2", err)
	step("key_set uno 1", svc.As(root).SetKey(t.Context(), "uno", "a-key-of-more-than-thirty-two-bytes"))

	refused := func(want, key string, intents ...authtoken.Intent) {
		t.Helper()
		_, err := svc.Check(t.Context(), authtoken.Presented{Key: key, From: "192.0.2.7"}, intents...)
		require.ErrorIs(t, err, authtoken.ErrRefused)
		require.Equal(t, "192.0.2.7", told.events[0].From)
		require.Equal(t, []string{want + " 0 " + err.Error()}, told.take())
	}
	refused("refused ", "garbage")
	refused("refused ", key.Reveal())
	refused("refused uno", "a-key-of-more-than-thirty-two-bytes", authtoken.IntentRecovery)
	two, err := svc.Reveal(t.Context(), "two")
	step("revealed two 0", err)
	refused("refused two", two.Reveal()) // dave is not active
	clock.Advance(time.Hour)
	refused("refused uno", "a-key-of-more-than-thirty-two-bytes")
	_, err = svc.Check(t.Context(), authtoken.Presented{Key: "a-key-of-more-than-thirty-two-bytes", Username: new("bob")})
	require.Error(t, err)
	told.take()

	step("revoked uno 2", as.Delete(t.Context(), "uno"))
	clock.Advance(30 * 24 * time.Hour)
	_, err = svc.Sweep(t.Context(), 10)
	step("expired two 0", err)

	// What fails has not happened.
	_, err = as.Update(t.Context(), "two", authtoken.UpdateParams{})
	require.Error(t, err)
	_, _, err = as.Create(t.Context(), authtoken.CreateParams{})
	require.Error(t, err)
	require.Empty(t, told.take())
}

func TestObserversHarmNobody(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{
		Observer: authtoken.ObserverFunc(func(context.Context, authtoken.Event) { panic("observer") }),
	})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	_, err := svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), "garbage")
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
}

func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := authtoken.NewQueue(2)
		svc, err := authtoken.New(memory.New(), authtoken.Config{Observer: queue})
		require.NoError(t, err)
		var told recorder
		slow := authtoken.ObserverFunc(func(ctx context.Context, e authtoken.Event) {
			time.Sleep(time.Hour)
			told.Observe(ctx, e)
			panic("after all")
		})
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, id := range []string{"a", "b", "c"} {
			create(t, svc, authtoken.CreateParams{Identifier: id})
		}
		require.EqualValues(t, 1, queue.Dropped(), "there is room for two")
		require.Zero(t, time.Since(start), "nobody waits")
		running.Go(func() { queue.Run(ctx, slow) })
		synctest.Wait()
		create(t, svc, authtoken.CreateParams{Identifier: "d"})
		cancel()
		running.Wait()
		require.Equal(t, []string{"created a 0", "created b 0", "created d 0"}, told.take(), "what is queued is passed on")
	})
}

func TestLogObserver(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "pk" {
				return slog.Attr{}
			}
			return a
		},
	}))
	users, err := authtoken.NewUserList(root, alice)
	require.NoError(t, err)
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users, Observer: authtoken.LogObserver(logger)})
	_, _, err = svc.As(alice).Create(t.Context(), authtoken.CreateParams{Identifier: "one"})
	require.NoError(t, err)
	_, err = svc.Check(t.Context(), authtoken.Presented{Key: "garbage", From: "192.0.2.7"})
	require.Error(t, err)
	require.Equal(t, `level=INFO msg="token created" token=one intent=api user=2 actor=2
level=WARN msg="token refused" from=192.0.2.7 reason="key refused: no token has it"
`, log.String())
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	start := func() {
		_, err := svc.Revoke(t.Context(), authtoken.Filter{Search: "t"})
		require.NoError(t, err)
		for i, user := range []int64{2, 2, 3, 4} {
			create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: user,
				Intent: []authtoken.Intent{authtoken.IntentAPI, authtoken.IntentRecovery}[i%2]})
		}
	}
	for name, c := range map[string]struct {
		by     *authtoken.User
		filter authtoken.Filter
		want   []string
	}{
		"one":         {nil, authtoken.Filter{Identifier: "t1"}, []string{"t1"}},
		"user":        {nil, authtoken.Filter{User: 2}, []string{"t0", "t1"}},
		"intent":      {nil, authtoken.Filter{Intent: authtoken.IntentRecovery}, []string{"t1", "t3"}},
		"own":         {&bob, authtoken.Filter{Search: "t"}, []string{"t2"}},
		"foreign":     {&bob, authtoken.Filter{User: 2}, []string{}},
		"none of any": {nil, authtoken.Filter{User: 99}, []string{}},
	} {
		start()
		revoke := svc.Revoke
		if c.by != nil {
			revoke = svc.As(*c.by).Revoke
		}
		tokens, err := revoke(t.Context(), c.filter)
		require.NoError(t, err, name)
		require.Equal(t, c.want, identifiers(tokens), name)
		page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
		require.NoError(t, err)
		require.Equal(t, 4-len(c.want), page.Count, name)
	}
	for _, f := range []authtoken.Filter{{}, {Order: authtoken.ParseOrder("user")}, {Search: " , \x00"}} {
		_, err := svc.Revoke(t.Context(), f)
		require.ErrorContains(t, err, "all tokens")
	}
	_, err := svc.Revoke(t.Context(), authtoken.Filter{Intent: "x"})
	require.Error(t, err)
}

func TestSweep(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{Retention: time.Hour})
	for i := range 5 {
		create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: 2,
			Expires: clock.Now().Add(time.Duration(i) * time.Minute)})
	}
	create(t, svc, authtoken.CreateParams{Identifier: "kept", User: 2, Expiring: new(false), Expires: clock.Now()})
	sweep := func(limit int) int {
		n, err := svc.Sweep(t.Context(), limit)
		require.NoError(t, err)
		return n
	}
	clock.Advance(time.Hour - time.Microsecond)
	require.Zero(t, sweep(10))
	clock.Advance(time.Microsecond)
	require.Equal(t, 1, sweep(10), "at the very instant")
	clock.Advance(time.Hour)
	require.Equal(t, 3, sweep(3))
	require.Equal(t, 1, sweep(3))
	require.Zero(t, sweep(3))
	_, err := svc.Get(t.Context(), "kept")
	require.NoError(t, err)
	_, err = svc.Sweep(t.Context(), 0)
	require.Error(t, err)
}

func TestSweepRenews(t *testing.T) {
	t.Parallel()
	svc, clock, told := newObserved(t, authtoken.Config{Policy: authtoken.Authentik()})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "api", User: 2})
	create(t, svc, authtoken.CreateParams{Identifier: "app", User: 2, Intent: authtoken.IntentAppPassword, Expires: clock.Now().Add(30 * time.Minute)})
	create(t, svc, authtoken.CreateParams{Identifier: "open", User: 2, Intent: authtoken.IntentAppPassword})
	told.take()
	clock.Advance(30 * time.Minute)
	n, err := svc.Sweep(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []string{"renewed api 0"}, told.take())
	n, err = svc.Sweep(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []string{"expired app 0"}, told.take())

	token, err := svc.Get(t.Context(), "api")
	require.NoError(t, err)
	require.Equal(t, clock.Now().Add(30*time.Minute), token.Expires)
	_, err = svc.Authenticate(t.Context(), key)
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown, "it has another key")
	_, err = svc.Get(t.Context(), "open")
	require.NoError(t, err, "what has no end is not over")
}

// Many sweepers at once deal with each token once.
func TestConcurrentSweeps(t *testing.T) {
	t.Parallel()
	for _, policy := range []authtoken.Policy{{Retention: -1}, authtoken.Authentik()} {
		const tokens, sweepers = 300, 8
		svc, clock, told := newObserved(t, authtoken.Config{Policy: policy})
		for i := range tokens {
			create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: 2, Expires: clock.Now()})
		}
		told.take()
		var swept atomic.Int64
		var wg sync.WaitGroup
		for range sweepers {
			wg.Go(func() {
				for range tokens {
					n, err := svc.Sweep(t.Context(), 7)
					if err != nil {
						t.Error(err)
						return
					}
					swept.Add(int64(n))
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, tokens, swept.Load())
		require.Len(t, told.take(), tokens)
	}
}

func TestExpiringBetween(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{})
	now := clock.Now()
	for i := range 6 {
		create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", 5-i), User: 2,
			Expires: now.Add(time.Duration(5-i) * time.Minute), Expiring: new(i != 2)})
	}
	var got []string
	for token, err := range svc.ExpiringBetween(t.Context(), now.Add(time.Minute), now.Add(5*time.Minute)) {
		require.NoError(t, err)
		got = append(got, token.Identifier)
	}
	require.Equal(t, []string{"t1", "t2", "t4"}, got)
}

func TestMaxTokens(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{MaxTokens: 5})
	var made, full atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, _, err := svc.As(alice).Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
			var v *authtoken.ValidationError
			switch {
			case err == nil:
				made.Add(1)
			case errors.As(err, &v) && v.Has("non_field_errors", authtoken.CodeTooMany):
				full.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 5, made.Load())
	require.EqualValues(t, 15, full.Load())
	_, _, err := svc.As(root).Create(t.Context(), authtoken.CreateParams{Identifier: "more", User: 2})
	requireFaults(t, err, "non_field_errors: User has reached the maximum of 5 tokens.")
	_, _, err = svc.As(bob).Create(t.Context(), authtoken.CreateParams{Identifier: "other"})
	require.NoError(t, err, "another user")
	create(t, svc, authtoken.CreateParams{Identifier: "trusted", User: 2})
}

// touched is a store that counts writes of last uses.
type touched struct {
	store.Store
	mu            sync.Mutex
	batches, uses int
	err           error
}

// fail makes writes fail with err from now on.
func (s *touched) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *touched) Touch(ctx context.Context, uses []store.Use) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.batches++
	s.uses += len(uses)
	return s.Store.Touch(ctx, uses)
}

func TestLastUsed(t *testing.T) {
	t.Parallel()
	st := &touched{Store: memory.New()}
	clock := authtokentest.NewClock(time.Now())
	svc, err := authtoken.New(st, authtoken.Config{TrackLastUsed: true, Now: clock.Now})
	require.NoError(t, err)
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", Expiring: new(false)})
	_, other := create(t, svc, authtoken.CreateParams{Identifier: "two", Expiring: new(false)})
	_, _ = create(t, svc, authtoken.CreateParams{Identifier: "three"})
	use := func(key string) {
		_, err := svc.Check(t.Context(), authtoken.Presented{Key: key, From: "192.0.2.1"})
		require.NoError(t, err)
	}
	first := clock.Now().UTC().Truncate(time.Microsecond)
	use(key)
	use(key)
	use(other)
	require.Zero(t, st.batches, "checking a key does not write")
	require.NoError(t, svc.FlushLastUsed(t.Context()))
	require.Equal(t, 1, st.batches)
	require.Equal(t, 2, st.uses)
	token, err := svc.Get(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, first, token.LastUsed)
	require.Equal(t, "192.0.2.1", token.LastUsedFrom)
	require.EqualValues(t, 1, token.Version)

	clock.Advance(time.Minute - time.Microsecond)
	use(key)
	require.NoError(t, svc.FlushLastUsed(t.Context()))
	require.Equal(t, 2, st.uses, "once a minute is enough")
	clock.Advance(time.Microsecond)
	use(key)
	st.fail(errDisk)
	require.ErrorIs(t, svc.FlushLastUsed(t.Context()), errDisk)
	st.fail(nil)
	require.NoError(t, svc.FlushLastUsed(t.Context()), "what could not be written is kept")
	require.Equal(t, 3, st.uses)

	page, err := svc.Page(t.Context(), authtoken.Filter{Order: authtoken.ParseOrder("-last_used")}, 1, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"three", "one", "two"}, identifiers(page.Tokens), "never used comes first, going down")

	_, err = svc.Authenticate(t.Context(), "garbage")
	require.Error(t, err)
	require.NoError(t, svc.FlushLastUsed(t.Context()))
	require.Equal(t, 3, st.uses)
}

func TestJanitor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := &touched{Store: memory.New()}
		told := new(recorder)
		svc, err := authtoken.New(st, authtoken.Config{
			TrackLastUsed: true, Observer: told, Policy: authtoken.Policy{Retention: 10 * time.Minute},
		})
		require.NoError(t, err)
		for i := range 250 {
			create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
		}
		_, key := create(t, svc, authtoken.CreateParams{Identifier: "kept", Expiring: new(false)})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { require.NoError(t, svc.RunJanitor(ctx, time.Minute)) })
		count := func() int {
			page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 1)
			require.NoError(t, err)
			return page.Count
		}

		time.Sleep(39*time.Minute + 30*time.Second)
		synctest.Wait()
		require.Equal(t, 251, count())
		told.take()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, count(), "all of them, in pieces")
		require.Len(t, told.take(), 250)

		_, err = svc.Authenticate(t.Context(), key)
		require.NoError(t, err)
		st.fail(errDisk)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"failed  0 write last use: disk on fire"}, told.take())
		st.fail(nil)
		cancel()
		running.Wait()
		require.Equal(t, 1, st.uses, "the last uses are not lost")
		require.Error(t, svc.RunJanitor(t.Context(), 0))
	})
}

func TestCache(t *testing.T) {
	t.Parallel()
	st := &counting{Store: memory.New()}
	clock := authtokentest.NewClock(time.Now())
	svc, err := authtoken.New(st, authtoken.Config{CacheSize: 4, CacheTTL: time.Minute, Now: clock.Now})
	require.NoError(t, err)
	other, err := authtoken.New(st, authtoken.Config{Now: clock.Now})
	require.NoError(t, err)
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	check := func(asked int, want error) {
		t.Helper()
		st.asked = 0
		_, err := svc.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, want)
		require.Equal(t, asked, st.asked, "how often the store was asked")
	}
	check(1, nil)
	check(0, nil)
	clock.Advance(time.Minute - time.Microsecond)
	check(0, nil)
	clock.Advance(time.Microsecond)
	check(1, nil)

	// Own changes count at once, whatever they are.
	_, err = svc.Update(t.Context(), "one", authtoken.UpdateParams{Intent: new(authtoken.IntentRecovery)})
	require.NoError(t, err)
	check(1, nil)
	p, err := svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, authtoken.IntentRecovery, p.Token.Intent)
	_, rotated, err := svc.Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	check(1, nil)
	check(0, nil)
	require.NoError(t, svc.SetKey(t.Context(), "one", "a-key-of-more-than-thirty-two-bytes"))
	check(1, authtoken.ErrKeyUnknown)
	_, err = svc.Authenticate(t.Context(), rotated.Reveal())
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	key = "a-key-of-more-than-thirty-two-bytes"
	check(1, nil)
	_, err = svc.Revoke(t.Context(), authtoken.Filter{User: 7})
	require.NoError(t, err)
	check(1, authtoken.ErrKeyUnknown)

	// Those of others are seen after the time that was agreed on.
	_, key = create(t, svc, authtoken.CreateParams{Identifier: "one", Expires: clock.Now().Add(time.Hour)})
	check(1, nil)
	require.NoError(t, other.Delete(t.Context(), "one"))
	clock.Advance(time.Minute - time.Microsecond)
	check(0, nil)
	clock.Advance(time.Microsecond)
	check(1, authtoken.ErrKeyUnknown)

	// It expires at its instant, cached or not.
	_, key = create(t, svc, authtoken.CreateParams{Identifier: "one", Expires: clock.Now().Add(time.Second)})
	check(1, nil)
	clock.Advance(time.Second)
	check(1, authtoken.ErrKeyExpired)

	// It stays within its size.
	for i := range 100 {
		_, key = create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
		check(1, nil)
		check(0, nil)
	}
}

// A revoked key must be refused by whoever asks after Delete has returned, while
// others keep reading it into the cache.
func TestCacheIsExact(t *testing.T) {
	t.Parallel()
	svc, err := authtoken.New(memory.New(), authtoken.Config{CacheSize: 100, CacheTTL: time.Hour})
	require.NoError(t, err)
	for i := range 200 {
		_, key := create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
		var gone atomic.Bool
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					before := gone.Load()
					if _, err := svc.Authenticate(context.Background(), key); err == nil && before {
						t.Error("a key was accepted after it had been revoked")
					}
				}
			})
		}
		wg.Go(func() {
			if err := svc.Delete(context.Background(), fmt.Sprint("t", i)); err != nil {
				t.Error(err)
			}
			gone.Store(true)
		})
		wg.Wait()
		_, err := svc.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	}
}

// What is refused must not take longer for one reason than for another; at
// least the store is asked as often.
func TestUnknownAndExpiredCostTheSame(t *testing.T) {
	t.Parallel()
	st := &counting{Store: memory.New()}
	clock := authtokentest.NewClock(time.Now())
	svc, err := authtoken.New(st, authtoken.Config{Now: clock.Now})
	require.NoError(t, err)
	_, gone := create(t, svc, authtoken.CreateParams{Identifier: "gone"})
	require.NoError(t, svc.Delete(t.Context(), "gone"))
	_, expired := create(t, svc, authtoken.CreateParams{Identifier: "expired", Expires: clock.Now()})
	_, retired := create(t, svc, authtoken.CreateParams{Identifier: "retired"})
	_, _, err = svc.Rotate(t.Context(), "retired", 0)
	require.NoError(t, err)
	for key, want := range map[string]error{
		gone: authtoken.ErrKeyUnknown, expired: authtoken.ErrKeyExpired, retired: authtoken.ErrKeyRetired,
	} {
		st.asked = 0
		_, err := svc.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, want)
		require.Equal(t, 1, st.asked)
	}
}
