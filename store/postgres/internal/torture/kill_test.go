package torture_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/internal/torture"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
)

// How long callers wait for a server that is away.
const (
	patient  = "patient"  // until it is back
	hasty    = "hasty"    // as long as RetryFor says, which is not long
	cutShort = "cutShort" // as long as their contexts last, which is not long
)

// live takes tokens through their lives in 16 goroutines, until it is killed or its
// input ends.
func live(args []string, report func(string, ...any)) {
	t, dsn, patience := torture.InChild{}, args[0], args[1]
	retryFor := forever
	if patience == hasty {
		retryFor = 5 * time.Millisecond
	}
	svc := newService(t, openStore(t, dsn, retryFor), authtoken.Config{})
	over, end := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	inDoubt := func(err error) bool { return errors.Is(err, postgres.ErrInDoubt) }
	torture.Together(16, func(int) {
		for over.Err() == nil {
			ctx, cancel := context.Background(), func() {}
			if patience == cutShort {
				ctx, cancel = context.WithTimeout(ctx, rand.N(200*time.Millisecond))
			}
			err := torture.Live(ctx, svc, inDoubt, report)
			cancel()
			if patience == patient {
				require.NoError(t, err)
			}
			// Nobody else touches these tokens.
			for _, impossible := range []error{store.ErrNotFound, store.ErrStale, store.ErrTaken} {
				require.NotErrorIs(t, err, impossible)
			}
			invalid, _ := errors.AsType[*authtoken.ValidationError](err)
			require.Nil(t, invalid)
		}
	})
}

// ways to kill, and whom.
var ways = []struct {
	name     string
	patience string
	kill     func(t *testing.T, c *torture.Child, k *pgtest.Killable)
	client   bool // whether it is the client that is killed
}{
	{"the client", patient, killClient, true},
	{"the server", patient, killServer, false},
	{"an immediate shutdown", hasty, shutDown, false},
	{"a server's process", cutShort, killOne, false},
	{"the client", cutShort, killClient, true},
	{"the server", hasty, killServer, false},
	{"an immediate shutdown", cutShort, shutDown, false},
	{"a server's process", patient, killOne, false},
	{"the client", hasty, killClient, true},
	{"the server", cutShort, killServer, false},
	{"an immediate shutdown", patient, shutDown, false},
	{"a server's process", hasty, killOne, false},
}

func killClient(t *testing.T, c *torture.Child, _ *pgtest.Killable) {
	require.NoError(t, c.Process.Kill())
}

func killServer(t *testing.T, _ *torture.Child, k *pgtest.Killable) {
	k.Kill(t, syscall.SIGKILL)
	k.Restart(t)
}

func shutDown(t *testing.T, _ *torture.Child, k *pgtest.Killable) {
	k.Kill(t, syscall.SIGQUIT)
	k.Restart(t)
}

func killOne(t *testing.T, _ *torture.Child, k *pgtest.Killable) { k.KillOne(t) }

// TestKilledLosesNothing kills processes that write, and the server that they
// write to, at any moment. What they were told is done is there afterwards, as a
// whole; what they were told is not done is not; and who waits for the server
// to be back is told no error.
func TestKilledLosesNothing(t *testing.T) {
	t.Parallel()
	k := pgtest.StartKillable(t)
	dsn := k.DSN(t)
	st := openStore(t, dsn, forever)
	defer st.Close()
	svc := newService(t, st, authtoken.Config{})
	var ledger torture.Ledger
	times := make(map[string]int)
	for n := range *kills {
		way := ways[n%len(ways)]
		times[way.name]++
		name := pgtest.Name()
		c := torture.Start(t, "live", pgtest.With(pgtest.With(dsn, "application_name", name), "pool_max_conns", "16"), way.patience)
		reports := make(chan []string, 1<<16) // so that it goes on while the server is started
		go func() {
			defer close(reports)
			c.Lines(func(words []string) { reports <- words })
		}()
		c.LetGo(t)
		ledger.Note(t, <-reports)
		note(t, &ledger, reports, func() bool { return false }, time.After(rand.N(killWithin*time.Millisecond)))
		way.kill(t, c, k)
		if way.client {
			noteAll(t, &ledger, reports)
			require.ErrorContains(t, c.Wait(), "killed")
			gone(t, dsn, name)
		} else {
			enough := ledger.Acknowledged + len(reports) + 100
			note(t, &ledger, reports, func() bool { return ledger.Acknowledged >= enough }, nil)
			require.NoError(t, c.In.Close())
			noteAll(t, &ledger, reports)
			require.NoError(t, c.Wait())
		}
		ledger.Verify(t, svc)
	}
	t.Logf("%d kills (%v): of %d changes, %d acknowledged, none lost; %d failed, none done; %d in doubt, %d of them done; %d tokens left",
		*kills, times, ledger.Acknowledged+ledger.Failed+ledger.InDoubt, ledger.Acknowledged, ledger.Failed, ledger.InDoubt, ledger.Done, ledger.Left())
}

// note adds reports until it is enough, or time.
func note(t *testing.T, ledger *torture.Ledger, reports chan []string, enough func() bool, after <-chan time.Time) {
	t.Helper()
	for !enough() {
		select {
		case words, more := <-reports:
			require.True(t, more, "the client has ended")
			ledger.Note(t, words)
		case <-after:
			return
		}
	}
}

func noteAll(t *testing.T, ledger *torture.Ledger, reports chan []string) {
	t.Helper()
	for words := range reports {
		ledger.Note(t, words)
	}
}

// gone returns when the server has noticed that a client is gone, and what that
// had sent is done.
func gone(t *testing.T, dsn, name string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for n := 1; n > 0; {
		const sql = `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1`
		require.NoError(t, conn.QueryRow(t.Context(), sql, name).Scan(&n))
	}
}
