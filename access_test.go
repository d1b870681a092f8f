package authtoken_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
)

func TestOwnership(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		by   authtoken.User
		user string
		want string
	}{
		"one's own":                  {alice, "", "2"},
		"another's, by a plain user": {alice, "3", "2"},
		"a superuser's own":          {root, "", "1"},
		"another's, by a superuser":  {root, "3", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, authtoken.Policy{})
			token, _, err := svc.As(c.by.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: c.user})
			require.NoError(t, err)
			require.Equal(t, c.want, token.User)
		})
	}
	for _, by := range []authtoken.User{alice, root} {
		t.Run("nobody's/"+by.Username, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, authtoken.Policy{})
			_, _, err := svc.As(by.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "99"})
			requireFaults(t, err, `user "99" does not exist`)
		})
	}
}

// A plain user gets the same from another's token as from one that does not exist, for
// every call and every state of the token.
func TestForeignTokensAreNotThere(t *testing.T) {
	t.Parallel()
	calls := map[string]func(ctx context.Context, as *authtoken.Access, id, revision string) error{
		"Get": func(ctx context.Context, as *authtoken.Access, id, _ string) error {
			_, err := as.Get(ctx, id)
			return err
		},
		"Update": func(ctx context.Context, as *authtoken.Access, id, _ string) error {
			_, err := as.Update(ctx, id, authtoken.UpdateParams{})
			return err
		},
		"Update, faulty": func(ctx context.Context, as *authtoken.Access, id, _ string) error {
			_, err := as.Update(ctx, id, authtoken.UpdateParams{Identifier: new(""), User: new("2")})
			return err
		},
		"Update, onto another": func(ctx context.Context, as *authtoken.Access, id, _ string) error {
			_, err := as.Update(ctx, id, authtoken.UpdateParams{Identifier: new("own")})
			return err
		},
		"Update if": func(ctx context.Context, as *authtoken.Access, id, revision string) error {
			_, err := as.Update(ctx, id, authtoken.UpdateParams{}, authtoken.IfRevision(revision))
			return err
		},
		"Update if changed": func(ctx context.Context, as *authtoken.Access, id, _ string) error {
			_, err := as.Update(ctx, id, authtoken.UpdateParams{}, authtoken.IfRevision("other"))
			return err
		},
		"Delete": func(ctx context.Context, as *authtoken.Access, id, _ string) error { return as.Delete(ctx, id) },
		"Delete if": func(ctx context.Context, as *authtoken.Access, id, revision string) error {
			return as.Delete(ctx, id, authtoken.IfRevision(revision))
		},
		"Rotate if": func(ctx context.Context, as *authtoken.Access, id, revision string) error {
			_, _, err := as.Rotate(ctx, id, time.Hour, authtoken.IfRevision(revision))
			return err
		},
		"SetKey": func(ctx context.Context, as *authtoken.Access, id, _ string) error {
			return as.SetKey(ctx, id, "short")
		},
		"Reveal": func(ctx context.Context, as *authtoken.Access, id, _ string) error {
			_, err := as.Reveal(ctx, id)
			return err
		},
	}
	for name, call := range calls {
		for _, id := range []string{"foreign", "expired"} {
			t.Run(name+"/"+id, func(t *testing.T) {
				t.Parallel()
				svc := newForeign(t)
				before, err := svc.Get(t.Context(), id)
				require.NoError(t, err)
				as := svc.As(carol.ID)
				want := call(t.Context(), as, "nothing", before.Revision())
				require.ErrorIs(t, want, authtoken.ErrNotFound)
				require.EqualError(t, call(t.Context(), as, id, before.Revision()), want.Error())
				after, err := svc.Get(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, before, after)
			})
		}
	}
}

// newForeign returns a service in which carol has the token "own", and alice all others.
func newForeign(t *testing.T) *authtoken.Service {
	t.Helper()
	svc, clock := newService(t, authtoken.Policy{})
	create(t, svc, authtoken.CreateParams{Identifier: "foreign", User: alice.ID, Managed: "m", Description: "d"})
	create(t, svc, authtoken.CreateParams{Identifier: "expired", User: alice.ID, Expires: clock.Now()})
	create(t, svc, authtoken.CreateParams{Identifier: "own", User: carol.ID})
	return svc
}

func TestForeignTokensAreNotListed(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]authtoken.Filter{
		"identifier":  {Identifier: "foreign"},
		"user":        {User: alice.ID},
		"username":    {Username: "alice"},
		"description": {Description: "d"},
		"managed":     {Managed: "m"},
		"a word":      {Words: []string{"foreign"}},
		"a name":      {Words: []string{"alice"}},
		"all users":   {Identifier: "foreign", AllUsers: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := newForeign(t)
			as := svc.As(carol.ID)
			page, err := as.Page(t.Context(), f, 1, 10)
			require.NoError(t, err)
			require.Zero(t, page.Count)
			require.Empty(t, page.Tokens)
			tokens, next, err := as.List(t.Context(), f, "", 10)
			require.NoError(t, err)
			require.Empty(t, tokens)
			require.Empty(t, next)
			revoked, err := as.Revoke(t.Context(), f)
			require.NoError(t, err)
			require.Empty(t, revoked)
		})
	}
	t.Run("no filter", func(t *testing.T) {
		t.Parallel()
		page, err := newForeign(t).As(carol.ID).Page(t.Context(), authtoken.Filter{}, 1, 10)
		require.NoError(t, err)
		require.Equal(t, []string{"own"}, identifiers(page.Tokens))
		require.Equal(t, 1, page.Count)
	})
}

// Whoever is nobody can do nothing.
func TestNobody(t *testing.T) {
	t.Parallel()
	down := errors.New("directory down")
	for name, c := range map[string]struct {
		as  func(svc *authtoken.Service, genuine authtoken.Principal) *authtoken.Access
		err error
	}{
		"no user": {func(svc *authtoken.Service, _ authtoken.Principal) *authtoken.Access {
			return svc.As("")
		}, authtoken.ErrForbidden},
		"an unknown user": {func(svc *authtoken.Service, _ authtoken.Principal) *authtoken.Access {
			return svc.As("99")
		}, authtoken.ErrUserNotFound},
		"what is no ID": {func(svc *authtoken.Service, _ authtoken.Principal) *authtoken.Access {
			return svc.As("1\x00")
		}, authtoken.ErrUserNotFound},
		"an inactive user": {func(svc *authtoken.Service, _ authtoken.Principal) *authtoken.Access {
			return svc.As(dave.ID)
		}, authtoken.ErrUserInactive},
		"the zero principal": {func(svc *authtoken.Service, _ authtoken.Principal) *authtoken.Access {
			return svc.For(authtoken.Principal{})
		}, authtoken.ErrForbidden},
		"signed in as nobody": {func(svc *authtoken.Service, _ authtoken.Principal) *authtoken.Access {
			return svc.For(authtoken.SignedIn(""))
		}, authtoken.ErrForbidden},
		"made by hand": {func(svc *authtoken.Service, genuine authtoken.Principal) *authtoken.Access {
			return svc.For(authtoken.Principal{Token: genuine.Token, User: root})
		}, authtoken.ErrForbidden},
		"with another user": {func(svc *authtoken.Service, genuine authtoken.Principal) *authtoken.Access {
			genuine.User = root
			return svc.For(genuine)
		}, authtoken.ErrForbidden},
		"with more rights": {func(svc *authtoken.Service, genuine authtoken.Principal) *authtoken.Access {
			genuine.User.Superuser = true
			return svc.For(genuine)
		}, authtoken.ErrForbidden},
		"while users are down": {func(svc *authtoken.Service, _ authtoken.Principal) *authtoken.Access {
			return svc.As(root.ID)
		}, down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := &switchable{Directory: userList(t, root, alice, dave)}
			svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
			before, key := create(t, svc, authtoken.CreateParams{Identifier: "target", User: alice.ID})
			as := c.as(svc, check(t, svc, key))
			if errors.Is(c.err, down) {
				users.err = down
			}
			for act, do := range acts(t.Context(), as) {
				require.ErrorIs(t, do(), c.err, act)
			}
			users.err = nil
			after, err := svc.Get(t.Context(), "target")
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

// The directory is asked whenever a person does something.
func TestAsLooksUpTheUser(t *testing.T) {
	t.Parallel()
	for name, as := range map[string]func(svc *authtoken.Service) *authtoken.Access{
		"As":       func(svc *authtoken.Service) *authtoken.Access { return svc.As(root.ID) },
		"SignedIn": func(svc *authtoken.Service) *authtoken.Access { return svc.For(authtoken.SignedIn(root.ID)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := &switchable{Directory: userList(t, root, alice)}
			svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
			create(t, svc, authtoken.CreateParams{Identifier: "hers", User: alice.ID})
			as := as(svc)
			_, err := as.Get(t.Context(), "hers")
			require.NoError(t, err)

			plain := root
			plain.Superuser = false
			users.Directory = userList(t, plain, alice)
			_, err = as.Get(t.Context(), "hers")
			require.ErrorIs(t, err, authtoken.ErrNotFound)
			revoked, err := as.Revoke(t.Context(), authtoken.Filter{User: alice.ID})
			require.NoError(t, err)
			require.Empty(t, revoked)

			inactive := root
			inactive.Active = false
			users.Directory = userList(t, inactive, alice)
			_, err = as.Revoke(t.Context(), authtoken.Filter{User: alice.ID})
			require.ErrorIs(t, err, authtoken.ErrUserInactive)
		})
	}
}

// Whoever sees all sees another's token, and nobody else does.
func TestSeesAll(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{Scopes: notes, ManageScope: "tokens"})
	create(t, svc, authtoken.CreateParams{Identifier: "bobs", User: bob.ID, Scopes: []string{"notes:read"}})
	key := func(name string, u authtoken.User, scopes ...string) *authtoken.Access {
		_, key := create(t, svc, authtoken.CreateParams{Identifier: name, User: u.ID, Scopes: scopes})
		return svc.For(check(t, svc, key))
	}
	for name, c := range map[string]struct {
		as   *authtoken.Access
		want bool
		err  error
	}{
		"trusted code":                       {&svc.Access, true, nil},
		"a superuser":                        {svc.As(root.ID), true, nil},
		"a user":                             {svc.As(alice.ID), false, nil},
		"a superuser's key":                  {key("all", root, authtoken.ScopeAll), true, nil},
		"a superuser's limited key":          {key("limited", root, "notes:purge"), false, nil},
		"such a key that manages":            {key("manages", root, "notes:purge", "tokens"), false, nil},
		"a user's key":                       {key("plain", alice, authtoken.ScopeAll), false, nil},
		"nobody":                             {svc.As(""), false, authtoken.ErrForbidden},
		"an inactive user":                   {svc.As(dave.ID), false, authtoken.ErrUserInactive},
		"a user who is not in the directory": {svc.As("99"), false, authtoken.ErrUserNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.as.SeesAll(t.Context())
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.want, got)
			_, err = c.as.Get(t.Context(), "bobs")
			require.Equal(t, c.want, err == nil, "and so it is")
		})
	}
}
