package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

func TestCursors(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*authtoken.Service, string) {
		svc, _ := newList(t)
		_, cursor, err := svc.List(t.Context(), authtoken.Filter{}, "", 2)
		require.NoError(t, err)
		return svc, cursor
	}
	t.Run("the token it stands on may go away", func(t *testing.T) {
		t.Parallel()
		svc, cursor := start(t)
		require.NoError(t, svc.Delete(t.Context(), "b"))
		tokens, _, err := svc.List(t.Context(), authtoken.Filter{}, cursor, 2)
		require.NoError(t, err)
		require.Equal(t, []string{"c", "d"}, identifiers(tokens))
	})
	t.Run("it shows others no more than they may see", func(t *testing.T) {
		t.Parallel()
		svc, cursor := start(t)
		tokens, _, err := svc.As(bob.ID).List(t.Context(), authtoken.Filter{}, cursor, 9)
		require.NoError(t, err)
		require.Equal(t, []string{"d"}, identifiers(tokens))
	})
	t.Run("another order", func(t *testing.T) {
		t.Parallel()
		svc, cursor := start(t)
		_, _, err := svc.List(t.Context(), authtoken.Filter{Order: orders("expires")}, cursor, 2)
		requireFaults(t, err, "cursor is invalid")
	})
	for name, spoil := range map[string]func(cursor string) string{
		"a letter":     func(string) string { return "x" },
		"not base64":   func(string) string { return "!" },
		"cut short":    func(cursor string) string { return cursor[1:] },
		"more":         func(cursor string) string { return cursor + "A" },
		"empty object": func(string) string { return "e30" },
		"zeros":        func(string) string { return strings.Repeat("A", 100) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, cursor := start(t)
			_, _, err := svc.List(t.Context(), authtoken.Filter{}, spoil(cursor), 2)
			requireFaults(t, err, "cursor is invalid")
		})
	}
	t.Run("limit", func(t *testing.T) {
		t.Parallel()
		svc, cursor := start(t)
		_, _, err := svc.List(t.Context(), authtoken.Filter{}, cursor, 0)
		require.ErrorContains(t, err, "limit is 0, not positive")
	})
}

// FuzzCursor lists from any cursor in any order. Whatever is accepted gives the
// tokens of a list without a cursor from some place on, the same from every
// store, and only those that the caller may see.
func FuzzCursor(f *testing.F) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, ":memory:", sqlite.Config{})
	require.NoError(f, err)
	f.Cleanup(func() { _ = db.Close() })
	inSQLite, err := authtoken.New(db, authtoken.Config{})
	require.NoError(f, err)
	tokens := memory.New()
	maker, err := authtoken.New(tokens, authtoken.Config{})
	require.NoError(f, err)
	for i := range 9 {
		_, _, err := maker.Create(ctx, authtoken.CreateParams{
			Identifier: string(rune('a' + i*5%9)), User: fmt.Sprint(1 + i%2), Intent: authtoken.Intents()[i%4],
			Description: strings.Repeat("d", i%3), Managed: strings.Repeat("m", i), Expiring: new(i%3 > 0),
			Expires: time.Unix(int64(i/2), 0),
		})
		require.NoError(f, err)
	}
	records, err := tokens.List(ctx, store.Query{})
	require.NoError(f, err)
	copied := memory.New()
	for _, r := range records {
		require.NoError(f, copied.Create(ctx, r, 0))
		require.NoError(f, db.Create(ctx, r, 0))
	}
	inMemory, err := authtoken.New(copied, authtoken.Config{})
	require.NoError(f, err)

	f.Add("", "identifier", 3)
	f.Add("!", "", 1)
	f.Add("e30", "", 1)
	f.Add("eyJrIjoiIn0", "", 1)
	for _, order := range []string{"", "pk", "-expires,intent", "user,-managed,description", "-last_used", "created,expiring"} {
		_, cursor, err := inMemory.List(ctx, authtoken.Filter{Order: orders(order)}, "", 4)
		require.NoError(f, err)
		f.Add(cursor, order, 2)
		f.Add(cursor, "", 2)
		f.Add(cursor[:len(cursor)-1], order, 2)
	}
	f.Fuzz(func(t *testing.T, cursor, order string, limit int) {
		limit = 1 + int(uint(limit)%10)
		filter := authtoken.Filter{Order: orders(order)}
		got, next, err := inMemory.List(t.Context(), filter, cursor, limit)
		again, nextAgain, errAgain := inSQLite.List(t.Context(), filter, cursor, limit)
		if err != nil {
			invalid, ok := errors.AsType[*authtoken.ValidationError](err)
			require.True(t, ok, err)
			require.Len(t, invalid.Fields, 1)
			require.Equal(t, "cursor", invalid.Fields[0].Field)
			require.Equal(t, err, errAgain)
			return
		}
		require.NoError(t, errAgain)
		require.Equal(t, got, again)
		require.Equal(t, next, nextAgain)

		all, _, err := inMemory.List(t.Context(), filter, "", 100)
		require.NoError(t, err)
		for next != "" {
			var more []authtoken.Token
			more, next, err = inMemory.List(t.Context(), filter, next, limit)
			require.NoError(t, err)
			require.NotEmpty(t, more)
			got = append(got, more...)
		}
		require.LessOrEqual(t, len(got), len(all))
		require.Equal(t, all[len(all)-len(got):], got)

		visible, _, err := inSQLite.As(alice.ID).List(t.Context(), filter, cursor, limit)
		require.NoError(t, err)
		for _, token := range visible {
			require.Equal(t, alice.ID, token.User)
		}
	})
}
