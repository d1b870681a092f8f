package authtoken_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// No sequence of calls gets more out of a key than it is: whatever it makes, sees or
// changes, no key comes of it that is good for longer or for something else.
func TestNoSequenceOfCallsGetsMore(t *testing.T) {
	t.Parallel()
	for name, newStore := range map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memory.New() },
		"SQLite": func(t *testing.T) store.Store {
			st, err := sqlite.Open(t.Context(), ":memory:", sqlite.Config{})
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
			t.Run(fmt.Sprintf("%s/%s/scopes and networks", name, owner.Username), func(t *testing.T) {
				t.Parallel()
				for range 5 {
					widen(t, newStore(t), owner, rand.Uint64())
				}
			})
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
			p := authtoken.CreateParams{Identifier: fmt.Sprintf("t%d%d", i, j), User: owner.ID, Intent: intent, Expires: expires}
			if expires.IsZero() {
				p.Expiring = new(false)
			}
			_, _, err := svc.Create(ctx, p)
			require.NoError(t, err)
			names = append(names, p.Identifier)
		}
	}
	_, stolen, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "stolen", User: owner.ID, Expires: end})
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
			p := authtoken.CreateParams{Identifier: one(), User: fmt.Sprint(1 + rnd.IntN(3)), Expires: expires, Intent: authtoken.IntentAPI}
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
			_, _ = as.Update(ctx, one(), p)
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
			_, _ = as.Revoke(ctx, authtoken.Filter{User: fmt.Sprint(1 + rnd.IntN(3))})
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

// widen looks for calls that get more scopes or networks out of a key.
func widen(t *testing.T, st store.Store, owner authtoken.User, seed uint64) {
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	svc, err := authtoken.New(st, authtoken.Config{
		Users: userList(t, root, alice, bob), Sealer: newSealer(t),
		Policy: authtoken.Policy{Scopes: notes, ManageScope: "tokens", OptionalExpiry: true, UnboundedKeys: rnd.IntN(2) == 0},
	})
	require.NoError(t, err)
	ctx := t.Context()
	sets := [][]string{nil, {}, {"*"}, {"notes:read"}, {"notes:write"}, {"tokens"}, {"notes:read", "tokens"}, {"notes:write", "tokens"}, {"notes:purge"}}
	nets := [][]netip.Prefix{nil, {}, prefixes("192.0.2.0/24"), prefixes("192.0.2.0/28"), prefixes("192.0.2.0/24", "2001:db8::/32"), prefixes("0.0.0.0/0")}

	// Everybody has tokens of all kinds. The attacker has the key of one of the owner's.
	names := []string{"stolen", "a", "b", "c"}
	for _, u := range []authtoken.User{root, alice, bob} {
		for i, scopes := range sets[2:] {
			for j, networks := range nets[2:] {
				name := fmt.Sprintf("t%s%d%d", u.ID, i, j)
				create(t, svc, authtoken.CreateParams{Identifier: name, User: u.ID, Scopes: scopes, Networks: networks, Expiring: new(false)})
				names = append(names, name)
			}
		}
	}
	cred := func(key string) authtoken.Credentials {
		return authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.1"}
	}
	_, stolen := create(t, svc, authtoken.CreateParams{
		Identifier: "stolen", User: owner.ID, Expiring: new(false), Scopes: []string{"notes:read", "tokens"}, Networks: prefixes("192.0.2.0/24"),
	})
	keys := []string{stolen}
	who, err := svc.Check(ctx, cred(stolen))
	require.NoError(t, err)
	principals := []authtoken.Principal{who}
	_, another, err := svc.For(who).Create(ctx, authtoken.CreateParams{Identifier: "a"})
	require.NoError(t, err, "the key is good for something")
	keys = append(keys, another.Reveal())

	one := func() string { return names[rnd.IntN(len(names))] }
	for range 300 {
		as := svc.For(principals[rnd.IntN(len(principals))])
		scopes, networks := sets[rnd.IntN(len(sets))], nets[rnd.IntN(len(nets))]
		var key authtoken.Key
		switch rnd.IntN(7) {
		case 0, 1:
			_, key, _ = as.Create(ctx, authtoken.CreateParams{
				Identifier: one(), User: fmt.Sprint(1 + rnd.IntN(3)), Scopes: scopes, Networks: networks,
			})
		case 2, 3:
			p := authtoken.UpdateParams{Scopes: scopes}
			if rnd.IntN(2) == 0 {
				p.Networks = &networks
			}
			if rnd.IntN(4) == 0 {
				p.Suspended = new(rnd.IntN(2) == 0)
			}
			if name := one(); name != "stolen" || rnd.IntN(20) == 0 {
				_, _ = as.Update(ctx, name, p)
			}
		case 4:
			_, key, _ = as.Rotate(ctx, one(), time.Hour)
		case 5:
			key, _ = as.Reveal(ctx, one())
		case 6:
			text := fmt.Sprintf("a-key-that-the-attacker-has-made-%d", rnd.IntN(50))
			if as.SetKey(ctx, one(), text) == nil {
				key = authtoken.KeyOf(text)
			}
		}
		if secret := key.Reveal(); secret != "" {
			keys = append(keys, secret)
			if who, err := svc.Check(ctx, cred(secret)); err == nil {
				principals = append(principals, who)
			}
		}
	}
	for _, key := range keys {
		if who, err := svc.Check(ctx, cred(key)); err == nil {
			require.Equal(t, owner.ID, who.User.ID)
			for _, scope := range []string{"notes:write", "notes:purge", "*"} {
				require.False(t, who.Can(scope), "%+v", who.Token)
			}
		}
		for _, from := range []string{"", "198.51.100.1", "2001:db8::1"} {
			_, err := svc.Check(ctx, authtoken.Credentials{Key: authtoken.KeyOf(key), From: from})
			require.ErrorIs(t, err, authtoken.ErrRefused)
		}
	}
}
