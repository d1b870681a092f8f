package authtoken_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// newRevoked returns a service with tokens t0 and t1 of alice, t2 of bob and t3 of carol.
func newRevoked(t *testing.T) *authtoken.Service {
	t.Helper()
	svc, _ := newService(t, authtoken.Policy{})
	for i, user := range []authtoken.User{alice, alice, bob, carol} {
		create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: user.ID,
			Intent: []authtoken.Intent{authtoken.IntentAPI, authtoken.IntentRecovery}[i%2]})
	}
	return svc
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		by     *authtoken.User // nil is trusted code
		filter authtoken.Filter
		want   []string
	}{
		"one":              {nil, authtoken.Filter{Identifier: "t1", AllUsers: true}, []string{"t1"}},
		"user":             {nil, authtoken.Filter{User: alice.ID}, []string{"t0", "t1"}},
		"username":         {nil, authtoken.Filter{Username: "alice"}, []string{"t0", "t1"}},
		"intent":           {nil, authtoken.Filter{Intent: authtoken.IntentRecovery, AllUsers: true}, []string{"t1", "t3"}},
		"everybody's":      {nil, authtoken.Filter{AllUsers: true}, []string{"t0", "t1", "t2", "t3"}},
		"none of any":      {nil, authtoken.Filter{User: "99"}, []string{}},
		"superuser":        {&root, authtoken.Filter{User: alice.ID}, []string{"t0", "t1"}},
		"superuser, all":   {&root, authtoken.Filter{AllUsers: true}, []string{"t0", "t1", "t2", "t3"}},
		"own":              {&bob, authtoken.Filter{Words: []string{"t"}}, []string{"t2"}},
		"all of one's own": {&bob, authtoken.Filter{}, []string{"t2"}},
		"foreign":          {&bob, authtoken.Filter{User: alice.ID}, []string{}},
		"all, of a user":   {&bob, authtoken.Filter{AllUsers: true}, []string{"t2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := newRevoked(t)
			as := &svc.Access
			if c.by != nil {
				as = svc.As(c.by.ID)
			}
			tokens, err := as.Revoke(t.Context(), c.filter)
			require.NoError(t, err)
			require.Equal(t, c.want, identifiers(tokens))
			page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
			require.NoError(t, err)
			require.Equal(t, 4-len(c.want), page.Count)
		})
	}
}

// A user's ID that is empty by mistake is nobody, not everybody.
func TestRevokeMustBeToldWhose(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]authtoken.Filter{
		"nothing":                 {},
		"an intent":               {Intent: authtoken.IntentAPI},
		"an identifier":           {Identifier: "t1"},
		"a word":                  {Words: []string{"t"}},
		"all, and a user":         {AllUsers: true, User: alice.ID},
		"all, and a username":     {AllUsers: true, Username: "alice"},
		"all, and a wrong intent": {AllUsers: true, Intent: "user"},
	} {
		for by, access := range map[string]func(svc *authtoken.Service) *authtoken.Access{
			"trusted code": func(svc *authtoken.Service) *authtoken.Access { return &svc.Access },
			"superuser":    func(svc *authtoken.Service) *authtoken.Access { return svc.As(root.ID) },
		} {
			t.Run(name+"/"+by, func(t *testing.T) {
				t.Parallel()
				svc := newRevoked(t)
				_, err := access(svc).Revoke(t.Context(), f)
				require.ErrorContains(t, err, "user")
				page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
				require.NoError(t, err)
				require.Equal(t, 4, page.Count)
			})
		}
	}
}
