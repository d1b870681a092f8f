package torture_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/internal/torture"
	"github.com/authtoken/authtoken/store"
)

const (
	cacheTTL  = 50 * time.Millisecond
	sweptUser = "99" // whose tokens are there to be swept
)

// Expired tokens of the intent api get a new life, all others are deleted.
var sweeping = authtoken.Policy{RenewExpired: true, UnboundedKeys: true}

// share is a server without its HTTP: it shares tokens with others, sweeps, and
// checks keys and revokes tokens when its input says so, with a cache and
// without. It ends when its input does.
func share(args []string, report func(string, ...any)) {
	ctx, t := context.Background(), torture.InChild{}
	st := openStore(t, args[0], 0)
	svc := newService(t, st, authtoken.Config{Policy: sweeping,
		Observer: authtoken.ObserverFunc(func(_ context.Context, e authtoken.Event) {
			switch e.Kind {
			case authtoken.EventExpired, authtoken.EventRenewed:
				report("swept %s %s", e.Kind, e.Token.Identifier)
			}
		})})
	cached := newService(t, st, authtoken.Config{CacheSize: 100, CacheTTL: cacheTTL})
	var wg sync.WaitGroup
	wg.Go(func() { torture.Share(svc, sharedRounds, func(f string, args ...any) { report("shared "+f, args...) }) })
	for range 2 {
		wg.Go(func() {
			for left := 1; left > 0; {
				_, err := svc.Sweep(ctx, 10)
				require.NoError(t, err)
				left, err = st.Count(ctx, store.Query{Users: []string{sweptUser}, ExpiryBefore: time.Now()})
				require.NoError(t, err)
			}
		})
	}
	good := func(svc *authtoken.Service, key string) bool {
		_, err := svc.Authenticate(ctx, key)
		if err != nil {
			require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
		}
		return err == nil
	}
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		switch what, arg, _ := strings.Cut(orders.Text(), " "); what {
		case "check":
			report("answer %t %t", good(svc, arg), good(cached, arg))
		case "revoke":
			require.NoError(t, svc.Delete(ctx, arg))
			report("answer revoked")
		}
	}
	wg.Wait()
	require.NoError(t, st.Close())
}

// A sharer is a process that shares, and what it answers.
type sharer struct {
	*torture.Child
	answers chan string
}

func (s *sharer) ask(t *testing.T, format string, args ...any) string {
	t.Helper()
	_, err := fmt.Fprintf(s.In, format+"\n", args...)
	require.NoError(t, err)
	return <-s.answers
}

// TestTwoProcesses has two processes change the same tokens, sweep the same tokens, and
// revoke what the other has just accepted. No change is lost, each expired token is
// dealt with once, and a revoked key is refused by the next check, or with a
// cache after its time.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	st := openStore(t, dsn, 0)
	defer st.Close()
	svc := newService(t, st, authtoken.Config{})
	torture.PrepareSharing(t, svc)
	for i := range swept {
		r := record(i)
		r.User, r.Expires, r.Expiring, r.Version = sweptUser, r.Expires.AddDate(-1, 0, 0), true, 1
		require.NoError(t, st.Create(t.Context(), r, 0))
	}

	var (
		mu      sync.Mutex
		wg      sync.WaitGroup
		history = make(torture.History)
		dealt   = make(map[string]string) // identifier to kind of event
		each    [2]int
		sharers [2]*sharer
	)
	for i := range sharers {
		s := &sharer{torture.Start(t, "share", dsn), make(chan string, 1)}
		sharers[i] = s
		wg.Go(func() {
			defer close(s.answers)
			s.Lines(func(words []string) {
				mu.Lock()
				defer mu.Unlock()
				switch words[0] {
				case "shared":
					history.Note(t, words[1:])
				case "swept":
					assert.Empty(t, dealt[words[2]], "%s, and then %s", words[2], words[1])
					dealt[words[2]] = words[1]
					each[i]++
				default:
					s.answers <- strings.Join(words[1:], " ")
				}
			})
		})
	}
	for _, s := range sharers {
		s.LetGo(t)
	}
	longest := time.Duration(0)
	for i := range revocations {
		longest = max(longest, revoke(t, svc, i, sharers[i%2], sharers[1-i%2]))
	}
	for _, s := range sharers {
		require.NoError(t, s.In.Close())
	}
	wg.Wait()
	for _, s := range sharers {
		require.NoError(t, s.Wait())
	}

	require.Len(t, dealt, swept)
	renewed, err := svc.Revoke(t.Context(), authtoken.Filter{User: sweptUser})
	require.NoError(t, err)
	require.Len(t, renewed, swept/2)
	for _, token := range renewed {
		require.Equal(t, "renewed", dealt[token.Identifier])
		require.EqualValues(t, 2, token.Version, "renewed once")
		delete(dealt, token.Identifier)
	}
	for identifier, kind := range dealt {
		require.Equal(t, "expired", kind, identifier)
	}
	acknowledged := history.Verify(t, svc, len(sharers), sharedRounds)
	t.Logf("%d acknowledged changes to %d tokens by two processes, none lost; %d tokens swept, by one %d, by the other %d; "+
		"%d revoked keys refused by the other at once, with a cache of %v after %v at the most",
		acknowledged, len(history), swept, each[0], each[1], revocations, cacheTTL, longest.Round(time.Millisecond))
}

// revoke has one process revoke a token that both accept the key of, and returns
// after how long the other with its cache did not accept it any more.
func revoke(t *testing.T, svc *authtoken.Service, i int, one, other *sharer) time.Duration {
	t.Helper()
	name := fmt.Sprint("revoked-", i)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: name, User: "1"})
	require.NoError(t, err)
	for _, s := range []*sharer{one, other} {
		require.Equal(t, "true true", s.ask(t, "check %s", key.Reveal()))
	}
	require.Equal(t, "revoked", one.ask(t, "revoke %s", name))
	revoked := time.Now()
	for {
		asked := time.Since(revoked)
		switch answer := other.ask(t, "check %s", key.Reveal()); answer {
		case "false false":
			return asked
		case "false true":
			require.Less(t, asked, cacheTTL)
		default:
			require.Fail(t, "a revoked key is good", "%s after %v", answer, asked)
		}
	}
}
