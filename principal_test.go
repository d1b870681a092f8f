package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// loginKey returns a key of u's that never ends.
func loginKey(t *testing.T, svc *authtoken.Service, u authtoken.User) string {
	t.Helper()
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "login-" + u.Username, User: u.PK, Expiring: new(false)})
	return key
}

// check returns whom key stands for.
func check(t *testing.T, svc *authtoken.Service, key string) authtoken.Principal {
	t.Helper()
	who, err := svc.Authenticate(t.Context(), key, authtoken.Intents()...)
	require.NoError(t, err)
	return who
}

// acts are all that can be done with a token named "target", and "new" to create.
func acts(ctx context.Context, as *authtoken.Access) map[string]func() error {
	return map[string]func() error{
		"User": func() error { _, err := as.User(ctx); return err },
		"Create": func() error {
			_, _, err := as.Create(ctx, authtoken.CreateParams{Identifier: "new", User: 2})
			return err
		},
		"Get":    func() error { _, err := as.Get(ctx, "target"); return err },
		"Update": func() error { _, err := as.Update(ctx, "target", authtoken.UpdateParams{}); return err },
		"Replace": func() error {
			_, err := as.Replace(ctx, "target", authtoken.UpdateParams{Identifier: new("target")})
			return err
		},
		"Page": func() error { _, err := as.Page(ctx, authtoken.Filter{}, 1, 1); return err },
		"List": func() error { _, _, err := as.List(ctx, authtoken.Filter{}, "", 1); return err },
		"All": func() error {
			for _, err := range as.All(ctx, authtoken.Filter{}) {
				return err
			}
			return nil
		},
		"SetKey": func() error { return as.SetKey(ctx, "target", "a-key-of-more-than-thirty-two-bytes") },
		"Reveal": func() error { _, err := as.Reveal(ctx, "target"); return err },
		"Rotate": func() error { _, _, err := as.Rotate(ctx, "target", 0); return err },
		"Owner":  func() error { _, err := as.Owner(ctx, authtoken.Token{User: 2}); return err },
		"Owners": func() error { _, err := as.Owners(ctx, []authtoken.Token{{User: 2}}); return err },
		"Revoke": func() error { _, err := as.Revoke(ctx, authtoken.Filter{User: 2}); return err },
		"Delete": func() error { return as.Delete(ctx, "target") },
	}
}

// switchable is a directory that can be switched off.
type switchable struct {
	authtoken.Directory
	err error
}

func (d *switchable) User(ctx context.Context, pk int64) (authtoken.User, error) {
	if d.err != nil {
		return authtoken.User{}, d.err
	}
	return d.Directory.User(ctx, pk)
}

func TestNobody(t *testing.T) {
	t.Parallel()
	list, err := authtoken.NewUserList(root, alice, dave)
	require.NoError(t, err)
	users := &switchable{Directory: list}
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
	before, key := create(t, svc, authtoken.CreateParams{Identifier: "target", User: 2})
	genuine := check(t, svc, key)
	stolen := genuine
	stolen.User = root
	promoted := genuine
	promoted.User.Superuser = true
	down := errors.New("directory down")
	for name, c := range map[string]struct {
		as  *authtoken.Access
		err error
	}{
		"no user":              {svc.As(0), authtoken.ErrForbidden},
		"a negative pk":        {svc.As(-1), authtoken.ErrForbidden},
		"an unknown user":      {svc.As(99), authtoken.ErrUserNotFound},
		"an inactive user":     {svc.As(dave.PK), authtoken.ErrUserInactive},
		"the zero principal":   {svc.For(authtoken.Principal{}), authtoken.ErrForbidden},
		"signed in as nobody":  {svc.For(authtoken.SignedIn(0)), authtoken.ErrForbidden},
		"made by hand":         {svc.For(authtoken.Principal{Token: genuine.Token, User: root}), authtoken.ErrForbidden},
		"with another user":    {svc.For(stolen), authtoken.ErrForbidden},
		"with more rights":     {svc.For(promoted), authtoken.ErrForbidden},
		"while users are down": {svc.As(root.PK), down},
	} {
		for act, do := range acts(t.Context(), c.as) {
			t.Run(name+"/"+act, func(t *testing.T) {
				users.err = nil
				if errors.Is(c.err, down) {
					users.err = down
				}
				require.ErrorIs(t, do(), c.err)
			})
		}
	}
	users.err = nil
	after, err := svc.Get(t.Context(), "target")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// The directory is asked whenever a person does something.
func TestAsLooksUpTheUser(t *testing.T) {
	t.Parallel()
	users := &changing{user: root}
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users, Policy: authtoken.Policy{MaxLifetime: time.Hour}})
	as, session := svc.As(1), svc.For(authtoken.SignedIn(1))
	for _, as := range []*authtoken.Access{as, session} {
		users.user = root
		_, err := as.Page(t.Context(), authtoken.Filter{User: 2}, 1, 1)
		require.NoError(t, err)
		users.user.Superuser = false
		_, err = as.Get(t.Context(), "another's")
		require.ErrorIs(t, err, authtoken.ErrNotFound)
		_, err = as.Revoke(t.Context(), authtoken.Filter{User: 2})
		require.NoError(t, err)
		users.user.Active = false
		_, err = as.Revoke(t.Context(), authtoken.Filter{})
		require.ErrorIs(t, err, authtoken.ErrUserInactive)
	}
	users.user.PK = 2
	_, err := as.User(t.Context())
	require.ErrorContains(t, err, "the directory returned user 2")
}

type changing struct{ user authtoken.User }

func (d *changing) User(context.Context, int64) (authtoken.User, error) { return d.user, nil }

func TestPrincipalPrintsNoDigest(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: 2})
	require.Equal(t, "user 2 by token one|user 3|user 0", fmt.Sprintf("%v|%+v|%#v", check(t, svc, key), authtoken.SignedIn(3), authtoken.Principal{}))
}

// What one key may do that ends in an hour, while its owner may do anything.
func TestKeyThatEnds(t *testing.T) {
	t.Parallel()
	for _, owner := range []authtoken.User{alice, root} {
		t.Run(owner.Username, func(t *testing.T) {
			t.Parallel()
			svc, clock := newService(t, authtoken.Policy{})
			ends := clock.Now().Add(time.Hour)
			acting, key := create(t, svc, authtoken.CreateParams{Identifier: "acting", User: owner.PK, Expires: ends})
			as := svc.For(check(t, svc, key))
			ctx := t.Context()

			// What it makes ends with it, unless it is to end before.
			token, _, err := as.Create(ctx, authtoken.CreateParams{Identifier: "new"})
			require.NoError(t, err)
			require.Equal(t, clock.Now().Add(30*time.Minute), token.Expires, "the policy's")
			token, err = as.Update(ctx, "new", authtoken.UpdateParams{Expires: &ends})
			require.NoError(t, err)
			require.Equal(t, ends, token.Expires)
			for name, p := range map[string]authtoken.UpdateParams{
				"expires: A key can't make a token last longer than itself: " + ends.Format(time.RFC3339) + ".": {
					Expires: new(ends.Add(time.Microsecond))},
				`intent: A key of intent "api" can't make or change tokens of another intent.`: {
					Intent: new(authtoken.IntentAppPassword)},
			} {
				for _, identifier := range []string{"new", "acting"} {
					_, err = as.Update(ctx, identifier, p)
					requireFaults(t, err, name)
				}
				c := authtoken.CreateParams{Identifier: "more"}
				if p.Expires != nil {
					c.Expires = *p.Expires
				} else {
					c.Intent = *p.Intent
				}
				_, _, err = as.Create(ctx, c)
				requireFaults(t, err, name)
			}
			_, err = as.Update(ctx, "acting", authtoken.UpdateParams{Expiring: new(false)})
			if owner.Superuser {
				requireFaults(t, err, "expiring: A key that expires can't make tokens that do not.")
				_, _, err = as.Create(ctx, authtoken.CreateParams{Identifier: "more", Expiring: new(false)})
				requireFaults(t, err, "expiring: A key that expires can't make tokens that do not.")
			} else {
				require.NoError(t, err, "users who are no superusers do not choose")
			}
			token, err = as.Get(ctx, "acting")
			require.NoError(t, err)
			require.True(t, token.Expiring)

			// Itself and its like it may use.
			_, err = as.Update(ctx, "acting", authtoken.UpdateParams{Description: new("mine")})
			require.NoError(t, err)
			_, _, err = as.Rotate(ctx, "new", 0)
			require.NoError(t, err)
			require.NoError(t, as.Delete(ctx, "new"))

			// Anything else it may see and not touch.
			for name, p := range map[string]authtoken.CreateParams{
				"longer":         {Expires: ends.Add(time.Microsecond)},
				"for ever":       {Expiring: new(false)},
				"another intent": {Expires: ends, Intent: authtoken.IntentAppPassword},
			} {
				p.Identifier, p.User = "target", owner.PK
				before, targetKey := create(t, svc, p)
				for act, do := range acts(ctx, as) {
					switch act {
					case "Update", "Replace", "Rotate", "Reveal", "SetKey", "Delete", "Revoke":
						require.ErrorIs(t, do(), authtoken.ErrForbidden, "%s %s", act, name)
					}
				}
				_, err = as.Update(ctx, "target", authtoken.UpdateParams{Expires: &ends, Intent: new(authtoken.IntentAPI)})
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				after, err := as.Get(ctx, "target")
				require.NoError(t, err)
				require.Equal(t, before, after, name)
				check(t, svc, targetKey)
				require.NoError(t, svc.Delete(ctx, "target"))
			}

			// As soon as it is no good, it does nothing any more.
			_, err = svc.Update(ctx, "acting", authtoken.UpdateParams{Intent: new(authtoken.IntentAPI), Expires: new(clock.Now())})
			require.NoError(t, err)
			_, _, err = as.Create(ctx, authtoken.CreateParams{Identifier: "late"})
			require.ErrorIs(t, err, authtoken.ErrKeyExpired)
			require.NoError(t, svc.Delete(ctx, acting.Identifier))
			_, _, err = as.Create(ctx, authtoken.CreateParams{Identifier: "late"})
			require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
		})
	}
}

// A key that has been replaced ends with its overlap, however long its token lives.
func TestKeyInItsOverlap(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: 2, Expiring: new(false)})
	as := svc.For(check(t, svc, key))
	_, _, err := as.Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err, "a key that never ends is as free as its owner")

	for name, as := range map[string]*authtoken.Access{"checked before": as, "checked since": svc.For(check(t, svc, key))} {
		_, _, err = as.Rotate(t.Context(), "one", time.Hour)
		require.ErrorIs(t, err, authtoken.ErrForbidden, name)
		require.ErrorIs(t, as.Delete(t.Context(), "one"), authtoken.ErrForbidden, name)
		token, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: strings.ReplaceAll(name, " ", "-"), Expires: clock.Now().Add(time.Hour)})
		require.NoError(t, err, name)
		require.Equal(t, clock.Now().Add(time.Hour), token.Expires)
	}
	clock.Advance(time.Hour)
	_, _, err = as.Create(t.Context(), authtoken.CreateParams{Identifier: "late"})
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
}

// What a person gets without asking, a key that ends gets cut to its own end.
func TestKeyThatEndsForWhoseTokensDoNot(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]authtoken.Policy{"default": {}, "optional expiry": {OptionalExpiry: true}} {
		svc, clock := newService(t, policy)
		ends := clock.Now().Add(time.Minute)
		_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: bob.PK, Expires: ends})
		token, _, err := svc.For(check(t, svc, key)).Create(t.Context(), authtoken.CreateParams{Identifier: "two"})
		require.NoError(t, err, name)
		require.True(t, token.Expiring, name)
		require.Equal(t, ends, token.Expires, name)
	}
}

func TestUnboundedKeys(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{UnboundedKeys: true})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: 2})
	token, _, err := svc.For(check(t, svc, key)).Create(t.Context(), authtoken.CreateParams{
		Identifier: "two", Expires: clock.Now().Add(1000 * time.Hour)})
	require.NoError(t, err)
	require.Equal(t, clock.Now().Add(1000*time.Hour), token.Expires)

	for _, p := range []authtoken.Policy{{FixedAPILifetime: true}, {RenewExpired: true}} {
		_, err = authtoken.New(memory.New(), authtoken.Config{Policy: p})
		require.ErrorContains(t, err, "require UnboundedKeys")
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

// No sequence of calls gets more out of a key than it is: whatever it makes, sees or
// changes, no key comes of it that is good for longer or for something else.
func TestNoSequenceOfCallsGetsMore(t *testing.T) {
	t.Parallel()
	for name, newStore := range map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memory.New() },
		"SQLite": func(t *testing.T) store.Store {
			st, err := sqlite.Open(":memory:", sqlite.Config{})
			require.NoError(t, err)
			t.Cleanup(func() { _ = st.Close() })
			return st
		},
	} {
		for _, owner := range []authtoken.User{alice, bob, root} {
			for _, policy := range []authtoken.Policy{{}, {OptionalExpiry: true}} {
				t.Run(fmt.Sprintf("%s/%s/optional=%v", name, owner.Username, policy.OptionalExpiry), func(t *testing.T) {
					t.Parallel()
					for range 5 {
						escape(t, newStore(t), owner, policy, rand.Uint64())
					}
				})
			}
		}
	}
}

func escape(t *testing.T, st store.Store, owner authtoken.User, policy authtoken.Policy, seed uint64) {
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	users, err := authtoken.NewUserList(root, alice, bob)
	require.NoError(t, err)
	sealer, err := authtoken.NewAESSealer(make([]byte, 32))
	require.NoError(t, err)
	clock := authtokentest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	svc, err := authtoken.New(st, authtoken.Config{Users: users, Policy: policy, Sealer: sealer, Now: clock.Now})
	require.NoError(t, err)
	ctx := t.Context()

	// The owner has tokens of all kinds. The attacker has the key of one of them.
	end := clock.Now().Add(time.Hour)
	names := []string{"stolen", "a", "b"}
	for i, intent := range authtoken.Intents() {
		for j, expires := range []time.Time{{}, end.Add(-time.Minute), end, end.Add(time.Minute)} {
			p := authtoken.CreateParams{Identifier: fmt.Sprintf("t%d%d", i, j), User: owner.PK, Intent: intent, Expires: expires}
			if expires.IsZero() {
				p.Expiring = new(false)
			}
			_, _, err := svc.Create(ctx, p)
			require.NoError(t, err)
			names = append(names, p.Identifier)
		}
	}
	_, stolen, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "stolen", User: owner.PK, Expires: end})
	require.NoError(t, err)
	keys := []string{stolen.Reveal()}
	principals := []authtoken.Principal{check(t, svc, keys[0])}
	_, another, err := svc.For(principals[0]).Create(ctx, authtoken.CreateParams{Identifier: "a", Expires: end})
	require.NoError(t, err, "the key is good for something")
	keys = append(keys, another.Reveal())
	principals = append(principals, check(t, svc, keys[1]))

	pick := func(of ...time.Time) time.Time { return of[rnd.IntN(len(of))] }
	one := func() string { return names[rnd.IntN(len(names))] }
	for range 300 {
		as := svc.For(principals[rnd.IntN(len(principals))])
		expires := pick(time.Time{}, clock.Now().Add(time.Minute), end, end.Add(time.Microsecond), end.Add(1000*time.Hour))
		intent := authtoken.Intents()[rnd.IntN(4)]
		var key authtoken.Key
		switch rnd.IntN(9) {
		case 0, 1:
			p := authtoken.CreateParams{Identifier: one(), User: 1 + rnd.Int64N(3), Expires: expires, Intent: authtoken.IntentAPI}
			if rnd.IntN(4) == 0 {
				p.Intent = intent
			}
			if rnd.IntN(4) == 0 {
				p.Expiring = new(false)
			}
			_, key, _ = as.Create(ctx, p)
		case 2, 3:
			var p authtoken.UpdateParams
			if rnd.IntN(2) == 0 {
				p.Expires = &expires
			}
			if rnd.IntN(4) == 0 {
				p.Intent = &intent
			}
			if rnd.IntN(4) == 0 {
				p.Expiring = new(rnd.IntN(2) == 0)
			}
			if rnd.IntN(4) == 0 {
				p.Identifier = new(one())
			}
			if rnd.IntN(4) == 0 {
				_, _ = as.Replace(ctx, one(), p)
			} else {
				_, _ = as.Update(ctx, one(), p)
			}
		case 4, 5:
			_, key, _ = as.Rotate(ctx, one(), time.Duration(rnd.Int64N(int64(2*time.Hour))))
		case 6:
			key, _ = as.Reveal(ctx, one())
		case 7:
			text := fmt.Sprintf("a-key-that-the-attacker-has-made-%d", rnd.IntN(50))
			if as.SetKey(ctx, one(), text) == nil {
				key = authtoken.KeyOf(text)
			}
		case 8:
			_ = as.Delete(ctx, one())
			_, _ = as.Revoke(ctx, authtoken.Filter{User: 1 + rnd.Int64N(3)})
			clock.Advance(time.Duration(rnd.Int64N(int64(20 * time.Second))))
		}
		if secret := key.Reveal(); secret != "" {
			keys = append(keys, secret)
			if who, err := svc.Authenticate(ctx, secret, authtoken.Intents()...); err == nil {
				principals = append(principals, who)
			}
		}
	}
	for _, key := range keys {
		who, err := svc.Authenticate(ctx, key, authtoken.Intents()...)
		if err == nil {
			require.Equal(t, authtoken.IntentAPI, who.Token.Intent, "%+v", who.Token)
		}
	}
	clock.Set(end)
	for _, key := range keys {
		_, err := svc.Authenticate(ctx, key, authtoken.Intents()...)
		require.ErrorIs(t, err, authtoken.ErrRefused)
	}
}
