package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

const (
	sharing = 8 // goroutines in each process
	shared  = 4 // tokens that all of them change
)

func sharedName(i int) string { return "shared-" + strconv.Itoa(i) }

// readKey is the key of a token that nobody changes.
const readKey = "the-key-of-the-token-that-is-there-all-along"

// share does what goroutines of two processes do to a database that they share.
// Each adds to the number in the description of tokens that all of them change,
// rotates these, wants names that the others want too, and has tokens to itself.
func share(path string, report func(string, ...any)) {
	st := openStore(inChild{}, path)
	svc := newService(inChild{}, st)
	ctx, t, me := context.Background(), inChild{}, os.Getpid()
	together(sharing, func(worker int) {
		for round := range sharedRounds {
			name := sharedName((worker + round) % shared)
			report("counted %s %d", name, add(ctx, svc, name))
			token, _, err := svc.Rotate(ctx, name, 0)
			require.NoError(t, err)
			report("rotated %s %d", name, token.Version)

			own := fmt.Sprintf("own-%d-%d-%d", me, worker, round)
			_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: own, User: int64(me)})
			require.NoError(t, err)
			who, err := svc.Authenticate(ctx, key.Reveal())
			require.NoError(t, err)
			require.Equal(t, own, who.Token.Identifier)
			_, err = svc.Authenticate(ctx, readKey)
			require.NoError(t, err)
			require.NoError(t, svc.Delete(ctx, own))
			_, err = svc.Authenticate(ctx, key.Reveal())
			require.ErrorIs(t, err, authtoken.ErrKeyUnknown)

			_, _, err = svc.Create(ctx, authtoken.CreateParams{Identifier: fmt.Sprint("wanted-", round), User: int64(me)})
			if err == nil {
				report("got wanted-%d 1", round)
			} else if invalid, ok := errors.AsType[*authtoken.ValidationError](err); !ok || !invalid.Has("identifier", authtoken.CodeTaken) {
				require.NoError(t, err)
			}
		}
	})
	require.NoError(t, st.Close())
}

// add adds one to the number in a token's description, and returns the version
// that has it.
func add(ctx context.Context, svc *authtoken.Service, name string) int64 {
	t := inChild{}
	for {
		token, err := svc.Get(ctx, name)
		require.NoError(t, err)
		n, err := strconv.Atoi(token.Description)
		require.NoError(t, err)
		token, err = svc.Update(ctx, name, authtoken.UpdateParams{Description: new(strconv.Itoa(n + 1)), If: token.Revision()})
		if err == nil {
			return token.Version
		}
		require.ErrorIs(t, err, authtoken.ErrStale)
	}
}

// TestTwoProcesses has two processes change the same tokens. Each change that was
// acknowledged is in the token's history, which has no other; a name that
// both wanted went to one; and nobody heard of a lock.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	st := openStore(t, path)
	defer st.Close()
	svc := newService(t, st)
	for i := range shared {
		_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: sharedName(i), Description: "0", User: 1})
		require.NoError(t, err)
	}

	_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "read", User: 1})
	require.NoError(t, err)
	require.NoError(t, svc.SetKey(t.Context(), "read", readKey))

	children := [2]*child{start(t, "share", path), start(t, "share", path)}
	var mu sync.Mutex
	history := make(map[string]map[int64]string) // of each token: which version did what
	var wg sync.WaitGroup
	for _, c := range children {
		c.letGo(t)
		wg.Go(func() {
			for c.reports.Scan() {
				fields := strings.Fields(c.reports.Text())
				version, _ := strconv.ParseInt(fields[2], 10, 64)
				mu.Lock()
				if history[fields[1]] == nil {
					history[fields[1]] = make(map[int64]string)
				}
				if history[fields[1]][version] != "" {
					t.Errorf("%s was acknowledged twice", c.reports.Text())
				}
				history[fields[1]][version] = fields[0]
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, c := range children {
		require.NoError(t, c.cmd.Wait())
	}

	tokens := all(t, svc)
	delete(tokens, "read")
	require.Len(t, tokens, shared+sharedRounds)
	acknowledged := 0
	for identifier, token := range tokens {
		versions := history[identifier]
		acknowledged += len(versions)
		if token.Version == 1 {
			require.Equal(t, map[int64]string{1: "got"}, versions, identifier)
			continue
		}
		require.Len(t, versions, int(token.Version)-1)
		counted := 0
		for v := int64(2); v <= token.Version; v++ {
			require.NotEmpty(t, versions[v])
			if versions[v] == "counted" {
				counted++
			}
		}
		require.Equal(t, strconv.Itoa(counted), token.Description)
	}
	require.Equal(t, 2*2*sharing*sharedRounds+sharedRounds, acknowledged)
	t.Logf("%d acknowledged changes to %d tokens by two processes, none lost", acknowledged, len(tokens))
}
