package authtoken_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

func TestCatalogueFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy authtoken.Policy
		want   string
	}{
		"name":        {authtoken.Policy{Scopes: []authtoken.Scope{{Name: "Notes"}}}, `Scopes: "Notes" is not 1 to 64`},
		"no name":     {authtoken.Policy{Scopes: []authtoken.Scope{{}}}, `Scopes: "" is not 1 to 64`},
		"all":         {authtoken.Policy{Scopes: []authtoken.Scope{{Name: "*"}}}, `Scopes: "*" is not 1 to 64`},
		"space":       {authtoken.Policy{Scopes: []authtoken.Scope{{Name: "a b"}}}, `Scopes: "a b" is not 1 to 64`},
		"long name":   {authtoken.Policy{Scopes: []authtoken.Scope{{Name: strings.Repeat("a", 65)}}}, `is not 1 to 64`},
		"twice":       {authtoken.Policy{Scopes: []authtoken.Scope{{Name: "a"}, {Name: "a"}}}, `Scopes: "a" occurs twice`},
		"implies":     {authtoken.Policy{Scopes: []authtoken.Scope{{Name: "a", Implies: []string{"b"}}}}, `"a" implies "b", which is not among them`},
		"implies all": {authtoken.Policy{Scopes: []authtoken.Scope{{Name: "a", Implies: []string{"*"}}}}, `"a" implies "*", which is not among them`},
		"implies more": {
			authtoken.Policy{Scopes: []authtoken.Scope{{Name: "a", Implies: []string{"b"}}, {Name: "b", Superuser: true}}},
			`"a" implies "b", which is for superusers`,
		},
		"manage":            {authtoken.Policy{Scopes: notes, ManageScope: "x"}, `ManageScope: "x" is not among Scopes`},
		"manage alone":      {authtoken.Policy{ManageScope: "tokens"}, `ManageScope: "tokens" is not among Scopes`},
		"limit to nothing":  {authtoken.Policy{MustLimit: true}, "MustLimit: there are no Scopes"},
		"default to none":   {authtoken.Policy{Scopes: notes, DefaultScopes: []string{}}, "DefaultScopes: empty scopes permit nothing"},
		"default":           {authtoken.Policy{Scopes: notes, DefaultScopes: []string{"x"}}, `DefaultScopes: "x" is not among Scopes`},
		"default alone":     {authtoken.Policy{DefaultScopes: []string{"notes:read"}}, `DefaultScopes: "notes:read" is not among Scopes`},
		"default and more":  {authtoken.Policy{Scopes: notes, DefaultScopes: []string{"*", "tokens"}}, `DefaultScopes: "*" is not among Scopes`},
		"default superuser": {authtoken.Policy{Scopes: notes, DefaultScopes: []string{"notes:purge"}}, `DefaultScopes: "notes:purge" is for superusers`},
		"default to all": {
			authtoken.Policy{Scopes: notes, DefaultScopes: []string{"*"}, MustLimit: true}, `DefaultScopes: "*" is not for users under MustLimit`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := authtoken.New(memory.New(), authtoken.Config{Policy: c.policy})
			require.ErrorContains(t, err, "Config.Policy.")
			require.ErrorContains(t, err, c.want)
		})
	}
}

// What scopes a token gets, by who asks for what.
func TestScopesOfANewToken(t *testing.T) {
	t.Parallel()
	withDefault := authtoken.Policy{Scopes: notes, DefaultScopes: []string{"notes:write", "notes:read"}}
	catalogue := authtoken.Policy{Scopes: notes}
	must := authtoken.Policy{Scopes: notes, MustLimit: true}
	for name, c := range map[string]struct {
		policy authtoken.Policy
		by     string // a user's ID; empty for trusted code
		asked  []string
		want   authtoken.Scopes
		fault  string
	}{
		"no catalogue":                 {authtoken.Policy{}, "2", nil, "*", ""},
		"no catalogue, all":            {authtoken.Policy{}, "2", []string{"*"}, "*", ""},
		"no catalogue, a name":         {authtoken.Policy{}, "", []string{"notes:read"}, "", `scopes "notes:read" is not one of the choices`},
		"default":                      {withDefault, "2", nil, "notes:read notes:write", ""},
		"default of trusted code":      {withDefault, "", nil, "notes:read notes:write", ""},
		"default that is all":          {authtoken.Policy{Scopes: notes, DefaultScopes: []string{"*"}}, "2", nil, "*", ""},
		"no default":                   {catalogue, "2", nil, "", "scopes is required"},
		"no default for trusted code":  {catalogue, "", nil, "", "scopes is required"},
		"empty":                        {catalogue, "2", []string{}, "", "scopes must not be blank"},
		"one":                          {catalogue, "2", []string{"notes:read"}, "notes:read", ""},
		"several":                      {catalogue, "2", []string{"tokens", "notes:read", "tokens"}, "notes:read tokens", ""},
		"all":                          {catalogue, "2", []string{"*"}, "*", ""},
		"all and more":                 {catalogue, "2", []string{"*", "tokens"}, "", `scopes "*" is invalid`},
		"unknown":                      {catalogue, "1", []string{"notes"}, "", `scopes "notes" is not one of the choices`},
		"no wildcard":                  {catalogue, "1", []string{"notes:*"}, "", `scopes "notes:*" is not one of the choices`},
		"nothing":                      {catalogue, "1", []string{""}, "", `scopes "" is not one of the choices`},
		"two in one":                   {catalogue, "1", []string{"notes:read tokens"}, "", `scopes "notes:read tokens" is not one of the choices`},
		"superusers only":              {catalogue, "2", []string{"notes:purge"}, "", `scopes "notes:purge" may not be chosen or changed by this user`},
		"superusers only, superuser":   {catalogue, "1", []string{"notes:purge"}, "notes:purge", ""},
		"superusers only, trusted":     {catalogue, "", []string{"notes:purge"}, "notes:purge", ""},
		"must limit":                   {must, "2", []string{"*"}, "", `scopes "*" may not be chosen or changed by this user`},
		"must limit, superuser":        {must, "1", []string{"*"}, "*", ""},
		"must limit, limited":          {must, "2", []string{"tokens"}, "tokens", ""},
		"more than a token can have":   {catalogue, "2", make([]string, 51), "", "scopes has more than 50"},
		"as many as it can have, once": {catalogue, "2", strings.Fields(strings.Repeat("tokens ", 50)), "tokens", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, c.policy)
			as, p := &svc.Access, authtoken.CreateParams{Identifier: "new", User: alice.ID, Scopes: c.asked}
			if c.by != "" {
				as = svc.As(c.by)
			}
			token, _, err := as.Create(t.Context(), p)
			if c.fault != "" {
				requireFaults(t, err, c.fault)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, token.Scopes)
			require.Equal(t, c.want != "*", token.Scopes.Limited())
			require.Equal(t, strings.Fields(string(c.want)), token.Scopes.Names())
		})
	}
}

// over returns a service over st with the users of these tests.
func over(t *testing.T, st store.Store, policy authtoken.Policy) *authtoken.Service {
	t.Helper()
	svc, err := authtoken.New(st, authtoken.Config{Policy: policy, Users: userList(t, root, alice, bob, carol, dave)})
	require.NoError(t, err)
	return svc
}

// limitedTo makes a token of a user with these scopes, and returns its key.
func limitedTo(t *testing.T, svc *authtoken.Service, u authtoken.User, name string, scopes ...string) string {
	t.Helper()
	_, key := create(t, svc, authtoken.CreateParams{Identifier: name, User: u.ID, Expiring: new(false), Scopes: scopes})
	return key
}

func TestCan(t *testing.T) {
	t.Parallel()
	all := []string{"notes:read", "notes:write", "tokens", "notes:purge", "*", "notes", "notes:*", ""}
	for name, c := range map[string]struct {
		owner  authtoken.User
		scopes []string
		can    []string
	}{
		"one":                             {alice, []string{"notes:read"}, []string{"notes:read"}},
		"implied":                         {alice, []string{"notes:write"}, []string{"notes:read", "notes:write"}},
		"two":                             {alice, []string{"notes:read", "tokens"}, []string{"notes:read", "tokens"}},
		"all":                             {alice, []string{"*"}, []string{"notes:read", "notes:write", "tokens", "*"}},
		"all, superuser":                  {root, []string{"*"}, []string{"notes:read", "notes:write", "tokens", "notes:purge", "*"}},
		"superusers only, superuser":      {root, []string{"notes:purge"}, []string{"notes:read", "notes:write", "notes:purge"}},
		"superusers only, not one":        {alice, []string{"notes:purge"}, nil},
		"superusers only, and more":       {alice, []string{"notes:purge", "notes:read"}, []string{"notes:read"}},
		"what superusers' comes with one": {root, []string{"notes:write"}, []string{"notes:read", "notes:write"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, authtoken.Policy{Scopes: notes})
			key := limitedTo(t, svc, c.owner, "one", c.scopes...)
			who := check(t, svc, key)
			var can []string
			for _, scope := range all {
				_, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), Scopes: []string{scope}})
				require.Equal(t, who.Can(scope), err == nil, "Check and Can agree about %q", scope)
				if who.Can(scope) {
					can = append(can, scope)
				} else {
					require.ErrorIs(t, err, authtoken.ErrKeyScope)
					require.ErrorIs(t, err, authtoken.ErrRefused)
				}
			}
			require.Equal(t, c.can, can)
		})
	}
	t.Run("nobody, and a person", func(t *testing.T) {
		t.Parallel()
		for _, scope := range all {
			require.False(t, authtoken.Principal{}.Can(scope))
			require.False(t, authtoken.SignedIn(root.ID).Can(scope))
		}
	})
	t.Run("what is in the Token plays no part", func(t *testing.T) {
		t.Parallel()
		svc, _ := newService(t, authtoken.Policy{Scopes: notes})
		who := check(t, svc, limitedTo(t, svc, alice, "one", "notes:read"))
		who.Token.Scopes = authtoken.ScopeAll
		who.User.Superuser = true
		require.False(t, who.Can("notes:write"))
		require.False(t, who.Can("*"))
	})
}

// All scopes that a check names are needed, and naming none needs all there are.
func TestCheckScopes(t *testing.T) {
	t.Parallel()
	svc, _, told := newObserved(t, authtoken.Config{Policy: authtoken.Policy{Scopes: notes}, TrackLastUsed: true})
	limited := limitedTo(t, svc, alice, "limited", "notes:read", "tokens")
	free := limitedTo(t, svc, alice, "free", "*")
	told.take()
	for name, c := range map[string]struct {
		scopes        []string
		limited, free bool
	}{
		"not asked":       {nil, true, true},
		"none":            {[]string{}, false, true},
		"one":             {[]string{"tokens"}, true, true},
		"both":            {[]string{"tokens", "notes:read"}, true, true},
		"one of two":      {[]string{"tokens", "notes:write"}, false, true},
		"all":             {[]string{"*"}, false, true},
		"unknown":         {[]string{"notes:red"}, false, false},
		"known, unknown":  {[]string{"tokens", "notes:red"}, false, false},
		"superusers only": {[]string{"notes:purge"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for key, want := range map[string]bool{limited: c.limited, free: c.free} {
				_, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), Scopes: c.scopes})
				if want {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, authtoken.ErrKeyScope)
			}
		})
	}
	require.Contains(t, told.take(), "refused limited - key refused: its token lacks a scope")
}

func TestRefusalByScopeIsNoUse(t *testing.T) {
	t.Parallel()
	svc, _, _ := newObserved(t, authtoken.Config{Policy: authtoken.Policy{Scopes: notes}, TrackLastUsed: true})
	key := limitedTo(t, svc, alice, "limited", "notes:read")
	_, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), Scopes: []string{"tokens"}})
	require.ErrorIs(t, err, authtoken.ErrKeyScope)
	require.NoError(t, svc.FlushLastUsed(t.Context()))
	token, err := svc.Get(t.Context(), "limited")
	require.NoError(t, err)
	require.Zero(t, token.LastUsed)
}

// A key that is refused for anything else is not refused for its scopes, so that only a
// good key learns of them.
func TestScopesAreLookedAtLast(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{Scopes: notes})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: dave.ID, Scopes: []string{"tokens"}})
	c := authtoken.Credentials{Key: authtoken.KeyOf(key), Scopes: []string{"notes:read"}}
	_, err := svc.Check(t.Context(), c)
	require.ErrorIs(t, err, authtoken.ErrUserInactive)
	_, err = svc.Check(t.Context(), c, authtoken.IntentRecovery)
	require.ErrorIs(t, err, authtoken.ErrKeyIntent)
	clock.Advance(1000 * 3600e9)
	_, err = svc.Check(t.Context(), c)
	require.ErrorIs(t, err, authtoken.ErrKeyExpired)
}

// Whoever does not name the scopes leaves them as they are.
func TestScopesStay(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(as *authtoken.Access) error{
		"update": func(as *authtoken.Access) error {
			_, err := as.Update(t.Context(), "one", authtoken.UpdateParams{Description: new("x")})
			return err
		},
		"update that sends them back": func(as *authtoken.Access) error {
			_, err := as.Update(t.Context(), "one", authtoken.UpdateParams{Scopes: []string{"gone", "notes:read"}})
			return err
		},
		"rotate":  func(as *authtoken.Access) error { _, _, err := as.Rotate(t.Context(), "one", 0); return err },
		"suspend": func(as *authtoken.Access) error { return suspend(t, as, "one", true) },
	} {
		for _, by := range []string{"", root.ID, alice.ID} {
			t.Run(name+" by "+by, func(t *testing.T) {
				t.Parallel()
				st := memory.New()
				before := over(t, st, authtoken.Policy{Scopes: append([]authtoken.Scope{{Name: "gone"}}, notes...)})
				limitedTo(t, before, alice, "one", "gone", "notes:read")
				svc := over(t, st, authtoken.Policy{Scopes: notes, MustLimit: true})
				as := &svc.Access
				if by != "" {
					as = svc.As(by)
				}
				require.NoError(t, act(as))
				token, err := svc.Get(t.Context(), "one")
				require.NoError(t, err)
				require.Equal(t, authtoken.Scopes("gone notes:read"), token.Scopes)
			})
		}
	}
}

// Nothing gets more by a change of the catalogue.
func TestCatalogueTakenAway(t *testing.T) {
	t.Parallel()
	st := memory.New()
	svc := over(t, st, authtoken.Policy{Scopes: notes})
	key := limitedTo(t, svc, alice, "one", "notes:write", "tokens")
	for name, c := range map[string]struct {
		scopes []authtoken.Scope
		can    []string
	}{
		"all of it": {nil, nil},
		"one":       {notes[:2], []string{"notes:read", "notes:write"}},
		"what one implies": {
			[]authtoken.Scope{{Name: "notes:read"}, {Name: "notes:write"}}, []string{"notes:write"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := over(t, st, authtoken.Policy{Scopes: c.scopes})
			who := check(t, svc, key)
			var can []string
			for _, s := range []string{"notes:read", "notes:write", "tokens", "*"} {
				if who.Can(s) {
					can = append(can, s)
				}
			}
			require.Equal(t, c.can, can)
			_, _, err := svc.For(who).Create(t.Context(), authtoken.CreateParams{Identifier: "new"})
			require.ErrorIs(t, err, authtoken.ErrForbidden)
		})
	}
}

// A store that loses what a key is good for makes it good for nothing.
func TestLostLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(r *store.Record)
		want error
	}{
		"scopes":   {func(r *store.Record) { r.Scopes = "" }, authtoken.ErrKeyScope},
		"networks": {func(r *store.Record) { r.Networks = "" }, authtoken.ErrKeyAddress},
		"state":    {func(r *store.Record) { r.State = 0 }, authtoken.ErrKeySuspended},
		"another":  {func(r *store.Record) { r.State = 4 }, authtoken.ErrKeySuspended},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := memory.New()
			svc := over(t, st, authtoken.Policy{})
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
			cred := authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.1", Scopes: []string{}}
			_, err := svc.Check(t.Context(), cred)
			require.NoError(t, err)
			r, err := st.Get(t.Context(), "one")
			require.NoError(t, err)
			c.lose(&r)
			require.NoError(t, st.Update(t.Context(), r))
			_, err = svc.Check(t.Context(), cred)
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestFilterByScope(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{Scopes: notes})
	limitedTo(t, svc, alice, "reader", "notes:read")
	limitedTo(t, svc, alice, "writer", "notes:write", "tokens")
	limitedTo(t, svc, bob, "all", "*")
	for scope, want := range map[string][]string{
		"":            {"all", "reader", "writer"},
		"notes:read":  {"reader"},
		"notes:write": {"writer"},
		"tokens":      {"writer"},
		"*":           {"all"},
		"notes":       {},
		"notes_read":  {},
	} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			tokens, _, err := svc.List(t.Context(), authtoken.Filter{Scope: scope}, "", 10)
			require.NoError(t, err)
			require.Equal(t, want, identifiers(tokens))
		})
	}
	for _, scope := range []string{"notes:read notes:write", "Notes", "%", "note?", " "} {
		t.Run("fault "+scope, func(t *testing.T) {
			t.Parallel()
			_, _, err := svc.List(t.Context(), authtoken.Filter{Scope: scope}, "", 10)
			requireFaults(t, err, "scope is invalid")
		})
	}
}
