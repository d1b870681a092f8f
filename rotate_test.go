package authtoken_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

func TestRotate(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{})
	before, first := create(t, svc, authtoken.CreateParams{Identifier: "one", User: 2, Expires: clock.Now().Add(24 * time.Hour)})

	after, key, err := svc.As(alice.PK).Rotate(t.Context(), "one", time.Hour)
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
	require.ErrorIs(t, good(first), authtoken.ErrKeyRetired)
	require.ErrorIs(t, good(second), authtoken.ErrKeyRetired)
	require.ErrorIs(t, good(third.Reveal()), authtoken.ErrKeyRetired, "no overlap at all")
	require.NoError(t, good(fourth.Reveal()))

	// Setting a key leaves that one only.
	_, fifth, err := svc.Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	require.NoError(t, svc.SetKey(t.Context(), "one", "a-key-of-more-than-thirty-two-bytes"))
	require.ErrorIs(t, good(fourth.Reveal()), authtoken.ErrKeyRetired)
	require.ErrorIs(t, good(fifth.Reveal()), authtoken.ErrKeyRetired)

	_, _, err = svc.Rotate(t.Context(), "one", -1)
	requireFaults(t, err, "overlap: Ensure this value is greater than or equal to 0.")
	_, _, err = svc.As(bob.PK).Rotate(t.Context(), "one", -1)
	require.ErrorIs(t, err, authtoken.ErrNotFound)
	clock.Advance(48 * time.Hour)
	require.ErrorIs(t, good("a-key-of-more-than-thirty-two-bytes"), authtoken.ErrKeyExpired, "rotating gives no longer life")
}

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

// Whoever kept a key cannot wait until it has been replaced twice.
func TestEarlierKeys(t *testing.T) {
	t.Parallel()
	for _, revoke := range []bool{false, true} {
		svc, clock, told := newObserved(t, authtoken.Config{Policy: authtoken.Policy{RevokeOnReuse: revoke}})
		var keys []string
		_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: 2})
		for range 4 {
			keys = append(keys, key)
			_, next, err := svc.Rotate(t.Context(), "one", time.Hour)
			require.NoError(t, err)
			key = next.Reveal()
			clock.Advance(time.Minute)
		}
		told.take()

		// Only the last one before the current is in an overlap.
		for _, old := range []string{key, keys[3]} {
			_, err := svc.Authenticate(t.Context(), old)
			require.NoError(t, err)
		}
		for i, old := range keys[:3] {
			_, err := svc.Authenticate(t.Context(), old)
			if revoke && i > 0 {
				require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
				require.Equal(t, []string{"refused  0 key refused: no token has it"}, told.take())
				continue
			}
			require.ErrorIs(t, err, authtoken.ErrKeyRetired)
			want := []string{"refused one 0 key refused: it has been replaced"}
			if revoke {
				want = append(want, "revoked one 0 key refused: it has been replaced")
			}
			require.Equal(t, want, told.take(), i)
		}
		_, err := svc.Authenticate(t.Context(), key)
		require.Equal(t, !revoke, err == nil)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	start := func() {
		_, err := svc.Revoke(t.Context(), authtoken.Filter{AllUsers: true})
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
		"one":         {nil, authtoken.Filter{Identifier: "t1", AllUsers: true}, []string{"t1"}},
		"user":        {nil, authtoken.Filter{User: 2}, []string{"t0", "t1"}},
		"intent":      {nil, authtoken.Filter{Intent: authtoken.IntentRecovery, AllUsers: true}, []string{"t1", "t3"}},
		"own":         {&bob, authtoken.Filter{Search: "t"}, []string{"t2"}},
		"foreign":     {&bob, authtoken.Filter{User: 2}, []string{}},
		"none of any": {nil, authtoken.Filter{User: 99}, []string{}},
	} {
		start()
		revoke := svc.Revoke
		if c.by != nil {
			revoke = svc.As(c.by.PK).Revoke
		}
		tokens, err := revoke(t.Context(), c.filter)
		require.NoError(t, err, name)
		require.Equal(t, c.want, identifiers(tokens), name)
		page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
		require.NoError(t, err)
		require.Equal(t, 4-len(c.want), page.Count, name)
	}
	// A user id that is empty by mistake is nobody, not everybody.
	start()
	for _, f := range []authtoken.Filter{
		{}, {Intent: authtoken.IntentAPI}, {Identifier: "t1"}, {Search: "t"},
		{AllUsers: true, User: 2}, {AllUsers: true, Username: "alice"},
	} {
		for _, revoke := range []func(context.Context, authtoken.Filter) ([]authtoken.Token, error){svc.Revoke, svc.As(root.PK).Revoke} {
			_, err := revoke(t.Context(), f)
			require.ErrorContains(t, err, "user")
		}
	}
	page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
	require.NoError(t, err)
	require.Equal(t, 4, page.Count)
	_, err = svc.Revoke(t.Context(), authtoken.Filter{Intent: "x", AllUsers: true})
	require.Error(t, err)
}
