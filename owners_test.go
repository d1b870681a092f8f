package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
)

func TestOwner(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	for name, c := range map[string]struct {
		by   *authtoken.Access
		user string
		want authtoken.User
	}{
		"one's own":     {svc.As(alice.ID), alice.ID, alice},
		"another's":     {svc.As(root.ID), alice.ID, alice},
		"inactive":      {svc.As(root.ID), dave.ID, dave},
		"gone":          {svc.As(root.ID), "99", authtoken.User{ID: "99"}}, // a token outlives its owner
		"trusted code":  {&svc.Access, bob.ID, bob},
		"what is no ID": {&svc.Access, "", authtoken.User{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner, err := c.by.Owner(t.Context(), authtoken.Token{User: c.user})
			require.NoError(t, err)
			require.Equal(t, c.want, owner)
		})
	}
}

// batch is one that can be asked for many at once, and notes that.
type batch struct {
	oneByOne
	batches [][]string
}

func (d *batch) Users(_ context.Context, ids []string) (map[string]authtoken.User, error) {
	d.batches = append(d.batches, slices.Clone(ids))
	if d.err != nil {
		return nil, d.err
	}
	found := map[string]authtoken.User{"nobody asked for": userWithID("nobody asked for")}
	for _, id := range ids {
		if !strings.HasSuffix(id, "0") {
			found[id] = userWithID(id)
		}
	}
	return found, nil
}

func ownedBy(users ...string) []authtoken.Token {
	tokens := make([]authtoken.Token, len(users))
	for i, id := range users {
		tokens[i].User = id
	}
	return tokens
}

func TestOwners(t *testing.T) {
	t.Parallel()
	me := userWithID("3")
	want := map[string]authtoken.User{
		"2":  userWithID("2"),
		"3":  me,
		"11": userWithID("11"),
		"20": {ID: "20"},
		"a7": userWithID("a7"),
	}
	for _, c := range []struct {
		name   string
		tokens []authtoken.Token
		asked  []string
		want   map[string]authtoken.User
	}{
		{"several", ownedBy("a7", "20", "11", "2", "3", "20", "3", "a7"), []string{"2", "11", "20", "a7"}, want},
		{"one", ownedBy("11"), []string{"11"}, map[string]authtoken.User{"11": want["11"]}},
		{"gone", ownedBy("20"), []string{"20"}, map[string]authtoken.User{"20": want["20"]}},
		{"the caller", ownedBy("3", "3"), nil, map[string]authtoken.User{"3": me}},
		{"none", nil, nil, map[string]authtoken.User{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			many, one := new(batch), new(oneByOne)
			for _, users := range []authtoken.Directory{many, one} {
				svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
				require.NoError(t, err)
				owners, err := svc.As(me.ID).Owners(t.Context(), c.tokens)
				require.NoError(t, err)
				require.Equal(t, c.want, owners)
			}
			require.Equal(t, append([]string{me.ID}, c.asked...), one.asked)
			require.Equal(t, []string{me.ID}, many.asked)
			if c.asked == nil {
				require.Empty(t, many.batches)
			} else {
				require.Equal(t, [][]string{c.asked}, many.batches)
			}
		})
	}
}

func TestOwnersFailure(t *testing.T) {
	t.Parallel()
	down := errors.New("directory down")
	for name, users := range map[string]authtoken.Directory{
		"in a batch": &batch{oneByOne: oneByOne{err: down}},
		"one by one": &oneByOne{err: down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
			require.NoError(t, err)
			owners, err := svc.Owners(t.Context(), ownedBy("7", "8"))
			require.ErrorIs(t, err, down)
			require.Nil(t, owners)
		})
	}
}

// A directory that returns another user than it was asked for gives nobody that
// user's rights.
func TestDirectoryReturnsAnotherUser(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]authtoken.User{"a superuser": root, "nobody": {Active: true, Superuser: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := &changing{alice}
			svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
			before, key := create(t, svc, authtoken.CreateParams{Identifier: "target", User: alice.ID})
			holder := svc.For(check(t, svc, key))
			users.user = other
			words := fmt.Sprintf(`the directory was asked for user "2" and returned user %q`, other.ID)

			for act, do := range acts(t.Context(), svc.As(alice.ID)) {
				require.ErrorContains(t, do(), words, act)
			}
			for act, do := range acts(t.Context(), holder) {
				switch act {
				case "Create", "Update", "SetKey", "Reveal", "Rotate", "Revoke", "Delete":
					require.ErrorContains(t, do(), words, act)
				}
			}
			_, err := svc.Authenticate(t.Context(), key)
			require.ErrorContains(t, err, words)
			require.NotErrorIs(t, err, authtoken.ErrRefused, "it is the directory that failed")
			_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: alice.ID})
			require.ErrorContains(t, err, words)
			_, err = svc.Owner(t.Context(), before)
			require.ErrorContains(t, err, words)
			_, err = svc.Owners(t.Context(), []authtoken.Token{before})
			require.ErrorContains(t, err, words)

			after, err := svc.Get(t.Context(), "target")
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

// confused is a directory that takes one user for another.
type confused struct{ authtoken.Directory }

func (confused) Users(_ context.Context, ids []string) (map[string]authtoken.User, error) {
	return map[string]authtoken.User{ids[0]: root}, nil
}

func TestBatchHasAnotherUser(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: confused{userList(t, alice)}})
	owners, err := svc.Owners(t.Context(), ownedBy(alice.ID))
	require.ErrorContains(t, err, `the directory was asked for user "2" and returned user "1"`)
	require.Nil(t, owners)
}
