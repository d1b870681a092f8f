package authtoken_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

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
	require.ErrorIs(t, err, authtoken.ErrKeyRetired, "it has another key")
	_, err = svc.Get(t.Context(), "open")
	require.NoError(t, err, "what has no end is not over")
}

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
			_, _, err := svc.As(alice.PK).Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
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
	_, _, err := svc.As(root.PK).Create(t.Context(), authtoken.CreateParams{Identifier: "more", User: 2})
	requireFaults(t, err, "non_field_errors: User has reached the maximum of 5 tokens.")
	_, _, err = svc.As(bob.PK).Create(t.Context(), authtoken.CreateParams{Identifier: "other"})
	require.NoError(t, err, "another user")
	create(t, svc, authtoken.CreateParams{Identifier: "trusted", User: 2})
}
