package authtoken_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
)

func identifiers(tokens []authtoken.Token) []string {
	names := make([]string, len(tokens))
	for i, t := range tokens {
		names[i] = t.Identifier
	}
	return names
}

// newList returns a service with tokens a to e, of alice, Bob and carol in turn.
func newList(t *testing.T) (*authtoken.Service, *authtokentest.Clock) {
	t.Helper()
	svc, clock := newService(t, authtoken.Policy{})
	for i, p := range []authtoken.CreateParams{
		{Identifier: "c", User: 2, Description: "50% off"},
		{Identifier: "a", User: 3, Intent: authtoken.IntentAppPassword, Managed: "z"},
		{Identifier: "e", User: 4, Description: "Élan"},
		{Identifier: "b", User: 2, Expiring: new(false)},
		{Identifier: "d", User: 3, Managed: "y"},
	} {
		p.Expires = clock.Now().Add(time.Duration(5-i) * time.Minute)
		create(t, svc, p)
		clock.Advance(time.Second)
	}
	return svc, clock
}

func TestFilters(t *testing.T) {
	t.Parallel()
	svc, _ := newList(t)
	c, err := svc.Get(t.Context(), "c")
	require.NoError(t, err)
	for name, x := range map[string]struct {
		filter authtoken.Filter
		want   string
	}{
		"nothing":         {authtoken.Filter{}, "a b c d e"},
		"identifier":      {authtoken.Filter{Identifier: "c"}, "c"},
		"identifier case": {authtoken.Filter{Identifier: "C"}, ""},
		"intent":          {authtoken.Filter{Intent: authtoken.IntentAppPassword}, "a"},
		"user":            {authtoken.Filter{User: 3}, "a d"},
		"username":        {authtoken.Filter{Username: "Bob"}, "a d"},
		"username case":   {authtoken.Filter{Username: "bob"}, ""},
		"user, username":  {authtoken.Filter{User: 2, Username: "Bob"}, ""},
		"description":     {authtoken.Filter{Description: "50% off"}, "c"},
		"managed":         {authtoken.Filter{Managed: "y"}, "d"},
		"expires":         {authtoken.Filter{Expires: c.Expires}, "c"},
		"expiring":        {authtoken.Filter{Expiring: new(false)}, "b"},
		"search":          {authtoken.Filter{Search: "API"}, "b c d e"},
		"search name":     {authtoken.Filter{Search: "BO"}, "a d"},
		"search words":    {authtoken.Filter{Search: " alice,\t%, off"}, "c"},
		"search accent":   {authtoken.Filter{Search: "éL"}, "e"},
		"search wildcard": {authtoken.Filter{Search: "%"}, "c"},
		"search nul":      {authtoken.Filter{Search: "\x00"}, "a b c d e"},
		"order":           {authtoken.Filter{Order: authtoken.ParseOrder("-identifier")}, "e d c b a"},
		"order managed":   {authtoken.Filter{Order: authtoken.ParseOrder("managed,-identifier")}, "d a e c b"},
		"order expires":   {authtoken.Filter{Order: authtoken.ParseOrder("expires")}, "d b e a c"},
		"order created":   {authtoken.Filter{Order: authtoken.ParseOrder("created")}, "c a e b d"},
		"order nonsense":  {authtoken.Filter{Order: authtoken.ParseOrder("key, --user,,- ,user,identifier")}, "b c a d e"},
	} {
		want := strings.Fields(x.want)
		page, err := svc.As(root.PK).Page(t.Context(), x.filter, 1, 10)
		require.NoError(t, err, name)
		require.Equal(t, x.want, strings.Join(identifiers(page.Tokens), " "), name)
		require.Equal(t, len(want), page.Count, name)

		var all []string
		for token, err := range svc.All(t.Context(), x.filter) {
			require.NoError(t, err)
			all = append(all, token.Identifier)
		}
		require.ElementsMatch(t, want, all, name)

		// The same in pieces.
		all = nil
		for cursor := ""; ; {
			tokens, next, err := svc.As(root.PK).List(t.Context(), x.filter, cursor, 2)
			require.NoError(t, err, name)
			all = append(all, identifiers(tokens)...)
			if next == "" {
				break
			}
			require.Len(t, tokens, 2, name)
			cursor = next
		}
		require.Equal(t, x.want, strings.Join(all, " "), name)
	}
}

func TestFilterFaults(t *testing.T) {
	t.Parallel()
	svc, _ := newList(t)
	_, err := svc.Page(t.Context(), authtoken.Filter{
		Intent: "x", Order: []authtoken.Order{{Field: "digest"}}, Identifier: "\x00",
		Search:  strings.Repeat("ä", 256),
		Invalid: []authtoken.FieldError{{Field: "expires", Message: "no"}},
	}, 1, 1)
	requireFaults(t, err,
		"identifier: Null characters are not allowed.",
		"intent: Select a valid choice. x is not one of the available choices.",
		"expires: no",
		`ordering: Tokens can't be sorted by "digest".`,
		"search: Ensure this field has no more than 255 characters.",
	)
	eight := "a b,c ,d e f\tg h"
	_, err = svc.Page(t.Context(), authtoken.Filter{Search: eight}, 1, 1)
	require.NoError(t, err)
	_, err = svc.Page(t.Context(), authtoken.Filter{Search: eight + " a"}, 1, 1)
	requireFaults(t, err, "search: Search for at most 8 words.")
	var v *authtoken.ValidationError
	require.ErrorAs(t, err, &v)
	require.True(t, v.Has("search", authtoken.CodeTooMany))
	_, err = svc.Revoke(t.Context(), authtoken.Filter{Search: eight + " a", AllUsers: true})
	requireFaults(t, err, "search: Search for at most 8 words.")
	_, err = svc.Page(t.Context(), authtoken.Filter{Order: []authtoken.Order{{Field: "user"}, {Field: "user"}}}, 1, 1)
	requireFaults(t, err, `ordering: Tokens are sorted by "user" already.`)
	_, err = svc.Page(t.Context(), authtoken.Filter{Search: strings.Repeat("ä", 255)}, 1, 1)
	require.NoError(t, err)

	nameless, _ := authtokentest.NewService(t, authtoken.Config{})
	_, err = nameless.Page(t.Context(), authtoken.Filter{Username: "x"}, 1, 1)
	requireFaults(t, err, "user__username: Users can't be looked up by name here.")
	page, err := nameless.As(alice.PK).Page(t.Context(), authtoken.Filter{Username: "x"}, 1, 1)
	require.NoError(t, err, "plain users see their own tokens only, and need no look-up")
	require.Zero(t, page.Count)
}

func TestPages(t *testing.T) {
	t.Parallel()
	svc, _ := newList(t)
	page, err := svc.Page(t.Context(), authtoken.Filter{}, 2, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"c", "d"}, identifiers(page.Tokens))
	page.Tokens = nil
	require.Equal(t, authtoken.Page{Number: 2, Size: 2, Count: 5, Pages: 3}, page)

	for _, n := range [][2]int{{0, 2}, {-1, 2}, {4, 2}, {math.MaxInt/2 + 1, math.MaxInt/2 + 1}} {
		_, err := svc.Page(t.Context(), authtoken.Filter{}, n[0], n[1])
		require.ErrorIs(t, err, authtoken.ErrNoPage, n)
	}
	_, err = svc.Page(t.Context(), authtoken.Filter{}, 1, 0)
	require.ErrorContains(t, err, "page size is 0")
	page, err = svc.Page(t.Context(), authtoken.Filter{Identifier: "none"}, 1, 2)
	require.NoError(t, err)
	require.Equal(t, 1, page.Pages)
}

func TestCursors(t *testing.T) {
	t.Parallel()
	svc, _ := newList(t)
	_, cursor, err := svc.List(t.Context(), authtoken.Filter{}, "", 2)
	require.NoError(t, err)

	// What the cursor stands on may go away.
	require.NoError(t, svc.Delete(t.Context(), "b"))
	tokens, _, err := svc.List(t.Context(), authtoken.Filter{}, cursor, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"c", "d"}, identifiers(tokens))

	// In the hands of another it shows no more than they may see.
	tokens, _, err = svc.As(bob.PK).List(t.Context(), authtoken.Filter{}, cursor, 9)
	require.NoError(t, err)
	require.Equal(t, []string{"d"}, identifiers(tokens))

	_, _, err = svc.List(t.Context(), authtoken.Filter{Order: authtoken.ParseOrder("expires")}, cursor, 2)
	requireFaults(t, err, "cursor: This cursor came with a list in another order.")
	for _, bad := range []string{"x", "!", cursor[1:], cursor + "A", "e30", strings.Repeat("A", 100)} {
		_, _, err = svc.List(t.Context(), authtoken.Filter{}, bad, 2)
		requireFaults(t, err, "cursor: Not a cursor that came with a list.")
	}
	_, _, err = svc.List(t.Context(), authtoken.Filter{}, "", 0)
	require.Error(t, err)
}

func TestAllStops(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	for i := range 450 {
		create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprintf("t%03d", i), User: 2})
	}
	n := 0
	for token, err := range svc.As(alice.PK).All(t.Context(), authtoken.Filter{}) {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("t%03d", n), token.Identifier)
		n++
	}
	require.Equal(t, 450, n)
	for _, err := range svc.All(t.Context(), authtoken.Filter{}) {
		require.NoError(t, err)
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range svc.All(ctx, authtoken.Filter{}) {
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestUserList(t *testing.T) {
	t.Parallel()
	for want, users := range map[string][]authtoken.User{
		`user "x": pk 0 is not positive`:    {{Username: "x"}},
		`user "y": pk 1 occurs twice`:       {{PK: 1, Username: "x"}, {PK: 1, Username: "y"}},
		`user 2: username "x" occurs twice`: {{PK: 1, Username: "x"}, {PK: 2, Username: "x"}},
	} {
		_, err := authtoken.NewUserList(users...)
		require.EqualError(t, err, want)
	}
	l, err := authtoken.NewUserList(authtoken.User{PK: 1}, authtoken.User{PK: 3}, alice)
	require.NoError(t, err, "any number of users may be without a name")
	_, err = l.UserNamed(t.Context(), "")
	require.ErrorIs(t, err, authtoken.ErrUserNotFound)
	_, err = authtoken.AnyUser{}.User(t.Context(), 0)
	require.ErrorIs(t, err, authtoken.ErrUserNotFound)
}
