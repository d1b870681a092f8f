package authtoken_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// Whoever kept a key cannot wait until it has been replaced twice.
func TestEarlierKeys(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]bool{"refused": false, "revoked on reuse": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, clock, told := newObserved(t, authtoken.Config{Policy: authtoken.Policy{RevokeOnReuse: revoke}})
			var keys []string
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
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
					require.Equal(t, []string{"refused  - key refused: no token has it"}, told.take())
					continue
				}
				require.ErrorIs(t, err, authtoken.ErrKeyRetired)
				want := []string{"refused one - key refused: it has been replaced"}
				if revoke {
					want = append(want, "revoked one - key refused: it has been replaced")
				}
				require.Equal(t, want, told.take(), i)
			}
			_, err := svc.Authenticate(t.Context(), key)
			require.Equal(t, !revoke, err == nil)
		})
	}
}

// To set the key that a token has already is no way to have it forget another.
func TestSetKeyOfTheSameKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ retention, later time.Duration }{
		"no retention": {-1, 0}, "default retention": {0, 31 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, clock := newService(t, authtoken.Policy{Retention: c.retention})
			_, first := create(t, svc, authtoken.CreateParams{Identifier: "one", User: root.ID, Expiring: new(false)})
			_, second, err := svc.Rotate(t.Context(), "one", time.Hour)
			require.NoError(t, err)
			for range 2 {
				require.NoError(t, svc.SetKey(t.Context(), "one", second.Reveal()))
				check(t, svc, second.Reveal())
				_, err = svc.Authenticate(t.Context(), first)
				require.ErrorIs(t, err, authtoken.ErrKeyRetired)
				clock.Advance(c.later)
			}
		})
	}
}
