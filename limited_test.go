package authtoken_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// A limited key reads its own token, and does nothing else, whoever's it is.
func TestLimitedKey(t *testing.T) {
	t.Parallel()
	for _, owner := range []authtoken.User{alice, root} {
		for name, policy := range map[string]authtoken.Policy{
			"nobody manages":  {Scopes: notes},
			"others manage":   {Scopes: notes, ManageScope: "tokens"},
			"unbounded":       {Scopes: notes, UnboundedKeys: true},
			"superusers only": {Scopes: notes, ManageScope: "notes:purge"},
		} {
			t.Run(owner.Username+"/"+name, func(t *testing.T) {
				t.Parallel()
				svc, clock := newService(t, policy)
				key := limitedTo(t, svc, owner, "acting", "notes:write")
				limitedTo(t, svc, owner, "target", "notes:write")
				as := svc.For(check(t, svc, key))
				for range 2 {
					for name, act := range acts(t.Context(), as) {
						switch name {
						case "User", "SeesAll", "Owner", "Owners":
						default:
							require.ErrorIs(t, act(), authtoken.ErrForbidden, name)
						}
					}
					token, err := as.Get(t.Context(), "acting")
					require.NoError(t, err)
					require.Equal(t, "acting", token.Identifier)
					_, err = as.Get(t.Context(), "absent")
					require.ErrorIs(t, err, authtoken.ErrForbidden)
					_, err = as.Update(t.Context(), "acting", authtoken.UpdateParams{Scopes: []string{"*"}})
					require.ErrorIs(t, err, authtoken.ErrForbidden)
					_, _, err = as.Rotate(t.Context(), "acting", 0)
					require.ErrorIs(t, err, authtoken.ErrForbidden)
					require.ErrorIs(t, as.Delete(t.Context(), "acting"), authtoken.ErrForbidden)
					clock.Advance(2e9) // from now on the check is too old, and the token is read again
				}
			})
		}
	}
}

// managing is the access of a key that may manage tokens, of the token "acting", and the
// tokens "narrow", which is within it, and "broad", "wide" and "other", which are not.
func managing(t *testing.T, owner authtoken.User) (*authtoken.Service, *authtoken.Access) {
	t.Helper()
	svc, _ := newService(t, authtoken.Policy{Scopes: notes, ManageScope: "tokens"})
	make := func(u authtoken.User, name string, networks []netip.Prefix, scopes ...string) string {
		_, key := create(t, svc, authtoken.CreateParams{
			Identifier: name, User: u.ID, Expiring: new(false), Networks: networks, Scopes: scopes,
		})
		return key
	}
	key := make(owner, "acting", prefixes("192.0.2.0/24"), "notes:write", "tokens")
	make(owner, "narrow", prefixes("192.0.2.128/25"), "notes:read")
	make(owner, "broad", prefixes("192.0.2.0/24"), "*")
	make(owner, "wide", nil, "notes:read")
	make(owner, "purge", prefixes("192.0.2.0/24"), "notes:purge")
	make(bob, "other", prefixes("192.0.2.0/24"), "notes:read")
	who, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.1"})
	require.NoError(t, err)
	return svc, svc.For(who)
}

// A limited key that may manage tokens manages its owner's, as long as they are within it,
// before and afterwards.
func TestLimitedKeyThatManages(t *testing.T) {
	t.Parallel()
	for _, owner := range []authtoken.User{alice, root} {
		t.Run(owner.Username, func(t *testing.T) {
			t.Parallel()
			svc, as := managing(t, owner)
			tokens, _, err := as.List(t.Context(), authtoken.Filter{}, "", 10)
			require.NoError(t, err)
			require.Equal(t, []string{"acting", "broad", "narrow", "purge", "wide"}, identifiers(tokens), "its owner's")
			_, err = as.Get(t.Context(), "other")
			require.ErrorIs(t, err, authtoken.ErrNotFound)

			for _, name := range []string{"broad", "wide", "purge"} {
				_, err := as.Update(t.Context(), name, authtoken.UpdateParams{Description: new("x")})
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				_, err = as.Update(t.Context(), name, authtoken.UpdateParams{Scopes: []string{"notes:read"}, Networks: new(prefixes("192.0.2.0/24"))})
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				_, _, err = as.Rotate(t.Context(), name, 0)
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				_, err = as.Reveal(t.Context(), name)
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				_, err = as.EndOverlap(t.Context(), name)
				require.ErrorIs(t, err, authtoken.ErrForbidden, name)
				require.ErrorIs(t, as.Delete(t.Context(), name), authtoken.ErrForbidden, name)
			}
			require.ErrorIs(t, as.SetKey(t.Context(), "narrow", importedKey), authtoken.ErrForbidden)
			_, err = as.Revoke(t.Context(), authtoken.Filter{User: owner.ID})
			require.ErrorIs(t, err, authtoken.ErrForbidden)

			_, err = as.Update(t.Context(), "narrow", authtoken.UpdateParams{Description: new("x")})
			require.NoError(t, err)
			_, _, err = as.Rotate(t.Context(), "narrow", 0)
			require.NoError(t, err)
			require.NoError(t, as.Delete(t.Context(), "narrow"))
			_, err = svc.Get(t.Context(), "narrow")
			require.ErrorIs(t, err, authtoken.ErrNotFound)
		})
	}
}

// What such a key may ask for.
func TestLimitedKeyAsksForMore(t *testing.T) {
	t.Parallel()
	for _, owner := range []authtoken.User{alice, root} {
		for name, c := range map[string]struct {
			scopes   []string
			networks []netip.Prefix
			want     authtoken.Scopes
			fault    string
		}{
			"nothing named":                 {nil, nil, "notes:write tokens", ""},
			"fewer":                         {[]string{"tokens"}, nil, "tokens", ""},
			"implied":                       {[]string{"notes:read"}, nil, "notes:read", ""},
			"narrower":                      {[]string{"tokens"}, prefixes("192.0.2.7/32"), "tokens", ""},
			"all":                           {[]string{"*"}, nil, "", "scopes is beyond the limits of the acting key"},
			"superusers only":               {[]string{"notes:purge"}, nil, "", `scopes "notes:purge" may not be chosen or changed by this user`},
			"another network":               {nil, prefixes("198.51.100.0/24"), "", "networks is beyond the limits of the acting key"},
			"a wider network":               {nil, prefixes("192.0.0.0/16"), "", "networks is beyond the limits of the acting key"},
			"a wider one that begins there": {nil, prefixes("192.0.2.0/23"), "", "networks is beyond the limits of the acting key"},
			"one of two":                    {nil, prefixes("192.0.2.7/32", "::/0"), "", "networks is beyond the limits of the acting key"},
		} {
			t.Run(owner.Username+"/"+name, func(t *testing.T) {
				t.Parallel()
				_, as := managing(t, owner)
				token, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "new", User: bob.ID, Scopes: c.scopes, Networks: c.networks})
				var u authtoken.UpdateParams
				u.Scopes = c.scopes
				if c.networks != nil {
					u.Networks = &c.networks
				}
				_, errNarrow := as.Update(t.Context(), "narrow", u)
				_, errActing := as.Update(t.Context(), "acting", u)
				if c.fault != "" {
					for _, err := range []error{err, errNarrow, errActing} {
						requireFaults(t, err, c.fault)
					}
					return
				}
				require.NoError(t, err)
				require.NoError(t, errNarrow)
				require.NoError(t, errActing)
				require.Equal(t, owner.ID, token.User)
				require.Equal(t, c.want, token.Scopes)
				want := c.networks
				if want == nil {
					want = prefixes("192.0.2.0/24")
				}
				require.Equal(t, want, token.Networks)
			})
		}
	}
	t.Run("anywhere", func(t *testing.T) {
		t.Parallel()
		_, as := managing(t, alice)
		_, err := as.Update(t.Context(), "narrow", authtoken.UpdateParams{Networks: new([]netip.Prefix)})
		requireFaults(t, err, "networks is beyond the limits of the acting key")
	})
}

// A scope that has left the catalogue may come back, so a key that lacks it gets no token
// that has it.
func TestLimitedKeyAndAScopeThatIsGone(t *testing.T) {
	t.Parallel()
	st := memory.New()
	before := over(t, st, authtoken.Policy{Scopes: append([]authtoken.Scope{{Name: "gone"}}, notes...)})
	key := limitedTo(t, before, alice, "acting", "notes:write", "tokens")
	has := limitedTo(t, before, alice, "has", "gone", "notes:write", "tokens")
	limitedTo(t, before, alice, "target", "gone", "notes:read")
	svc := over(t, st, authtoken.Policy{Scopes: notes, ManageScope: "tokens"})
	_, _, err := svc.For(check(t, svc, key)).Rotate(t.Context(), "target", 0)
	require.ErrorIs(t, err, authtoken.ErrForbidden)
	_, _, err = svc.For(check(t, svc, has)).Rotate(t.Context(), "target", 0)
	require.NoError(t, err)
}

// A key that may come from some networks only manages what may come from there.
func TestKeyWithNetworks(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "acting", User: alice.ID, Expiring: new(false), Networks: prefixes("192.0.2.0/24")})
	create(t, svc, authtoken.CreateParams{Identifier: "target", User: alice.ID, Expiring: new(false)})
	who, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.1"})
	require.NoError(t, err)
	as := svc.For(who)
	for name, act := range acts(t.Context(), as) {
		switch name {
		case "Update", "Rotate", "Reveal", "Delete", "EndOverlap", "SetKey", "Revoke":
			require.ErrorIs(t, act(), authtoken.ErrForbidden, name)
		default:
			require.NoError(t, act(), name)
		}
	}
	token, err := svc.Get(t.Context(), "new")
	require.NoError(t, err)
	require.Equal(t, prefixes("192.0.2.0/24"), token.Networks)
}

// Via says through which token another was made, and finds what it made.
func TestVia(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	acting, key := create(t, svc, authtoken.CreateParams{Identifier: "acting", User: alice.ID, Expiring: new(false)})
	as := svc.For(check(t, svc, key))
	made, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "made"})
	require.NoError(t, err)
	require.Equal(t, acting.PK, made.Via)
	changed, err := svc.As(alice.ID).Update(t.Context(), "made", authtoken.UpdateParams{Description: new("x")})
	require.NoError(t, err)
	require.Equal(t, acting.PK, changed.Via, "it stays")
	require.NoError(t, svc.Delete(t.Context(), "acting"))
	tokens, _, err := svc.List(t.Context(), authtoken.Filter{Via: acting.PK}, "", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"made"}, identifiers(tokens))
}

func TestPrincipalInAContext(t *testing.T) {
	t.Parallel()
	_, ok := authtoken.PrincipalFrom(t.Context())
	require.False(t, ok)
	svc, _ := newService(t, authtoken.Policy{})
	who := check(t, svc, loginKey(t, svc, alice))
	got, ok := authtoken.PrincipalFrom(authtoken.WithPrincipal(t.Context(), who))
	require.True(t, ok)
	require.Equal(t, who, got)
}

// A failure of the store is not taken for a lack of permission.
func TestLimitedKeyWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	st := &meddledGet{Store: memory.New()}
	svc := over(t, st, authtoken.Policy{Scopes: notes})
	as := svc.For(check(t, svc, limitedTo(t, svc, alice, "acting", "notes:read")))
	st.err = errDisk
	_, err := as.Get(t.Context(), "acting")
	require.ErrorIs(t, err, errDisk)
	require.NotErrorIs(t, err, authtoken.ErrForbidden)
}

// meddledGet is a store whose Get fails if err is set.
type meddledGet struct {
	store.Store
	err error
}

func (m *meddledGet) Get(ctx context.Context, identifier string) (store.Record, error) {
	if m.err != nil {
		return store.Record{}, m.err
	}
	return m.Store.Get(ctx, identifier)
}

// A new token does not get the scopes of the acting key that the key may not give.
func TestLimitedKeyGivesOnItsScopes(t *testing.T) {
	t.Parallel()
	for _, owner := range []authtoken.User{alice, root} {
		t.Run(owner.Username, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, authtoken.Policy{Scopes: notes, ManageScope: "tokens"})
			as := svc.For(check(t, svc, limitedTo(t, svc, owner, "acting", "notes:purge", "tokens")))
			token, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "new"})
			require.NoError(t, err)
			require.Equal(t, authtoken.Scopes("tokens"), token.Scopes)
		})
	}
}
