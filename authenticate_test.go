package authtoken_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user    authtoken.User
		after   time.Duration
		intents []authtoken.Intent
		err     error
	}{
		"good":               {alice, 0, nil, nil},
		"one of the intents": {alice, 0, []authtoken.Intent{authtoken.IntentRecovery, authtoken.IntentAPI}, nil},
		"another intent":     {alice, 0, []authtoken.Intent{authtoken.IntentAppPassword}, authtoken.ErrKeyIntent},
		"inactive user":      {dave, 0, nil, authtoken.ErrUserInactive},
		"just before expiry": {alice, time.Hour - time.Microsecond, nil, nil},
		"at expiry":          {alice, time.Hour, nil, authtoken.ErrKeyExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, clock := newService(t, authtoken.Policy{})
			token, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: c.user.ID, Expires: clock.Now().Add(time.Hour)})
			clock.Advance(c.after)
			who, err := svc.Authenticate(t.Context(), key, c.intents...)
			require.ErrorIs(t, err, c.err)
			if c.err != nil {
				require.ErrorIs(t, err, authtoken.ErrRefused)
				require.Equal(t, authtoken.Principal{}, who)
				return
			}
			require.Equal(t, token, who.Token)
			require.Equal(t, c.user, who.User)
		})
	}
	t.Run("made not to expire", func(t *testing.T) {
		t.Parallel()
		svc, clock := newService(t, authtoken.Policy{})
		_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
		clock.Advance(time.Hour)
		_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Expiring: new(false)})
		require.NoError(t, err)
		_, err = svc.Authenticate(t.Context(), key)
		require.NoError(t, err)
	})
	t.Run("user gone", func(t *testing.T) {
		t.Parallel()
		users := &switchable{Directory: userList(t, alice)}
		svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
		_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
		users.Directory = userList(t, bob)
		_, err := svc.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, authtoken.ErrUserInactive)
	})
}

// No intents are those of an API, and an empty list is none.
func TestAuthenticateWithoutIntents(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	for _, intent := range authtoken.Intents() {
		t.Run(string(intent), func(t *testing.T) {
			t.Parallel()
			_, key := create(t, svc, authtoken.CreateParams{Identifier: string(intent), User: alice.ID, Intent: intent})
			_, err := svc.Authenticate(t.Context(), key)
			if intent == authtoken.IntentAPI {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, authtoken.ErrKeyIntent)
			}
			_, err = svc.Authenticate(t.Context(), key, []authtoken.Intent{}...)
			require.ErrorIs(t, err, authtoken.ErrKeyIntent)
			_, err = svc.Authenticate(t.Context(), key, authtoken.Intents()...)
			require.NoError(t, err)
		})
	}
}

// What is refused must not take longer for one reason than for another. At least the
// store is asked as often.
func TestUnknownAndExpiredCostTheSame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(ctx context.Context, svc *authtoken.Service, now time.Time) error
		err   error
	}{
		"unknown": {func(ctx context.Context, svc *authtoken.Service, _ time.Time) error {
			return svc.Delete(ctx, "one")
		}, authtoken.ErrKeyUnknown},
		"expired": {func(ctx context.Context, svc *authtoken.Service, now time.Time) error {
			_, err := svc.Update(ctx, "one", authtoken.UpdateParams{Expires: &now})
			return err
		}, authtoken.ErrKeyExpired},
		"retired": {func(ctx context.Context, svc *authtoken.Service, _ time.Time) error {
			_, _, err := svc.Rotate(ctx, "one", 0)
			return err
		}, authtoken.ErrKeyRetired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := &counting{Store: memory.New()}
			clock := authtokentest.NewClock(time.Now())
			svc, err := authtoken.New(st, authtoken.Config{Now: clock.Now})
			require.NoError(t, err)
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
			require.NoError(t, c.spoil(t.Context(), svc, clock.Now()))
			st.asked = 0
			_, err = svc.Authenticate(t.Context(), key)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, 1, st.asked)
		})
	}
}

func TestRevokeOnReuse(t *testing.T) {
	t.Parallel()
	svc, clock, told := newObserved(t, authtoken.Config{Policy: authtoken.Policy{RevokeOnReuse: true}})
	_, first := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
	_, second, err := svc.Rotate(t.Context(), "one", time.Minute)
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), first)
	require.NoError(t, err, "in the overlap it is no misuse")
	clock.Advance(time.Minute)
	told.take()
	_, err = svc.Authenticate(t.Context(), first)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	require.Equal(t, []string{
		"refused one - key refused: it has been replaced",
		"revoked one - key refused: it has been replaced",
	}, told.take())
	_, err = svc.Authenticate(t.Context(), second.Reveal())
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
}

// A token whose old key is used is deleted, whatever becomes of it meanwhile.
func TestRevokeOnReuseOfATokenThatChanges(t *testing.T) {
	t.Parallel()
	rename := func(t *testing.T, svc *authtoken.Service) {
		_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Identifier: new("renamed")})
		require.NoError(t, err)
	}
	rotate := func(t *testing.T, svc *authtoken.Service) {
		_, _, err := svc.Rotate(t.Context(), "one", time.Hour)
		require.NoError(t, err)
	}
	for name, meanwhile := range map[string][]func(t *testing.T, svc *authtoken.Service){
		"renamed":             {rename},
		"rotated":             {rotate},
		"rotated and renamed": {rotate, rename},
		"deleted": {func(t *testing.T, svc *authtoken.Service) {
			require.NoError(t, svc.Delete(t.Context(), "one"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := &meddled{Store: memory.New()}
			svc, err := authtoken.New(st, authtoken.Config{Policy: authtoken.Policy{RevokeOnReuse: true}})
			require.NoError(t, err)
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
			_, _, err = svc.Rotate(t.Context(), "one", 0)
			require.NoError(t, err)
			st.beforeDelete = func() {
				for _, do := range meanwhile {
					do(t, svc)
				}
			}
			_, err = svc.Authenticate(t.Context(), key)
			require.ErrorIs(t, err, authtoken.ErrKeyRetired)
			page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
			require.NoError(t, err)
			require.Empty(t, page.Tokens)
		})
	}
}

func TestWhereFromIsMadeFitToKeep(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{TrackLastUsed: true})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	_, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: "a\x00b\xff" + strings.Repeat("ä", 1000)})
	require.NoError(t, err)
	require.NoError(t, svc.FlushLastUsed(t.Context()))
	token, err := svc.Get(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, "ab"+strings.Repeat("ä", 125), token.LastUsedFrom)
}
