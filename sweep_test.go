package authtoken_test

import (
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
		create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: alice.ID,
			Expires: clock.Now().Add(time.Duration(i) * time.Minute)})
	}
	create(t, svc, authtoken.CreateParams{Identifier: "kept", User: alice.ID, Expiring: new(false), Expires: clock.Now()})
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
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "api", User: alice.ID})
	create(t, svc, authtoken.CreateParams{Identifier: "app", User: alice.ID, Intent: authtoken.IntentAppPassword, Expires: clock.Now().Add(30 * time.Minute)})
	create(t, svc, authtoken.CreateParams{Identifier: "open", User: alice.ID, Intent: authtoken.IntentAppPassword})
	told.take()
	clock.Advance(30 * time.Minute)
	n, err := svc.Sweep(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []string{"renewed api -"}, told.take())
	n, err = svc.Sweep(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []string{"expired app -"}, told.take())

	token, err := svc.Get(t.Context(), "api")
	require.NoError(t, err)
	require.Equal(t, clock.Now().Add(30*time.Minute), token.Expires)
	_, err = svc.Authenticate(t.Context(), key)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired, "it has another key")
	_, err = svc.Get(t.Context(), "open")
	require.NoError(t, err, "what has no end is not over")
}

// Many sweepers at once deal with each token once.
func TestConcurrentSweeps(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]authtoken.Policy{"deleting": {Retention: -1}, "renewing": authtoken.Authentik()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tokens, sweepers = 300, 8
			svc, clock, told := newObserved(t, authtoken.Config{Policy: policy})
			for i := range tokens {
				create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: alice.ID, Expires: clock.Now()})
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
		})
	}
}
