package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain is main for the children, which are this program too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childFlag {
		os.Exit(runChild(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// TestContenders sees to it that each contender does what it is measured for.
func TestContenders(t *testing.T) {
	t.Parallel()
	for _, c := range contenders {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k, err := c.open(t.TempDir())
			if c.name == dexSQLite && !withC {
				require.ErrorContains(t, err, "C compiler")
				return
			}
			require.NoError(t, err)
			defer func() { require.NoError(t, k.close()) }()

			ctx := t.Context()
			var tokens []token
			for i := range 64 { // as many as are in a batch
				secret, err := k.create(ctx, nameOf(i), ownerOf(i))
				require.NoError(t, err)
				tokens = append(tokens, token{nameOf(i), secret})
			}
			require.NoError(t, k.lookUp(ctx, tokens[5].secret))
			require.Error(t, k.lookUp(ctx, strings.Repeat("x", 43)), "a secret of no token")
			if slices.Contains(c.ops, update) {
				require.NoError(t, k.update(ctx, tokens[5], "changed"))
				require.NoError(t, k.lookUp(ctx, tokens[5].secret))
				require.Error(t, k.update(ctx, token{"none", strings.Repeat("x", 43)}, "changed"), "no such token")
			}
		})
	}
}

func TestChild(t *testing.T) {
	t.Parallel()
	c, err := startChild(ownMemory, t.TempDir(), 64)
	require.NoError(t, err)
	for _, op := range []string{create, create, update, lookUp} {
		s, err := c.measure(task{op, 8, 1})
		require.NoError(t, err, op)
		require.Positive(t, s.Rate, op)
		require.LessOrEqual(t, s.P50, s.P99, op)
	}
	_, err = c.measure(task{"sing", 1, 1})
	require.EqualError(t, err, `nobody knows how to "sing"`)
	require.Contains(t, c.end(), "exit status 1")
	require.NoDirExists(t, c.dir)

	_, err = startChild("nobody", t.TempDir(), 64)
	require.ErrorContains(t, err, `there is no "nobody"`)
}

// failing is a keeper that can do nothing.
type failing struct{ err error }

func (f failing) create(context.Context, string, string) (string, error) { return "", f.err }
func (f failing) update(context.Context, token, string) error            { return f.err }
func (f failing) lookUp(context.Context, string) error                   { return f.err }
func (f failing) close() error                                           { return f.err }
