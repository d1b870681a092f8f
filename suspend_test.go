package authtoken_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// suspend suspends a token, or resumes it.
func suspend(t *testing.T, as *authtoken.Access, name string, suspended bool) error {
	t.Helper()
	_, err := as.Update(t.Context(), name, authtoken.UpdateParams{Suspended: &suspended})
	return err
}

// actors returns who can suspend and resume a token of alice's.
func actors(t *testing.T, svc *authtoken.Service) map[string]*authtoken.Access {
	t.Helper()
	_, ending := create(t, svc, authtoken.CreateParams{Identifier: "ending", User: alice.ID, Scopes: []string{"*"}, Expires: time.Now().Add(time.Hour)})
	_, rootEnding := create(t, svc, authtoken.CreateParams{Identifier: "root-ending", User: root.ID, Scopes: []string{"*"}, Expires: time.Now().Add(time.Hour)})
	return map[string]*authtoken.Access{
		"trusted code":            &svc.Access,
		"a superuser":             svc.As(root.ID),
		"the owner":               svc.As(alice.ID),
		"a key":                   svc.For(check(t, svc, limitedTo(t, svc, alice, "free", "*"))),
		"a limited key":           svc.For(check(t, svc, limitedTo(t, svc, alice, "limited", "tokens", "notes:write"))),
		"a key that ends":         svc.For(check(t, svc, ending)),
		"a superuser's":           svc.For(check(t, svc, limitedTo(t, svc, root, "root-free", "*"))),
		"a superuser's that ends": svc.For(check(t, svc, rootEnding)),
		"a superuser's, limited":  svc.For(check(t, svc, limitedTo(t, svc, root, "root-limited", "tokens"))),
		"another user":            svc.As(bob.ID),
		"nobody":                  svc.As(""),
	}
}

// Who may suspend a token, and who may resume it then.
func TestSuspend(t *testing.T) {
	t.Parallel()
	owner := []string{"trusted code", "a superuser", "the owner", "a key", "a superuser's"}
	authority := []string{"trusted code", "a superuser", "a superuser's"}
	for by, resumes := range map[string][]string{
		"trusted code":            authority,
		"a superuser":             authority,
		"a superuser's":           authority,
		"a superuser's that ends": authority,
		"the owner":               owner,
		"a key":                   owner,
		"a limited key":           owner,
		"a key that ends":         owner,
		"a superuser's, limited":  nil, // it may not suspend at all
		"another user":            nil,
		"nobody":                  nil,
	} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			svc, _, told := newObserved(t, authtoken.Config{Policy: authtoken.Policy{Scopes: notes, ManageScope: "tokens"}})
			as := actors(t, svc)
			token, key := create(t, svc, authtoken.CreateParams{
				Identifier: "one", User: alice.ID, Scopes: []string{"notes:read"}, Expires: time.Now().Add(time.Minute),
			})
			told.take()
			err := suspend(t, as[by], "one", true)
			if resumes == nil {
				require.Error(t, err)
				check(t, svc, key)
				return
			}
			require.NoError(t, err)
			_, err = svc.Authenticate(t.Context(), key)
			require.ErrorIs(t, err, authtoken.ErrKeySuspended)
			token, err = svc.Get(t.Context(), "one")
			require.NoError(t, err)
			require.True(t, token.Suspended)
			require.Equal(t, len(resumes) == len(authority), token.Locked)
			require.Contains(t, told.take(), "suspended one "+actorOf(by))

			for who, access := range as {
				err := suspend(t, access, "one", false)
				may := false
				for _, r := range resumes {
					may = may || r == who
				}
				if !may {
					require.Error(t, err, who)
					_, err = svc.Authenticate(t.Context(), key)
					require.ErrorIs(t, err, authtoken.ErrKeySuspended, who)
					continue
				}
				require.NoError(t, err, who)
				check(t, svc, key)
				require.Contains(t, told.take(), "resumed one "+actorOf(who))
				require.NoError(t, suspend(t, as[by], "one", true))
				told.take()
			}
		})
	}
}

// actorOf returns what an event calls an actor.
func actorOf(name string) string {
	switch name {
	case "trusted code":
		return "-"
	case "a superuser", "a superuser's", "a superuser's that ends":
		return root.ID
	}
	return alice.ID
}

// What a superuser has suspended, its owner can only look at.
func TestLocked(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"the owner", "a key"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			svc, _, _ := newObserved(t, authtoken.Config{Policy: authtoken.Policy{Scopes: notes}, Sealer: newSealer(t)})
			as := actors(t, svc)[by]
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "target", User: alice.ID, Scopes: []string{"*"}})
			_, _, err := as.Rotate(t.Context(), "target", time.Hour)
			require.NoError(t, err)
			require.NoError(t, suspend(t, svc.As(root.ID), "target", true))
			for name, act := range acts(t.Context(), as) {
				switch name {
				case "Update", "SetKey", "Reveal", "Rotate", "Delete", "EndOverlap":
					require.ErrorIs(t, act(), authtoken.ErrForbidden, name)
				}
			}
			_, err = as.Update(t.Context(), "target", authtoken.UpdateParams{Identifier: new("other")})
			require.ErrorIs(t, err, authtoken.ErrForbidden)
			gone, err := svc.As(alice.ID).Revoke(t.Context(), authtoken.Filter{})
			require.NoError(t, err)
			require.NotContains(t, identifiers(gone), "target")
			gone, err = svc.As(alice.ID).Revoke(t.Context(), authtoken.Filter{Suspended: new(true)})
			require.NoError(t, err)
			require.Empty(t, gone)
			token, err := svc.As(alice.ID).Get(t.Context(), "target")
			require.NoError(t, err)
			require.True(t, token.Locked)
			_, err = svc.Authenticate(t.Context(), key)
			require.ErrorIs(t, err, authtoken.ErrRefused)
			gone, err = svc.Revoke(t.Context(), authtoken.Filter{User: alice.ID, Suspended: new(true)})
			require.NoError(t, err)
			require.Equal(t, []string{"target"}, identifiers(gone))
		})
	}
}

// A superuser's own token is locked, too, and theirs to resume.
func TestSuperuserSuspendsTheirOwn(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	create(t, svc, authtoken.CreateParams{Identifier: "one", User: root.ID})
	require.NoError(t, suspend(t, svc.As(root.ID), "one", true))
	token, err := svc.Get(t.Context(), "one")
	require.NoError(t, err)
	require.True(t, token.Locked)
	require.NoError(t, suspend(t, svc.As(root.ID), "one", false))
}

// The key of a token that is suspended does nothing more, and rotation does not resume it.
func TestSuspendedKeyDoesNothing(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "target", User: alice.ID, Expiring: new(false)})
	as := svc.For(check(t, svc, key))
	require.NoError(t, suspend(t, as, "target", true))
	for name, act := range acts(t.Context(), as) {
		switch name {
		case "Create", "Update", "Delete", "Rotate", "Reveal", "SetKey", "Revoke", "EndOverlap":
			require.ErrorIs(t, act(), authtoken.ErrKeySuspended, name)
		}
	}
	_, rotated, err := svc.As(alice.ID).Rotate(t.Context(), "target", 0)
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), rotated.Reveal())
	require.ErrorIs(t, err, authtoken.ErrKeySuspended)
}

func TestFilterSuspended(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	for _, name := range []string{"active", "locked", "suspended"} {
		create(t, svc, authtoken.CreateParams{Identifier: name, User: alice.ID})
	}
	require.NoError(t, suspend(t, &svc.Access, "locked", true))
	require.NoError(t, suspend(t, svc.As(alice.ID), "suspended", true))
	for name, c := range map[string]struct {
		suspended *bool
		want      []string
	}{
		"either": {nil, []string{"active", "locked", "suspended"}},
		"no":     {new(false), []string{"active"}},
		"yes":    {new(true), []string{"locked", "suspended"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens, _, err := svc.List(t.Context(), authtoken.Filter{Suspended: c.suspended}, "", 10)
			require.NoError(t, err)
			require.Equal(t, c.want, identifiers(tokens))
		})
	}
}

func TestEndOverlap(t *testing.T) {
	t.Parallel()
	svc, _, told := newObserved(t, authtoken.Config{})
	_, old := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
	_, key, err := svc.Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	check(t, svc, old)
	_, err = svc.As(bob.ID).EndOverlap(t.Context(), "one")
	require.ErrorIs(t, err, authtoken.ErrNotFound)
	_, err = svc.As(alice.ID).EndOverlap(t.Context(), "one", authtoken.IfRevision("another"))
	require.ErrorIs(t, err, authtoken.ErrStale)
	check(t, svc, old)
	told.take()
	token, err := svc.As(alice.ID).EndOverlap(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, []string{"overlap_ended one 2"}, told.take())
	_, err = svc.Authenticate(t.Context(), old)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	check(t, svc, key.Reveal())

	told.take()
	again, err := svc.As(alice.ID).EndOverlap(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, token, again)
	require.Empty(t, told.take())
}

// An owner does not get rid of what is locked by using a key that was replaced.
func TestReuseOfALockedToken(t *testing.T) {
	t.Parallel()
	svc, _, told := newObserved(t, authtoken.Config{Policy: authtoken.Policy{RevokeOnReuse: true}})
	_, old := create(t, svc, authtoken.CreateParams{Identifier: "deploy", User: alice.ID, Expiring: new(false)})
	_, _, err := svc.As(alice.ID).Rotate(t.Context(), "deploy", 0)
	require.NoError(t, err)
	require.NoError(t, suspend(t, svc.As(root.ID), "deploy", true))
	told.take()
	_, err = svc.Authenticate(t.Context(), old)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	require.Equal(t, []string{"refused deploy - key refused: it has been replaced"}, told.take())
	_, err = svc.Get(t.Context(), "deploy")
	require.NoError(t, err)
}
