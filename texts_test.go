package authtoken_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// particular is a store that minds what it is asked for, as PostgreSQL does.
type particular struct {
	store.Store
	t *testing.T
}

func (p particular) mind(texts ...string) {
	for _, s := range texts {
		require.True(p.t, utf8.ValidString(s) && !strings.Contains(s, "\x00"), "the store was asked for %q", s)
	}
}

func (p particular) Get(ctx context.Context, identifier string) (store.Record, error) {
	p.mind(identifier)
	return p.Store.Get(ctx, identifier)
}

func (p particular) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	p.mindQuery(&q)
	return p.Store.List(ctx, q)
}

func (p particular) Count(ctx context.Context, q store.Query) (int, error) {
	p.mindQuery(&q)
	return p.Store.Count(ctx, q)
}

func (p particular) Purge(ctx context.Context, q store.Query) ([]store.Record, error) {
	p.mindQuery(&q)
	return p.Store.Purge(ctx, q)
}

func (p particular) mindQuery(q *store.Query) {
	p.mind(q.Identifier, q.Description, q.Managed)
	p.mind(q.Intents...)
	for _, w := range q.Words {
		p.mind(w.Text)
	}
	if a := q.After; a != nil {
		p.mind(a.Identifier, a.Intent, a.Description, a.Managed)
	}
}

// What no token can have, no store is asked for: one in PostgreSQL would fail.
func TestStoresAreAskedForTextOnly(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	svc, err := authtoken.New(particular{memory.New(), t}, authtoken.Config{})
	require.NoError(t, err)
	_, _, err = svc.Create(ctx, authtoken.CreateParams{Identifier: "one", User: 1})
	require.NoError(t, err)
	caller := svc.As(1)
	invalid := func(err error, field string) {
		t.Helper()
		var v *authtoken.ValidationError
		require.ErrorAs(t, err, &v)
		require.Len(t, v.Fields, 1)
		require.Equal(t, field, v.Fields[0].Field)
		require.Equal(t, authtoken.CodeInvalid, v.Fields[0].Code)
	}
	for _, bad := range []string{"\x00", "one\x00", "\xff", "on\xc3"} {
		_, err := caller.Get(ctx, bad)
		require.ErrorIs(t, err, authtoken.ErrNotFound, "%q", bad)
		_, err = svc.Update(ctx, bad, authtoken.UpdateParams{Description: new("x")})
		require.ErrorIs(t, err, authtoken.ErrNotFound, "%q", bad)
		require.ErrorIs(t, svc.Delete(ctx, bad), authtoken.ErrNotFound, "%q", bad)
		_, err = caller.Reveal(ctx, bad)
		require.Error(t, err, "%q", bad)

		for field, f := range map[string]authtoken.Filter{
			"identifier":  {Identifier: bad},
			"description": {Description: bad},
			"managed":     {Managed: bad},
		} {
			_, err = caller.Page(ctx, f, 1, 10)
			invalid(err, field)
			f.AllUsers = true
			_, err = svc.Revoke(ctx, f)
			invalid(err, field)
		}
	}
	for search, want := range map[string]int{"o\x00ne": 1, "on\xff": 0, "\xff\xfe": 0} {
		page, err := caller.Page(ctx, authtoken.Filter{Search: search}, 1, 10)
		require.NoError(t, err)
		require.Len(t, page.Tokens, want, "%q", search)
	}

	for _, field := range []string{"n", "i", "d", "m"} {
		made := base64.RawURLEncoding.EncodeToString([]byte(`{"k":"AAAAAAAAAAAAAAAAAAAAAA==","` + field + `":"a\u0000"}`))
		_, _, err = caller.List(ctx, authtoken.Filter{}, made, 10)
		invalid(err, "cursor")
	}
}

func TestTextLength(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy authtoken.Policy
		max    int
	}{
		"default":   {authtoken.Policy{}, 1000},
		"Authentik": {authtoken.Authentik(), 10_000},
		"shorter":   {authtoken.Policy{MaxTextLength: 3}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, c.policy)
			longest := strings.Repeat("𝄞", c.max) // characters, not bytes
			create(t, svc, authtoken.CreateParams{Identifier: "one", User: 1, Description: " " + longest + " ", Managed: longest})
			_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Description: new(longest + "x"), Managed: new(longest + "x")})
			requireFaults(t, err,
				fmt.Sprintf("managed: Ensure this field has no more than %d characters.", c.max),
				fmt.Sprintf("description: Ensure this field has no more than %d characters.", c.max))
			_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "two", User: 1, Description: longest + "x"})
			requireFaults(t, err, fmt.Sprintf("description: Ensure this field has no more than %d characters.", c.max))
		})
	}
}

// Clients send back all that they have got. So what is longer than the policy allows,
// because it was stored under another policy, may come again.
func TestLongerTextsMayStay(t *testing.T) {
	t.Parallel()
	st := memory.New()
	before, err := authtoken.New(st, authtoken.Config{Policy: authtoken.Policy{MaxTextLength: 2000}})
	require.NoError(t, err)
	svc, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	long := strings.Repeat("é", 2000)
	create(t, before, authtoken.CreateParams{Identifier: "one", User: 1, Description: long, Managed: long})
	create(t, before, authtoken.CreateParams{Identifier: "two", User: 1, Description: strings.ToUpper(long)})
	caller := svc.As(1)

	token, err := caller.Update(t.Context(), "one", authtoken.UpdateParams{
		Identifier: new("renamed"), Description: new("\n" + long + " "), Managed: new(long),
	})
	require.NoError(t, err)
	require.Equal(t, long, token.Description)
	require.Equal(t, long, token.Managed)
	for _, other := range []string{long + "x", long[2:], strings.ToUpper(long)} {
		_, err = caller.Update(t.Context(), "renamed", authtoken.UpdateParams{Description: &other})
		requireFaults(t, err, "description: Ensure this field has no more than 1000 characters.")
	}
	_, err = caller.Update(t.Context(), "renamed", authtoken.UpdateParams{Description: new("short")})
	require.NoError(t, err)
	_, err = caller.Update(t.Context(), "renamed", authtoken.UpdateParams{Description: &long})
	requireFaults(t, err, "description: Ensure this field has no more than 1000 characters.")
}
