package authtoken_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
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

func (p particular) Create(ctx context.Context, r store.Record, limit int) error {
	p.mindRecord(&r)
	return p.Store.Create(ctx, r, limit)
}

func (p particular) Update(ctx context.Context, r store.Record) error {
	p.mindRecord(&r)
	return p.Store.Update(ctx, r)
}

func (p particular) mindRecord(r *store.Record) {
	p.mind(r.Identifier, r.Intent, r.User, r.Description, r.Managed)
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
	p.mind(q.Users...)
	for _, w := range q.Words {
		p.mind(w.Text)
		p.mind(w.Users...)
	}
	if q.After != nil {
		p.mindRecord(q.After)
	}
}

// newParticular returns a service over a particular store with the token "one", and
// the access of its owner.
func newParticular(t *testing.T) (*authtoken.Service, *authtoken.Access) {
	t.Helper()
	svc, err := authtoken.New(particular{memory.New(), t}, authtoken.Config{})
	require.NoError(t, err)
	create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
	return svc, svc.As(alice.ID)
}

// What no token can have, no store is asked for: one in PostgreSQL would fail.
func TestStoresAreAskedForTextOnly(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"\x00", "one\x00", "\xff", "on\xc3"} {
		t.Run(strconv.Quote(bad), func(t *testing.T) {
			t.Parallel()
			svc, as := newParticular(t)
			ctx := t.Context()
			_, err := as.Get(ctx, bad)
			require.ErrorIs(t, err, authtoken.ErrNotFound)
			_, err = svc.Update(ctx, bad, authtoken.UpdateParams{Description: new("x")})
			require.ErrorIs(t, err, authtoken.ErrNotFound)
			require.ErrorIs(t, svc.Delete(ctx, bad), authtoken.ErrNotFound)
			_, err = as.Reveal(ctx, bad)
			require.ErrorIs(t, err, authtoken.ErrNotFound)
			_, _, err = svc.Create(ctx, authtoken.CreateParams{Identifier: bad, Intent: authtoken.Intent(bad), User: bad, Description: bad, Managed: bad})
			var v *authtoken.ValidationError
			require.ErrorAs(t, err, &v)
			_, err = as.Update(ctx, "one", authtoken.UpdateParams{Identifier: &bad, User: &bad, Description: &bad, Managed: &bad})
			require.ErrorAs(t, err, &v)
		})
		for field, f := range map[string]authtoken.Filter{
			"identifier":  {Identifier: bad},
			"intent":      {Intent: authtoken.Intent(bad)},
			"user":        {User: bad},
			"username":    {Username: bad},
			"description": {Description: bad},
			"managed":     {Managed: bad},
			"words":       {Words: []string{"one", bad}},
		} {
			t.Run(strconv.Quote(bad)+"/"+field, func(t *testing.T) {
				t.Parallel()
				svc, as := newParticular(t)
				var v *authtoken.ValidationError
				_, err := as.Page(t.Context(), f, 1, 10)
				require.ErrorAs(t, err, &v)
				require.Len(t, v.Fields, 1)
				require.Equal(t, field, v.Fields[0].Field)
				f.AllUsers = f.User == "" && f.Username == ""
				_, err = svc.Revoke(t.Context(), f)
				require.ErrorAs(t, err, &v)
			})
		}
	}
	for _, field := range []string{"n", "i", "u", "d", "m"} {
		t.Run("cursor/"+field, func(t *testing.T) {
			t.Parallel()
			_, as := newParticular(t)
			made := base64.RawURLEncoding.EncodeToString([]byte(`{"k":"AAAAAAAAAAAAAAAAAAAAAA==","` + field + `":"a\u0000"}`))
			_, _, err := as.List(t.Context(), authtoken.Filter{}, made, 10)
			requireFaults(t, err, "cursor is invalid")
		})
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
			create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Description: " " + longest + " ", Managed: longest})
			_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Description: new(longest + "x"), Managed: new(longest + "x")})
			requireFaults(t, err,
				fmt.Sprintf("description is longer than %d characters", c.max),
				fmt.Sprintf("managed is longer than %d characters", c.max))
			_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "two", User: alice.ID, Description: longest + "x"})
			requireFaults(t, err, fmt.Sprintf("description is longer than %d characters", c.max))
		})
	}
}

// Clients send back all that they have got. So what is longer than the policy allows,
// because it was stored under another policy, may come again.
func TestLongerTextsMayStay(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 2000)
	const fault = "description is longer than 1000 characters"
	for name, c := range map[string]struct {
		description string
		want        []string
	}{
		"the same":       {long, nil},
		"with space":     {"\n" + long + " ", nil},
		"short":          {"short", nil},
		"longer":         {long + "x", []string{fault}},
		"shorter":        {long[2:], []string{fault}},
		"in upper case":  {strings.ToUpper(long), []string{fault}},
		"another's text": {strings.Repeat("x", 2000), []string{fault}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := memory.New()
			before, err := authtoken.New(st, authtoken.Config{Policy: authtoken.Policy{MaxTextLength: 2000}})
			require.NoError(t, err)
			svc, err := authtoken.New(st, authtoken.Config{})
			require.NoError(t, err)
			create(t, before, authtoken.CreateParams{Identifier: "one", User: alice.ID, Description: long, Managed: long})
			create(t, before, authtoken.CreateParams{Identifier: "two", User: alice.ID, Description: strings.Repeat("x", 2000)})
			as := svc.As(alice.ID)

			token, err := as.Update(t.Context(), "one", authtoken.UpdateParams{
				Identifier: new("renamed"), Description: &c.description, Managed: new(long)})
			if c.want != nil {
				requireFaults(t, err, c.want...)
				return
			}
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(c.description), token.Description)
			require.Equal(t, long, token.Managed)
			if token.Description != long {
				_, err = as.Update(t.Context(), "renamed", authtoken.UpdateParams{Description: &long})
				requireFaults(t, err, fault)
			}
		})
	}
}
