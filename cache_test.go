package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// recorder is an Observer that keeps what it is told.
// take returns what came since the last time, as "kind identifier actor".
// newObserved is newService with a recorder, and whatever else is configured.
// While one token is rotated from 16 goroutines, there must be at least one
// and at most two good keys at every moment.
// Many sweepers at once deal with each token once.
// touched is a store that counts writes of last uses.
// fail makes writes fail with err from now on.
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
		_, err := svc.Authenticate(t.Context(), key, authtoken.Intents()...)
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
	p, err := svc.Authenticate(t.Context(), key, authtoken.IntentRecovery)
	require.NoError(t, err)
	require.Equal(t, authtoken.IntentRecovery, p.Token.Intent)
	_, rotated, err := svc.Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	check(1, nil)
	check(0, nil)
	require.NoError(t, svc.SetKey(t.Context(), "one", "a-key-of-more-than-thirty-two-bytes"))
	check(1, authtoken.ErrKeyRetired)
	_, err = svc.Authenticate(t.Context(), rotated.Reveal())
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
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

// What the cache holds is bounded in bytes, however long the texts are.
func TestCacheCountsBytes(t *testing.T) {
	t.Parallel()
	const size = 100
	for name, c := range map[string]struct {
		text        string
		least, most int // how many of 10 * size tokens are held in the end
	}{
		"short texts":     {"made by hand", size / 2, size},
		"long texts":      {strings.Repeat("x", 9000), 5, size << 10 / 9000},
		"one is too much": {strings.Repeat("x", size<<10/2), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := &counting{Store: memory.New()}
			svc, err := authtoken.New(st, authtoken.Config{
				CacheSize: size, CacheTTL: time.Hour, Policy: authtoken.Policy{MaxTextLength: len(c.text)}})
			require.NoError(t, err)
			var keys []string
			for i := range 10 * size {
				_, key := create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), Description: c.text})
				who, err := svc.Authenticate(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, c.text, who.Token.Description)
				keys = append(keys, key)
			}
			st.asked = 0
			held := 0
			for _, key := range slices.Backward(keys) { // what is asked for meanwhile takes the place of the oldest
				before := st.asked
				who, err := svc.Authenticate(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, c.text, who.Token.Description)
				if st.asked > before {
					break
				}
				held++
			}
			require.GreaterOrEqual(t, held, c.least)
			require.LessOrEqual(t, held, c.most)
		})
	}
}

// What is changed makes room.
func TestCacheCountsBytesThatAreGone(t *testing.T) {
	t.Parallel()
	st := &counting{Store: memory.New()}
	svc, err := authtoken.New(st, authtoken.Config{
		CacheSize: 100, CacheTTL: time.Hour, Policy: authtoken.Policy{MaxTextLength: 9000}})
	require.NoError(t, err)
	_, first := create(t, svc, authtoken.CreateParams{Identifier: "first"})
	_, err = svc.Authenticate(t.Context(), first)
	require.NoError(t, err)
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "other"})
	for i := range 100 {
		_, err := svc.Update(t.Context(), "other", authtoken.UpdateParams{Description: new(strings.Repeat("x", 9000-i))})
		require.NoError(t, err)
		_, err = svc.Authenticate(t.Context(), key)
		require.NoError(t, err)
	}
	st.asked = 0
	_, err = svc.Authenticate(t.Context(), first)
	require.NoError(t, err)
	require.Zero(t, st.asked)
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
// unanswered is a store that does what it is asked to, but its answers get lost.
type unanswered struct{ store.Store }

var errLost = errors.New("the connection broke")

func (s unanswered) Update(ctx context.Context, r store.Record) error {
	return errors.Join(s.Store.Update(ctx, r), errLost)
}

func (s unanswered) Delete(ctx context.Context, pk store.PK, version int64) error {
	return errors.Join(s.Store.Delete(ctx, pk, version), errLost)
}

func (s unanswered) Purge(ctx context.Context, q store.Query) ([]store.Record, error) {
	_, err := s.Store.Purge(ctx, q)
	return nil, errors.Join(err, errLost)
}

// What has failed may have been done all the same.
func TestCacheAfterAChangeInDoubt(t *testing.T) {
	t.Parallel()
	st := memory.New()
	svc, err := authtoken.New(st, authtoken.Config{CacheSize: 10, CacheTTL: time.Hour})
	require.NoError(t, err)
	broken := svc.WithStore(unanswered{st}, nil)
	for name, change := range map[string]func() error{
		"delete": func() error { return broken.Delete(t.Context(), "one") },
		"rotate": func() error { _, _, err := broken.Rotate(t.Context(), "one", 0); return err },
		"revoke": func() error {
			_, err := broken.Revoke(t.Context(), authtoken.Filter{Identifier: "one", AllUsers: true})
			return err
		},
	} {
		_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
		_, err := svc.Authenticate(t.Context(), key)
		require.NoError(t, err, name)
		require.ErrorIs(t, change(), errLost, name)
		_, err = svc.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, authtoken.ErrRefused, name)
		if err := svc.Delete(t.Context(), "one"); !errors.Is(err, authtoken.ErrNotFound) {
			require.NoError(t, err, name)
		}
	}
}

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
