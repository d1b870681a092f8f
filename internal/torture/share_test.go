package torture

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func share(args []string, report func(string, ...any)) {
	st := openStore(InChild{}, args[0])
	Share(newService(InChild{}, st), sharedRounds, report)
	require.NoError(InChild{}, st.Close())
}

// TestTwoProcesses has two processes change the same tokens. No change is lost, and
// nobody hears of a lock.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	st := openStore(t, path)
	defer st.Close()
	svc := newService(t, st)
	PrepareSharing(t, svc)

	children := [2]*Child{Start(t, "share", path), Start(t, "share", path)}
	var mu sync.Mutex
	history := make(History)
	var wg sync.WaitGroup
	for _, c := range children {
		c.LetGo(t)
		wg.Go(func() {
			c.Lines(func(words []string) {
				mu.Lock()
				defer mu.Unlock()
				history.Note(t, words)
			})
		})
	}
	wg.Wait()
	for _, c := range children {
		require.NoError(t, c.Wait())
	}
	acknowledged := history.Verify(t, svc, len(children), sharedRounds)
	t.Logf("%d acknowledged changes to %d tokens by two processes, none lost", acknowledged, len(history))
}
