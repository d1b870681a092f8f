package authtoken_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
)

func TestPrincipalPrintsNoDigest(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
	for name, c := range map[string]struct {
		who  authtoken.Principal
		want string
	}{
		"of a key":  {check(t, svc, key), "user 2 by token one"},
		"signed in": {authtoken.SignedIn(bob.ID), "user 3"},
		"nobody":    {authtoken.Principal{}, "user "},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			t.Run(name+"/"+verb, func(t *testing.T) {
				t.Parallel()
				require.Equal(t, c.want, fmt.Sprintf(verb, c.who))
			})
		}
	}
}

// keyThatEnds is the access of one key that ends in an hour, of the token "acting".
type keyThatEnds struct {
	*authtoken.Access
	svc   *authtoken.Service
	clock *authtokentest.Clock
	owner authtoken.User
	ends  time.Time
}

// overKeysThatEnd runs a test for the key of a user, and for that of a superuser.
func overKeysThatEnd(t *testing.T, name string, test func(t *testing.T, key keyThatEnds)) {
	t.Helper()
	for _, owner := range []authtoken.User{alice, root} {
		t.Run(name+"/"+owner.Username, func(t *testing.T) {
			t.Parallel()
			svc, clock := newService(t, authtoken.Policy{})
			ends := clock.Now().Add(time.Hour)
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "acting", User: owner.ID, Expires: ends})
			test(t, keyThatEnds{svc.For(check(t, svc, key)), svc, clock, owner, ends})
		})
	}
}

// What a key may do that ends in an hour, while its owner may do anything.
func TestKeyThatEnds(t *testing.T) {
	t.Parallel()
	overKeysThatEnd(t, "what it makes ends with it, or before", func(t *testing.T, key keyThatEnds) {
		token, _, err := key.Create(t.Context(), authtoken.CreateParams{Identifier: "new"})
		require.NoError(t, err)
		require.Equal(t, key.clock.Now().Add(30*time.Minute), token.Expires, "the policy's")
		token, err = key.Update(t.Context(), "new", authtoken.UpdateParams{Expires: &key.ends})
		require.NoError(t, err)
		require.Equal(t, key.ends, token.Expires)
	})
	for name, p := range map[string]struct {
		ask  func(key keyThatEnds, p *authtoken.CreateParams)
		want func(key keyThatEnds) string // empty if it is not heeded
	}{
		"a later expiry": {
			func(key keyThatEnds, p *authtoken.CreateParams) { p.Expires = key.ends.Add(time.Microsecond) },
			func(key keyThatEnds) string {
				return "expires is after the acting key ends: " + key.ends.Format(time.RFC3339Nano)
			},
		},
		"another intent": {
			func(_ keyThatEnds, p *authtoken.CreateParams) { p.Intent = authtoken.IntentAppPassword },
			func(keyThatEnds) string { return "intent is beyond the limits of the acting key" },
		},
		"no expiry": {
			func(_ keyThatEnds, p *authtoken.CreateParams) { p.Expiring = new(false) },
			func(key keyThatEnds) string {
				if key.owner.Superuser {
					return "expiring is beyond the limits of the acting key"
				}
				return "" // users who are no superusers do not choose
			},
		},
	} {
		overKeysThatEnd(t, "it may not ask for "+name, func(t *testing.T, key keyThatEnds) {
			asked := authtoken.CreateParams{Identifier: "more"}
			p.ask(key, &asked)
			update := authtoken.UpdateParams{Expiring: asked.Expiring}
			if asked.Intent != "" {
				update.Intent = &asked.Intent
			}
			if !asked.Expires.IsZero() {
				update.Expires = &asked.Expires
			}
			_, _, err := key.Create(t.Context(), authtoken.CreateParams{Identifier: "new"})
			require.NoError(t, err)
			_, _, errCreate := key.Create(t.Context(), asked)
			_, errNew := key.Update(t.Context(), "new", update)
			_, errActing := key.Update(t.Context(), "acting", update)
			for _, err := range []error{errCreate, errNew, errActing} {
				if want := p.want(key); want != "" {
					requireFaults(t, err, want)
				} else {
					require.NoError(t, err)
				}
			}
			for token, err := range key.All(t.Context(), authtoken.Filter{}) {
				require.NoError(t, err)
				require.True(t, token.Expiring)
				require.False(t, token.Expires.After(key.ends))
				require.Equal(t, authtoken.IntentAPI, token.Intent)
			}
		})
	}
	overKeysThatEnd(t, "itself and its like it may use", func(t *testing.T, key keyThatEnds) {
		_, _, err := key.Create(t.Context(), authtoken.CreateParams{Identifier: "new"})
		require.NoError(t, err)
		_, err = key.Update(t.Context(), "acting", authtoken.UpdateParams{Description: new("mine")})
		require.NoError(t, err)
		_, _, err = key.Rotate(t.Context(), "new", 0)
		require.NoError(t, err)
		require.NoError(t, key.Delete(t.Context(), "new"))
	})
	for name, make := range map[string]func(key keyThatEnds) authtoken.CreateParams{
		"longer": func(key keyThatEnds) authtoken.CreateParams {
			return authtoken.CreateParams{Expires: key.ends.Add(time.Microsecond)}
		},
		"for ever": func(keyThatEnds) authtoken.CreateParams { return authtoken.CreateParams{Expiring: new(false)} },
		"another intent": func(key keyThatEnds) authtoken.CreateParams {
			return authtoken.CreateParams{Expires: key.ends, Intent: authtoken.IntentAppPassword}
		},
	} {
		overKeysThatEnd(t, "it may see and not touch/"+name, func(t *testing.T, key keyThatEnds) {
			p := make(key)
			p.Identifier, p.User = "target", key.owner.ID
			before, targetKey := create(t, key.svc, p)
			for act, do := range acts(t.Context(), key.Access) {
				switch act {
				case "Update", "Rotate", "Reveal", "SetKey", "Delete", "Revoke":
					require.ErrorIs(t, do(), authtoken.ErrForbidden, act)
				}
			}
			_, err := key.Update(t.Context(), "target", authtoken.UpdateParams{Expires: &key.ends, Intent: new(authtoken.IntentAPI)})
			require.ErrorIs(t, err, authtoken.ErrForbidden)
			after, err := key.Get(t.Context(), "target")
			require.NoError(t, err)
			require.Equal(t, before, after)
			check(t, key.svc, targetKey)
		})
	}
	overKeysThatEnd(t, "expired, it does nothing any more", func(t *testing.T, key keyThatEnds) {
		_, err := key.svc.Update(t.Context(), "acting", authtoken.UpdateParams{Expires: new(key.clock.Now())})
		require.NoError(t, err)
		_, _, err = key.Create(t.Context(), authtoken.CreateParams{Identifier: "late"})
		require.ErrorIs(t, err, authtoken.ErrKeyExpired)
	})
	overKeysThatEnd(t, "deleted, it does nothing any more", func(t *testing.T, key keyThatEnds) {
		require.NoError(t, key.svc.Delete(t.Context(), "acting"))
		_, _, err := key.Create(t.Context(), authtoken.CreateParams{Identifier: "late"})
		require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	})
}

// A key that has been replaced ends with its overlap, however long its token lives.
func TestKeyInItsOverlap(t *testing.T) {
	t.Parallel()
	for name, checkedBefore := range map[string]bool{"checked before": true, "checked since": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, clock := newService(t, authtoken.Policy{})
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Expiring: new(false)})
			as := svc.For(check(t, svc, key))
			_, _, err := as.Rotate(t.Context(), "one", time.Hour)
			require.NoError(t, err, "a key that never ends is as free as its owner")
			if !checkedBefore {
				as = svc.For(check(t, svc, key))
			}

			_, _, err = as.Rotate(t.Context(), "one", time.Hour)
			require.ErrorIs(t, err, authtoken.ErrForbidden)
			require.ErrorIs(t, as.Delete(t.Context(), "one"), authtoken.ErrForbidden)
			token, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "two", Expires: clock.Now().Add(time.Hour)})
			require.NoError(t, err)
			require.Equal(t, clock.Now().Add(time.Hour), token.Expires)
			clock.Advance(time.Hour)
			_, _, err = as.Create(t.Context(), authtoken.CreateParams{Identifier: "late"})
			require.ErrorIs(t, err, authtoken.ErrKeyRetired)
		})
	}
}

// A token that its owner would keep for ever ends with the key that makes it.
func TestKeyThatEndsForWhoseTokensDoNot(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]authtoken.Policy{"default": {}, "optional expiry": {OptionalExpiry: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, clock := newService(t, policy)
			ends := clock.Now().Add(time.Minute)
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: bob.ID, Expires: ends})
			token, _, err := svc.For(check(t, svc, key)).Create(t.Context(), authtoken.CreateParams{Identifier: "two"})
			require.NoError(t, err)
			require.True(t, token.Expiring)
			require.Equal(t, ends, token.Expires)
		})
	}
}

func TestUnboundedKeys(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{UnboundedKeys: true})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
	token, _, err := svc.For(check(t, svc, key)).Create(t.Context(), authtoken.CreateParams{
		Identifier: "two", Expires: clock.Now().Add(1000 * time.Hour)})
	require.NoError(t, err)
	require.Equal(t, clock.Now().Add(1000*time.Hour), token.Expires)

	for name, p := range map[string]authtoken.Policy{
		"FixedAPILifetime requires it": {FixedAPILifetime: true},
		"RenewExpired requires it":     {RenewExpired: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := authtoken.New(memory.New(), authtoken.Config{Policy: p})
			require.ErrorContains(t, err, "Config.Policy.UnboundedKeys")
		})
	}
}

// What counts is who the owner of a key is when it acts, and not when it was checked.
func TestKeyOfAUserWhoHasChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(u *authtoken.User)
		err    error
	}{
		"not at all":         {func(*authtoken.User) {}, nil},
		"inactive":           {func(u *authtoken.User) { u.Active = false }, authtoken.ErrUserInactive},
		"gone":               {func(u *authtoken.User) { u.ID = "another" }, authtoken.ErrUserInactive},
		"no superuser":       {func(u *authtoken.User) { u.Superuser = false }, authtoken.ErrForbidden},
		"another, same ID":   {func(u *authtoken.User) { u.Created = time.Now().Add(time.Hour) }, authtoken.ErrKeyUser},
		"with a new maximum": {func(u *authtoken.User) { u.MaxLifetime = time.Minute }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := &switchable{Directory: userList(t, root)}
			svc, clock := authtokentest.NewService(t, authtoken.Config{Users: users, CacheSize: 10})
			as := svc.For(check(t, svc, loginKey(t, svc, root)))
			create(t, svc, authtoken.CreateParams{Identifier: "target", User: root.ID})
			changed := root
			c.change(&changed)
			users.Directory = userList(t, changed)

			require.ErrorIs(t, as.SetKey(t.Context(), "target", importedKey), c.err)
			token, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "new"})
			if c.err != nil && name != "no superuser" {
				require.ErrorIs(t, err, c.err)
				require.ErrorIs(t, err, authtoken.ErrRefused)
				return
			}
			require.NoError(t, err)
			lifetime := 30 * time.Minute
			if changed.MaxLifetime != 0 {
				lifetime = changed.MaxLifetime
			}
			require.Equal(t, clock.Now().Add(lifetime), token.Expires)
		})
	}
}

// An act through a key reads the token past the cache.
func TestKeyRevokedElsewhere(t *testing.T) {
	t.Parallel()
	st := memory.New()
	cached, err := authtoken.New(st, authtoken.Config{CacheSize: 10})
	require.NoError(t, err)
	other, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	_, key := create(t, cached, authtoken.CreateParams{Identifier: "one", Expiring: new(false)})
	check(t, cached, key)
	require.NoError(t, other.Delete(t.Context(), "one"))
	_, _, err = cached.For(check(t, cached, key)).Create(t.Context(), authtoken.CreateParams{Identifier: "two"})
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
}

// What a check has found out does for reading for a second. After that the token and
// its owner are read again.
func TestKeptPrincipal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		later  time.Duration
		meddle func(t *testing.T, svc *authtoken.Service, users *changing)
		want   error
	}{
		"inactive": {time.Second, func(_ *testing.T, _ *authtoken.Service, users *changing) { users.user.Active = false },
			authtoken.ErrUserInactive},
		"in the past": {-time.Hour, func(_ *testing.T, _ *authtoken.Service, users *changing) { users.user.Active = false },
			authtoken.ErrUserInactive},
		"deleted": {time.Second, func(t *testing.T, svc *authtoken.Service, _ *changing) {
			require.NoError(t, svc.Delete(t.Context(), "mine"))
		}, authtoken.ErrKeyUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := &changing{root}
			clock := authtokentest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
			svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users, Now: clock.Now})
			require.NoError(t, err)
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "mine", User: root.ID, Expiring: new(false)})
			create(t, svc, authtoken.CreateParams{Identifier: "target", User: root.ID})
			kept := svc.For(check(t, svc, key))
			c.meddle(t, svc, users)
			_, err = kept.Get(t.Context(), "target")
			require.NoError(t, err, "it was checked just now")
			clock.Advance(c.later)
			for act, do := range acts(t.Context(), kept) {
				require.ErrorIs(t, do(), c.want, act)
			}
		})
	}
}

// A principal is good for the service that made it and what is derived from it.
func TestPrincipalOfAnotherService(t *testing.T) {
	t.Parallel()
	one, err := authtoken.New(memory.New(), authtoken.Config{Users: userList(t, root)})
	require.NoError(t, err)
	st := memory.New()
	two, err := authtoken.New(st, authtoken.Config{Users: userList(t, root)})
	require.NoError(t, err)
	_, key := create(t, one, authtoken.CreateParams{User: root.ID})
	_, own := create(t, two, authtoken.CreateParams{Identifier: "target", User: root.ID})
	for act, do := range acts(t.Context(), two.For(check(t, one, key))) {
		t.Run(act, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, do(), authtoken.ErrForbidden)
		})
	}
	_, err = two.WithStore(st, nil).For(check(t, two, own)).Get(t.Context(), "target")
	require.NoError(t, err)
}

// A key acts for as long as it would be accepted as it was when it was checked.
func TestKeyWhoseIntentHasChanged(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Expiring: new(false)})
	as := svc.For(check(t, svc, key))
	_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Intent: new(authtoken.IntentVerification)})
	require.NoError(t, err)
	_, _, err = as.Create(t.Context(), authtoken.CreateParams{})
	require.ErrorIs(t, err, authtoken.ErrKeyIntent)
}
