package torture

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// live takes tokens through their lives in 16 goroutines, until it is killed.
func live(args []string, report func(string, ...any)) {
	svc := newService(InChild{}, openStore(InChild{}, args[0]))
	never := func(error) bool { return false }
	Together(16, func(int) {
		for {
			require.NoError(InChild{}, Live(context.Background(), svc, never, report))
		}
	})
}

// TestKilledProcessLosesNothing kills processes at any moment: while they open
// the database, write to it or write the log back. What they were told is done
// is there afterwards, as a whole, whether another process had the
// database open meanwhile or not.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	var ledger Ledger
	longest := int64(0)
	for n := range *kills {
		if n%2 == 1 {
			st := openStore(t, path)
			t.Cleanup(func() { _ = st.Close() })
			witness := newService(t, st)
			liveAndDie(t, path, n, &ledger)
			ledger.Verify(t, witness)
			require.NoError(t, st.Close())
		} else {
			liveAndDie(t, path, n, &ledger)
			if info, err := os.Stat(path + "-wal"); err == nil {
				longest = max(longest, info.Size())
			}
			st := openStore(t, path)
			ledger.Verify(t, newService(t, st))
			require.NoError(t, st.Close())
		}
		requireSound(t, path)
	}
	require.Positive(t, ledger.Acknowledged)
	t.Logf("%d kills, %d acknowledged changes, none lost; %d tokens left; the longest log left behind had %d bytes",
		*kills, ledger.Acknowledged, ledger.Left(), longest)
}

// liveAndDie has a process live until it is killed, the nth, and notes what was
// acknowledged to it.
func liveAndDie(t *testing.T, path string, n int, ledger *Ledger) {
	t.Helper()
	c := Start(t, "live", path)
	c.LetGo(t)
	killSoon := func(within time.Duration) { time.AfterFunc(rand.N(within), func() { _ = c.Process.Kill() }) }
	early := n%8 == 7 // while it opens the database
	if early {
		killSoon(40 * time.Millisecond)
	}
	first := true
	c.Lines(func(words []string) {
		if first && !early {
			killSoon(killWithin * time.Millisecond)
		}
		first = false
		ledger.Note(t, words)
	})
	require.ErrorContains(t, c.Wait(), "killed")
}
