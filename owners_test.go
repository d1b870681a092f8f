package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

// oneByOne is a directory that notes whom it was asked for. Users whose pk is
// a multiple of ten are gone.
type oneByOne struct {
	asked []int64
	err   error
}

func (d *oneByOne) User(_ context.Context, pk int64) (authtoken.User, error) {
	d.asked = append(d.asked, pk)
	if d.err == nil && pk%10 == 0 {
		return authtoken.User{}, fmt.Errorf("user %d: %w", pk, authtoken.ErrUserNotFound)
	}
	return authtoken.User{PK: pk, Username: fmt.Sprint("u", pk), Active: true}, d.err
}

// batch is one that can be asked for many at once, and notes that.
type batch struct {
	oneByOne
	batches [][]int64
}

func (d *batch) Users(_ context.Context, pks []int64) (map[int64]authtoken.User, error) {
	d.batches = append(d.batches, slices.Clone(pks))
	if d.err != nil {
		return nil, d.err
	}
	found := map[int64]authtoken.User{1000: {PK: 1000, Username: "nobody asked for"}}
	for _, pk := range pks {
		if pk%10 != 0 {
			found[pk] = authtoken.User{PK: pk, Username: fmt.Sprint("u", pk), Active: true}
		}
	}
	return found, nil
}

func ownedBy(pks ...int64) []authtoken.Token {
	tokens := make([]authtoken.Token, len(pks))
	for i, pk := range pks {
		tokens[i].User = pk
	}
	return tokens
}

func TestOwners(t *testing.T) {
	t.Parallel()
	me := authtoken.User{PK: 3, Username: "u3", Active: true}
	want := map[int64]authtoken.User{
		2:  {PK: 2, Username: "u2", Active: true},
		3:  me,
		7:  {PK: 7, Username: "u7", Active: true},
		20: {PK: 20},
	}
	for _, c := range []struct {
		name   string
		tokens []authtoken.Token
		asked  []int64
		want   map[int64]authtoken.User
	}{
		{"several", ownedBy(7, 20, 2, 7, 3, 20, 3), []int64{2, 7, 20}, want},
		{"one", ownedBy(7), []int64{7}, map[int64]authtoken.User{7: want[7]}},
		{"gone", ownedBy(20), []int64{20}, map[int64]authtoken.User{20: want[20]}},
		{"the caller", ownedBy(3, 3), nil, map[int64]authtoken.User{3: me}},
		{"none", nil, nil, map[int64]authtoken.User{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			many, one := new(batch), new(oneByOne)
			for _, users := range []authtoken.Directory{many, one} {
				svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
				require.NoError(t, err)
				owners, err := svc.As(me.PK).Owners(t.Context(), c.tokens)
				require.NoError(t, err)
				require.Equal(t, c.want, owners)
			}
			require.Equal(t, append([]int64{me.PK}, c.asked...), one.asked)
			require.Equal(t, []int64{me.PK}, many.asked)
			if c.asked == nil {
				require.Empty(t, many.batches)
			} else {
				require.Equal(t, [][]int64{c.asked}, many.batches)
			}
		})
	}
}

func TestOwnersFailure(t *testing.T) {
	t.Parallel()
	down := errors.New("directory down")
	for _, users := range []authtoken.Directory{&batch{oneByOne: oneByOne{err: down}}, &oneByOne{err: down}} {
		svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
		require.NoError(t, err)
		owners, err := svc.Owners(t.Context(), ownedBy(7, 8))
		require.ErrorIs(t, err, down)
		require.Nil(t, owners)
	}
}
