package authtoken_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
)

// The users of these tests.
var (
	root  = authtoken.User{PK: 1, Username: "root", Active: true, Superuser: true}
	alice = authtoken.User{PK: 2, Username: "alice", Active: true}
	bob   = authtoken.User{PK: 3, Username: "Bob", Active: true,
		Attributes: map[string]any{authtoken.AttributeExpires: false}}
	carol = authtoken.User{PK: 4, Username: "carol", Active: true,
		Attributes: map[string]any{authtoken.AttributeMaximumLifetime: "hours=2"}}
	dave = authtoken.User{PK: 5, Username: "dave"}
)

func newService(t *testing.T, policy authtoken.Policy) (*authtoken.Service, *authtokentest.Clock) {
	t.Helper()
	users, err := authtoken.NewUserList(root, alice, bob, carol, dave)
	require.NoError(t, err)
	return authtokentest.NewService(t, authtoken.Config{Users: users, Policy: policy})
}

func TestOwnership(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	make := func(by authtoken.User, p authtoken.CreateParams) authtoken.Token {
		token, _, err := svc.As(by.PK).Create(t.Context(), p)
		require.NoError(t, err)
		return token
	}
	require.EqualValues(t, 2, make(alice, authtoken.CreateParams{Identifier: "a"}).User)
	require.EqualValues(t, 2, make(alice, authtoken.CreateParams{Identifier: "b", User: 3}).User)
	require.EqualValues(t, 1, make(root, authtoken.CreateParams{Identifier: "c"}).User)
	require.EqualValues(t, 3, make(root, authtoken.CreateParams{Identifier: "d", User: 3}).User)

	_, _, err := svc.As(alice.PK).Create(t.Context(), authtoken.CreateParams{Identifier: "e", User: 99})
	requireFaults(t, err, `user: Invalid pk "99" - object does not exist.`)
}

func TestExpiringIsForSuperusersToChoose(t *testing.T) {
	t.Parallel()
	for _, policy := range []authtoken.Policy{{}, authtoken.Authentik()} {
		svc, _ := newService(t, policy)
		for i, c := range []struct {
			by       authtoken.User
			user     int64
			asked    *bool
			expiring bool
		}{
			{alice, 0, nil, true}, {alice, 0, new(false), true},
			{bob, 0, nil, false}, {bob, 0, new(true), false},
			{root, 0, nil, true}, {root, 0, new(false), false},
			{root, 3, nil, true}, {root, 2, new(false), false},
		} {
			identifier := fmt.Sprint("t", i)
			token, _, err := svc.As(c.by.PK).Create(t.Context(), authtoken.CreateParams{
				Identifier: identifier, User: c.user, Expiring: c.asked})
			require.NoError(t, err)
			require.Equal(t, c.expiring, token.Expiring, "%+v", c)

			if c.by.Superuser {
				continue
			}
			// Nor can they change it afterwards.
			token, err = svc.As(c.by.PK).Update(t.Context(), identifier, authtoken.UpdateParams{Expiring: new(!c.expiring)})
			require.NoError(t, err)
			require.Equal(t, c.expiring, token.Expiring)
		}
		token, err := svc.As(root.PK).Update(t.Context(), "t0", authtoken.UpdateParams{Expiring: new(false)})
		require.NoError(t, err)
		require.False(t, token.Expiring)
	}
}

// What a plain user gets from another's token must be what they get from one
// that does not exist, for every call and every state of the token.
func TestForeignTokensAreNotThere(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{})
	create(t, svc, authtoken.CreateParams{Identifier: "foreign", User: 2, Managed: "m", Description: "d"})
	create(t, svc, authtoken.CreateParams{Identifier: "expired", User: 2, Expires: clock.Now()})
	create(t, svc, authtoken.CreateParams{Identifier: "own", User: 4})
	as := svc.As(carol.PK)
	foreign, err := svc.Get(t.Context(), "foreign")
	require.NoError(t, err)

	calls := map[string]func(identifier string) error{
		"Get": func(id string) error { _, err := as.Get(t.Context(), id); return err },
		"Update": func(id string) error {
			_, err := as.Update(t.Context(), id, authtoken.UpdateParams{})
			return err
		},
		"Update, faulty": func(id string) error {
			_, err := as.Update(t.Context(), id, authtoken.UpdateParams{Identifier: new(""), User: new(int64(2))})
			return err
		},
		"Update, onto another": func(id string) error {
			_, err := as.Update(t.Context(), id, authtoken.UpdateParams{Identifier: new("own")})
			return err
		},
		"Update if": func(id string) error {
			_, err := as.Update(t.Context(), id, authtoken.UpdateParams{}, authtoken.IfRevision(foreign.Revision()))
			return err
		},
		"Update if changed": func(id string) error {
			_, err := as.Update(t.Context(), id, authtoken.UpdateParams{}, authtoken.IfRevision("other"))
			return err
		},
		"Replace":  func(id string) error { _, err := as.Replace(t.Context(), id, authtoken.UpdateParams{}); return err },
		"Delete":   func(id string) error { return as.Delete(t.Context(), id) },
		"DeleteIf": func(id string) error { return as.Delete(t.Context(), id, authtoken.IfRevision(foreign.Revision())) },
		"RotateIf": func(id string) error {
			_, _, err := as.Rotate(t.Context(), id, time.Hour, authtoken.IfRevision(foreign.Revision()))
			return err
		},
		"SetKey": func(id string) error { return as.SetKey(t.Context(), id, "short") },
		"Reveal": func(id string) error { _, err := as.Reveal(t.Context(), id); return err },
	}
	for name, call := range calls {
		want := call("nothing")
		require.ErrorIs(t, want, authtoken.ErrNotFound, name)
		for _, id := range []string{"foreign", "expired"} {
			require.Equal(t, want.Error(), call(id).Error(), "%s of %s", name, id)
		}
	}

	for name, f := range map[string]authtoken.Filter{
		"identifier":  {Identifier: "foreign"},
		"user":        {User: 2},
		"username":    {Username: "alice"},
		"description": {Description: "d"},
		"managed":     {Managed: "m"},
		"search":      {Search: "foreign"},
		"search name": {Search: "alice"},
	} {
		page, err := as.Page(t.Context(), f, 1, 10)
		require.NoError(t, err, name)
		require.Zero(t, page.Count, name)
		require.Empty(t, page.Tokens, name)
		tokens, next, err := as.List(t.Context(), f, "", 10)
		require.NoError(t, err, name)
		require.Empty(t, tokens, name)
		require.Empty(t, next, name)
	}
	page, err := as.Page(t.Context(), authtoken.Filter{}, 1, 10)
	require.NoError(t, err)
	require.Equal(t, 1, page.Count)

	unchanged, err := svc.Get(t.Context(), "foreign")
	require.NoError(t, err)
	require.Equal(t, foreign, unchanged)
}

func TestSetKeyIsForSuperusers(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	create(t, svc, authtoken.CreateParams{Identifier: "a", User: 2})
	require.ErrorIs(t, svc.As(alice.PK).SetKey(t.Context(), "a", "short"), authtoken.ErrForbidden)
	require.ErrorIs(t, svc.As(bob.PK).SetKey(t.Context(), "a", "short"), authtoken.ErrNotFound)
	require.NoError(t, svc.As(root.PK).SetKey(t.Context(), "a", "a-key-of-more-than-thirty-two-bytes"))
}

func TestIntentsThatMayBeAskedFor(t *testing.T) {
	t.Parallel()
	both := []authtoken.Intent{authtoken.IntentAPI, authtoken.IntentAppPassword}
	for _, c := range []struct {
		policy  authtoken.Policy
		by      authtoken.User
		allowed []authtoken.Intent
	}{
		{authtoken.Policy{}, root, authtoken.Intents()},
		{authtoken.Policy{}, alice, both},
		{authtoken.Authentik(), root, both},
		{authtoken.Authentik(), alice, both},
		{authtoken.Policy{UserIntents: []authtoken.Intent{}}, alice, nil},
	} {
		svc, _ := newService(t, c.policy)
		for _, intent := range authtoken.Intents() {
			_, _, err := svc.As(c.by.PK).Create(t.Context(), authtoken.CreateParams{Identifier: string(intent), Intent: intent})
			if slices.Contains(c.allowed, intent) {
				require.NoError(t, err)
			} else {
				requireFaults(t, err, "intent: Invalid intent "+string(intent))
			}
			create(t, svc, authtoken.CreateParams{Identifier: "trusted-" + string(intent), User: 2, Intent: intent})
		}
	}
}

// An intent that a user may not ask for is not for them to use either: whoever
// may rotate or be shown a recovery key has one.
func TestIntentsThatMayNotBeUsed(t *testing.T) {
	t.Parallel()
	for _, intent := range []authtoken.Intent{authtoken.IntentRecovery, authtoken.IntentVerification} {
		t.Run(string(intent), func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, authtoken.Policy{})
			before, key := create(t, svc, authtoken.CreateParams{Identifier: "r", User: 2, Intent: intent})
			apiKey := loginKey(t, svc, alice)
			for name, as := range map[string]*authtoken.Access{
				"person": svc.As(alice.PK), "key": svc.For(check(t, svc, apiKey)),
			} {
				_, err := as.Update(t.Context(), "r", authtoken.UpdateParams{Description: new("mine")})
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				_, err = as.Update(t.Context(), "r", authtoken.UpdateParams{Intent: new(authtoken.IntentAPI)})
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				_, err = as.Replace(t.Context(), "r", authtoken.UpdateParams{Identifier: new("r")})
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				_, _, err = as.Rotate(t.Context(), "r", 0)
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				_, err = as.Reveal(t.Context(), "r")
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				require.ErrorIs(t, as.SetKey(t.Context(), "r", "a-key-of-more-than-thirty-two-bytes"), authtoken.ErrForbidden, name)

				page, err := as.Page(t.Context(), authtoken.Filter{Intent: intent}, 1, 10)
				require.NoError(t, err, name)
				require.Equal(t, []authtoken.Token{before}, page.Tokens, name)
			}
			_, err := svc.Authenticate(t.Context(), key, intent)
			require.NoError(t, err, "the key that was handed out is still the only one")

			_, err = svc.As(root.PK).Update(t.Context(), "r", authtoken.UpdateParams{Description: new("checked")})
			require.NoError(t, err, "superusers may")
			require.NoError(t, svc.As(alice.PK).Delete(t.Context(), "r"))
		})
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	owner, err := svc.As(root.PK).Owner(t.Context(), authtoken.Token{User: 2})
	require.NoError(t, err)
	require.Equal(t, alice, owner)
	owner, err = svc.As(root.PK).Owner(t.Context(), authtoken.Token{User: 99})
	require.NoError(t, err)
	require.Equal(t, authtoken.User{PK: 99}, owner, "a token outlives its owner")
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "a", User: 2, Expires: clock.Now().Add(time.Hour)})
	_, inactive := create(t, svc, authtoken.CreateParams{Identifier: "d", User: 5})

	p, err := svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, "a", p.Token.Identifier)
	require.Equal(t, alice, p.User)
	_, err = svc.Authenticate(t.Context(), key, authtoken.IntentRecovery, authtoken.IntentAPI)
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), key, authtoken.IntentAppPassword)
	require.ErrorIs(t, err, authtoken.ErrKeyIntent)
	_, err = svc.Authenticate(t.Context(), inactive)
	require.ErrorIs(t, err, authtoken.ErrUserInactive)

	clock.Advance(time.Hour - time.Microsecond)
	_, err = svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	clock.Advance(time.Microsecond)
	_, err = svc.Authenticate(t.Context(), key)
	require.ErrorIs(t, err, authtoken.ErrKeyExpired)

	_, err = svc.Update(t.Context(), "a", authtoken.UpdateParams{Expiring: new(false)})
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), key)
	require.NoError(t, err, "it does not expire any more")
}

// No intents are those of an API, and an empty list is none.
func TestAuthenticateWithoutIntents(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	for _, intent := range authtoken.Intents() {
		t.Run(string(intent), func(t *testing.T) {
			t.Parallel()
			_, key := create(t, svc, authtoken.CreateParams{Identifier: string(intent), User: 2, Intent: intent})
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
