package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
)

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
		"user":            {authtoken.Filter{User: bob.ID}, "a d"},
		"no such user":    {authtoken.Filter{User: "03"}, ""},
		"all users":       {authtoken.Filter{AllUsers: true}, "a b c d e"},
		"username":        {authtoken.Filter{Username: "Bob"}, "a d"},
		"username case":   {authtoken.Filter{Username: "bob"}, ""},
		"user, username":  {authtoken.Filter{User: alice.ID, Username: "Bob"}, ""},
		"description":     {authtoken.Filter{Description: "50% off"}, "c"},
		"managed":         {authtoken.Filter{Managed: "y"}, "d"},
		"expires":         {authtoken.Filter{Expires: c.Expires}, "c"},
		"expiring":        {authtoken.Filter{Expiring: new(false)}, "b"},
		"word":            {authtoken.Filter{Words: []string{"API"}}, "b c d e"},
		"username's part": {authtoken.Filter{Words: []string{"BO"}}, "a d"},
		"several words":   {authtoken.Filter{Words: []string{"alice", "%", "off"}}, "c"},
		"accent":          {authtoken.Filter{Words: []string{"éL"}}, "e"},
		"wildcard":        {authtoken.Filter{Words: []string{"%"}}, "c"},
		"a space":         {authtoken.Filter{Words: []string{"% o"}}, "c"},
		"order":           {authtoken.Filter{Order: orders("-identifier")}, "e d c b a"},
		"order managed":   {authtoken.Filter{Order: orders("managed,-identifier")}, "d a e c b"},
		"order expires":   {authtoken.Filter{Order: orders("expires")}, "d b e a c"},
		"order created":   {authtoken.Filter{Order: orders("created")}, "c a e b d"},
		"order user":      {authtoken.Filter{Order: orders("user,identifier")}, "b c a d e"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := strings.Fields(x.want)
			page, err := svc.As(root.ID).Page(t.Context(), x.filter, 1, 10)
			require.NoError(t, err)
			require.Equal(t, x.want, strings.Join(identifiers(page.Tokens), " "))
			require.Equal(t, len(want), page.Count)

			var all []string
			for token, err := range svc.All(t.Context(), x.filter) {
				require.NoError(t, err)
				all = append(all, token.Identifier)
			}
			require.ElementsMatch(t, want, all)

			// The same in pieces.
			all = nil
			for cursor := ""; ; {
				tokens, next, err := svc.As(root.ID).List(t.Context(), x.filter, cursor, 2)
				require.NoError(t, err)
				all = append(all, identifiers(tokens)...)
				if next == "" {
					break
				}
				require.Len(t, tokens, 2)
				cursor = next
			}
			require.Equal(t, x.want, strings.Join(all, " "))
		})
	}
}

// A filter that is refused lists nothing, and revokes nothing.
func TestFilterFaults(t *testing.T) {
	t.Parallel()
	svc, _ := newList(t)
	words := func(n int) []string { return strings.Fields(strings.Repeat("a ", n)) }
	for name, c := range map[string]struct {
		filter authtoken.Filter
		want   []string // nil if there is nothing wrong with it
	}{
		"all in order": {authtoken.Filter{
			Words: []string{strings.Repeat("ä", 256)}, Username: "\x00", AllUsers: true,
			Order: []authtoken.Order{{Field: "digest"}}, Intent: "x", Identifier: "\x00", Description: "\xff", Managed: "\xff",
			Invalid: []authtoken.FieldError{{Field: "expires", Code: authtoken.CodeInvalid}},
		}, []string{
			"identifier has a null character",
			"user is invalid",
			`intent "x" is not one of the choices`,
			"description is not valid UTF-8",
			"managed is not valid UTF-8",
			"expires is invalid",
			`order "digest" is not one of the choices`,
			"username has a null character",
			"words is longer than 255 characters",
		}},
		"8 words":                     {authtoken.Filter{Words: words(8)}, nil},
		"9 words":                     {authtoken.Filter{Words: words(9)}, []string{"words has more than 8"}},
		"255 characters":              {authtoken.Filter{Words: []string{strings.Repeat("ä", 255)}}, nil},
		"256 characters":              {authtoken.Filter{Words: []string{strings.Repeat("ä", 256)}}, []string{"words is longer than 255 characters"}},
		"256 characters together":     {authtoken.Filter{Words: []string{strings.Repeat("ä", 128), strings.Repeat("b", 128)}}, []string{"words is longer than 255 characters"}},
		"a null character":            {authtoken.Filter{Words: []string{"a", "b\x00"}}, []string{"words has a null character"}},
		"a letter in two words":       {authtoken.Filter{Words: []string{"\xc3", "\xa9"}}, []string{"words is not valid UTF-8"}},
		"a field twice":               {authtoken.Filter{Order: []authtoken.Order{{Field: "user"}, {Field: "user", Desc: true}}}, []string{"order is invalid"}},
		"all users, and one":          {authtoken.Filter{AllUsers: true, User: alice.ID}, []string{"user is invalid"}},
		"all users, and one's name":   {authtoken.Filter{AllUsers: true, Username: "alice"}, []string{"user is invalid"}},
		"a user that is not UTF-8":    {authtoken.Filter{User: "\xff"}, []string{"user is not valid UTF-8"}},
		"a user's null character":     {authtoken.Filter{User: "\x00"}, []string{"user has a null character"}},
		"a username that is not text": {authtoken.Filter{Username: "\xff"}, []string{"username is not valid UTF-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := svc.Page(t.Context(), c.filter, 1, 1)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			requireFaults(t, err, c.want...)
			_, _, err = svc.List(t.Context(), c.filter, "", 1)
			requireFaults(t, err, c.want...)
			for _, err := range svc.All(t.Context(), c.filter) {
				requireFaults(t, err, c.want...)
			}
			if c.filter.User == "" && c.filter.Username == "" {
				c.filter.AllUsers = true
			}
			_, err = svc.Revoke(t.Context(), c.filter)
			requireFaults(t, err, c.want...)
			page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 1)
			require.NoError(t, err)
			require.Equal(t, 5, page.Count)
		})
	}
}

func TestUsernameWithoutUserFinder(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	_, err := svc.Page(t.Context(), authtoken.Filter{Username: "x"}, 1, 1)
	requireFaults(t, err, "username may not be chosen or changed by this user")
	page, err := svc.As(alice.ID).Page(t.Context(), authtoken.Filter{Username: "x"}, 1, 1)
	require.NoError(t, err, "plain users see their own tokens only, and need no look-up")
	require.Zero(t, page.Count)
}

func TestPages(t *testing.T) {
	t.Parallel()
	svc, _ := newList(t)
	for name, c := range map[string]struct {
		filter       authtoken.Filter
		number, size int
		want         authtoken.Page // without tokens
		tokens       []string
		err          string
	}{
		"first":         {authtoken.Filter{}, 1, 2, authtoken.Page{Number: 1, Size: 2, Count: 5, Pages: 3}, []string{"a", "b"}, ""},
		"in the middle": {authtoken.Filter{}, 2, 2, authtoken.Page{Number: 2, Size: 2, Count: 5, Pages: 3}, []string{"c", "d"}, ""},
		"last":          {authtoken.Filter{}, 3, 2, authtoken.Page{Number: 3, Size: 2, Count: 5, Pages: 3}, []string{"e"}, ""},
		"no tokens":     {authtoken.Filter{Identifier: "none"}, 1, 2, authtoken.Page{Number: 1, Size: 2, Pages: 1}, []string{}, ""},
		"page 0":        {authtoken.Filter{}, 0, 2, authtoken.Page{}, nil, "no such page"},
		"page -1":       {authtoken.Filter{}, -1, 2, authtoken.Page{}, nil, "no such page"},
		"past the last": {authtoken.Filter{}, 4, 2, authtoken.Page{}, nil, "no such page"},
		"overflow":      {authtoken.Filter{}, math.MaxInt/2 + 1, math.MaxInt/2 + 1, authtoken.Page{}, nil, "no such page"},
		"no size":       {authtoken.Filter{}, 1, 0, authtoken.Page{}, nil, "page size is 0, not positive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page, err := svc.Page(t.Context(), c.filter, c.number, c.size)
			if c.err != "" {
				require.EqualError(t, err, "list tokens: "+c.err)
				require.Equal(t, c.err == authtoken.ErrNoPage.Error(), errors.Is(err, authtoken.ErrNoPage))
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.tokens, identifiers(page.Tokens))
			page.Tokens = nil
			require.Equal(t, c.want, page)
		})
	}
}

func TestAllStops(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	for i := range 450 {
		create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprintf("t%03d", i), User: alice.ID})
	}
	n := 0
	for token, err := range svc.As(alice.ID).All(t.Context(), authtoken.Filter{}) {
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

func TestExpiringBetween(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{})
	now := clock.Now()
	for i := range 6 {
		create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", 5-i), User: alice.ID,
			Expires: now.Add(time.Duration(5-i) * time.Minute), Expiring: new(i != 2)})
	}
	var got []string
	for token, err := range svc.ExpiringBetween(t.Context(), now.Add(time.Minute), now.Add(5*time.Minute)) {
		require.NoError(t, err)
		got = append(got, token.Identifier)
	}
	require.Equal(t, []string{"t1", "t2", "t4"}, got)
}
