package authtoken_test

import (
	"context"
	"encoding/base64"
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
