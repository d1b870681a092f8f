package authtoken_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

// What is found out about a key, and that finding it does nothing else.
func TestFind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token    authtoken.CreateParams
		happens  func(t *testing.T, svc *authtoken.Service)
		waits    time.Duration
		replaced bool
		refusal  error
	}{
		"good":           {},
		"another intent": {token: authtoken.CreateParams{Intent: authtoken.IntentRecovery}},
		"from networks":  {token: authtoken.CreateParams{Networks: prefixes("192.0.2.0/24")}},
		"limited":        {token: authtoken.CreateParams{Scopes: []string{"notes:read"}}},
		"expired":        {waits: time.Hour, refusal: authtoken.ErrKeyExpired},
		"suspended":      {token: authtoken.CreateParams{Suspended: true}, refusal: authtoken.ErrKeySuspended},
		"inactive owner": {token: authtoken.CreateParams{User: dave.ID}, refusal: authtoken.ErrUserInactive},
		"in its overlap": {happens: func(t *testing.T, svc *authtoken.Service) {
			_, _, err := svc.Rotate(t.Context(), "one", time.Minute)
			require.NoError(t, err)
		}, replaced: true},
		"replaced": {happens: func(t *testing.T, svc *authtoken.Service) {
			_, _, err := svc.Rotate(t.Context(), "one", 0)
			require.NoError(t, err)
		}, replaced: true, refusal: authtoken.ErrKeyRetired},
		"replaced twice": {happens: func(t *testing.T, svc *authtoken.Service) {
			for range 2 {
				_, _, err := svc.Rotate(t.Context(), "one", time.Minute)
				require.NoError(t, err)
			}
		}, replaced: true, refusal: authtoken.ErrKeyRetired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, clock, told := newObserved(t, authtoken.Config{
				TrackLastUsed: true, Policy: authtoken.Policy{RevokeOnReuse: true, Scopes: notes, DefaultScopes: []string{"*"}},
			})
			c.token.Identifier = "one"
			if c.token.User == "" {
				c.token.User = alice.ID
			}
			_, key := create(t, svc, c.token)
			if c.happens != nil {
				c.happens(t, svc)
			}
			clock.Advance(c.waits)
			told.take()
			found, err := svc.Find(t.Context(), " "+key+"\r\n")
			require.NoError(t, err)
			require.Equal(t, "one", found.Token.Identifier)
			require.Equal(t, c.replaced, found.Replaced)
			require.ErrorIs(t, found.Refusal, c.refusal)
			require.Equal(t, c.refusal == nil, found.Refusal == nil)
			require.Equal(t, []string{"found one -"}, told.take())

			require.NoError(t, svc.FlushLastUsed(t.Context()))
			is, err := svc.Get(t.Context(), "one")
			require.NoError(t, err)
			require.Equal(t, found.Token, is, "nothing has changed")
		})
	}
}

func TestFindNothing(t *testing.T) {
	t.Parallel()
	svc, _, told := newObserved(t, authtoken.Config{})
	create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
	told.take()
	for _, key := range []string{"", " ", "tok_", importedKey} {
		t.Run(key, func(t *testing.T) {
			_, err := svc.Find(t.Context(), key)
			require.ErrorIs(t, err, authtoken.ErrNotFound)
			require.Empty(t, told.take())
		})
	}
	broken, err := authtoken.New(failing{memory.New()}, authtoken.Config{})
	require.NoError(t, err)
	_, err = broken.Find(t.Context(), importedKey)
	require.ErrorIs(t, err, errDisk)
}

// The drill: a key has leaked.
func TestLeakDrill(t *testing.T) {
	t.Parallel()
	svc, _, told := newObserved(t, authtoken.Config{})
	_, leaked := create(t, svc, authtoken.CreateParams{Identifier: "deploy", User: alice.ID})
	found, err := svc.Find(t.Context(), leaked)
	require.NoError(t, err)
	require.NoError(t, suspend(t, &svc.Access, found.Token.Identifier, true))
	told.take()
	_, err = svc.Authenticate(t.Context(), leaked)
	require.ErrorIs(t, err, authtoken.ErrRefused)
	require.Equal(t, []string{"refused deploy - key refused: its token is suspended"}, told.take())

	_, key, err := svc.Rotate(t.Context(), "deploy", 0)
	require.NoError(t, err)
	require.NoError(t, suspend(t, &svc.Access, "deploy", false))
	check(t, svc, key.Reveal())
	_, err = svc.Authenticate(t.Context(), leaked)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
}
