package authtoken_test

import (
	"fmt"
	"math/rand/v2"
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
