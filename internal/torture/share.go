package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
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

// PrepareSharing makes the tokens that processes are to share.
func PrepareSharing(t *testing.T, svc *authtoken.Service) {
	t.Helper()
	for i := range shared {
		_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: sharedName(i), Description: "0", User: "1"})
		require.NoError(t, err)
	}
	_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "read", User: "1"})
	require.NoError(t, err)
	require.NoError(t, svc.SetKey(t.Context(), "read", readKey))
}

// Share does what goroutines of several processes do to a store that they share.
// Each adds to the number in the description of tokens that all of them change,
// rotates these, wants names that the others want too, and has tokens to itself.
func Share(svc *authtoken.Service, rounds int, report func(string, ...any)) {
	ctx, t, me := context.Background(), InChild{}, os.Getpid()
	Together(sharing, func(worker int) {
		for round := range rounds {
			name := sharedName((worker + round) % shared)
			report("counted %s %d", name, add(ctx, svc, name))
			token, _, err := svc.Rotate(ctx, name, 0)
			require.NoError(t, err)
			report("rotated %s %d", name, token.Version)

			own := fmt.Sprintf("own-%d-%d-%d", me, worker, round)
			_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: own, User: strconv.Itoa(me)})
			require.NoError(t, err)
			who, err := svc.Authenticate(ctx, key.Reveal())
			require.NoError(t, err)
			require.Equal(t, own, who.Token.Identifier)
			_, err = svc.Authenticate(ctx, readKey)
			require.NoError(t, err)
			require.NoError(t, svc.Delete(ctx, own))
			_, err = svc.Authenticate(ctx, key.Reveal())
			require.ErrorIs(t, err, authtoken.ErrKeyUnknown)

			_, _, err = svc.Create(ctx, authtoken.CreateParams{Identifier: fmt.Sprint("wanted-", round), User: strconv.Itoa(me)})
			if err == nil {
				report("got wanted-%d 1", round)
			} else if invalid, ok := errors.AsType[*authtoken.ValidationError](err); !ok || !invalid.Has("identifier", authtoken.CodeTaken) {
				require.NoError(t, err)
			}
		}
	})
}

// add adds one to the number in a token's description, and returns the version
// that has it.
func add(ctx context.Context, svc *authtoken.Service, name string) int64 {
	t := InChild{}
	for {
		token, err := svc.Get(ctx, name)
		require.NoError(t, err)
		n, err := strconv.Atoi(token.Description)
		require.NoError(t, err)
		token, err = svc.Update(ctx, name, authtoken.UpdateParams{Description: new(strconv.Itoa(n + 1))}, authtoken.IfRevision(token.Revision()))
		if err == nil {
			return token.Version
		}
		require.ErrorIs(t, err, authtoken.ErrStale)
	}
}

// A History is what processes that share tokens have reported of each: which
// version did what.
type History map[string]map[int64]string

// Note adds a report of Share's.
func (h History) Note(t assert.TestingT, words []string) {
	if !assert.Len(t, words, 3) {
		return
	}
	what, name := words[0], words[1]
	version, err := strconv.ParseInt(words[2], 10, 64)
	assert.NoError(t, err)
	if h[name] == nil {
		h[name] = make(map[int64]string)
	}
	assert.Empty(t, h[name][version], "%v was acknowledged twice", words)
	h[name][version] = what
}

// Verify checks that each change that this many processes were told is done is in
// the token's history, which has no other, and that a name that several wanted
// went to one. It returns the number of changes.
func (h History) Verify(t *testing.T, svc *authtoken.Service, processes, rounds int) int {
	t.Helper()
	tokens := AllTokens(t, svc)
	delete(tokens, "read")
	require.Len(t, tokens, shared+rounds)
	acknowledged := 0
	for identifier, token := range tokens {
		versions := h[identifier]
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
	require.Equal(t, 2*processes*sharing*rounds+rounds, acknowledged)
	return acknowledged
}
