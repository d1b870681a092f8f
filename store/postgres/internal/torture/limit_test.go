package torture_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/internal/torture"
	"github.com/authtoken/authtoken/store"
)

const (
	attempts  = 50
	maxTokens = 10
)

// within has a user make tokens, more than they may have, from 5 goroutines, and
// reports what comes of it.
func within(args []string, report func(string, ...any)) {
	ctx, t := context.Background(), torture.InChild{}
	st := openStore(t, args[0], forever)
	svc := newService(t, st, authtoken.Config{Policy: authtoken.Policy{MaxTokens: maxTokens}})
	torture.Together(5, func(i int) {
		for n := range attempts / 5 {
			_, _, err := svc.As("7").Create(ctx, authtoken.CreateParams{Identifier: fmt.Sprint(args[1], "-", i, "-", n)})
			invalid, _ := errors.AsType[*authtoken.ValidationError](err)
			switch {
			case err == nil:
				report("created")
			case invalid != nil && slices.ContainsFunc(invalid.Fields, func(f authtoken.FieldError) bool { return f.Code == authtoken.CodeTooMany }):
				report("refused")
			default:
				report("%v", err)
			}
		}
	})
	require.NoError(t, st.Close())
}

// TestTwoProcessesWithinALimit has two processes make tokens for one user at once.
// There are never more than the policy allows, nor fewer in the end.
func TestTwoProcessesWithinALimit(t *testing.T) {
	t.Parallel()
	for range 3 {
		dsn := server.DSN(t)
		st := openStore(t, dsn, 0)
		var mu sync.Mutex
		var wg sync.WaitGroup
		counts := make(map[string]int)
		children := make([]*torture.Child, 2)
		for i := range children {
			children[i] = torture.Start(t, "within", dsn, strconv.Itoa(i))
		}
		for _, c := range children {
			c.LetGo(t)
			wg.Go(func() {
				c.Lines(func(words []string) {
					mu.Lock()
					defer mu.Unlock()
					counts[fmt.Sprint(words)]++
				})
			})
		}
		wg.Wait()
		for _, c := range children {
			require.NoError(t, c.Wait())
		}
		require.Equal(t, map[string]int{"[created]": maxTokens, "[refused]": 2*attempts - maxTokens}, counts)
		n, err := st.Count(t.Context(), store.Query{})
		require.NoError(t, err)
		require.Equal(t, maxTokens, n)
		require.NoError(t, st.Close())
	}
}
