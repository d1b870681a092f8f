package torture

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/sqlite"
)

func init() { roles["fill"] = fill }

// fill uses up what a process may write, and then is allowed more.
func fill(args []string, report func(string, ...any)) {
	var before syscall.Rlimit
	require.NoError(InChild{}, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	limit := func(bytes uint64) {
		require.NoError(InChild{}, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: before.Max}))
	}
	limit(600_000)
	fillUp(InChild{}, args[0], report, func() { limit(before.Cur) })
}

// A file may get no larger than a process's limit says, as if the disk were full.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	c := Start(t, "fill", path)
	c.LetGo(t)
	for c.Reports.Scan() {
		t.Log(c.Reports.Text())
	}
	require.NoError(t, c.Wait())
	requireSound(t, path)
}

// disk is a store on a disk that gets full, and what it has said is there.
type disk struct {
	svc *authtoken.Service

	mu      sync.Mutex
	keys    map[string]string // by identifier
	refused map[string]int    // how often which error was returned
}

// write does what makes a token, or a key of one, and notes what has become of it.
func (d *disk) write(identifier string, do func(ctx context.Context) (authtoken.Key, error)) error {
	key, err := do(context.Background())
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.refused[err.Error()]++
	} else {
		d.keys[identifier] = key.Reveal()
	}
	return err
}

func (d *disk) create(identifier string) error {
	return d.write(identifier, func(ctx context.Context) (authtoken.Key, error) {
		_, key, err := d.svc.Create(ctx, authtoken.CreateParams{
			Identifier: identifier, Description: strings.Repeat("d", 1000), User: "1"})
		return key, err
	})
}

// rotate goes on until there is an error, as a small write may still fit where a
// larger one didn't.
func (d *disk) rotate(identifier string) error {
	for {
		err := d.write(identifier, func(ctx context.Context) (authtoken.Key, error) {
			_, key, err := d.svc.Rotate(ctx, identifier, 0)
			return key, err
		})
		if err != nil {
			return err
		}
	}
}

// holds checks that what was acknowledged is there, and nothing else.
func (d *disk) holds(t require.TestingT) {
	for identifier, key := range d.keys {
		who, err := d.svc.Authenticate(context.Background(), key)
		require.NoError(t, err, identifier)
		require.Equal(t, identifier, who.Token.Identifier)
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(d.keys)), slices.Collect(maps.Keys(AllTokens(t, d.svc))))
}

const outOfRoom = `.*(disk is full|limit on the size of files)`

// fillUp has 16 goroutines write until the disk is full, looks at what is left to
// work with, has somebody make room, and writes again.
func fillUp(t require.TestingT, path string, report func(string, ...any), makeRoom func()) {
	st := openStore(t, path)
	d := &disk{svc: newService(t, st), keys: make(map[string]string), refused: make(map[string]int)}
	require.NoError(t, d.create("first"))
	Together(16, func(worker int) {
		for i, failures := 0, 0; failures < 3; i++ {
			if d.create(fmt.Sprint(worker, "-", i)) != nil {
				failures++
			}
		}
	})
	for range 3 {
		require.Error(t, d.rotate("first"))
	}
	d.holds(t)
	full := len(d.keys)
	for text, times := range d.refused {
		report("%d times: %s", times, text)
		require.Regexp(t, `^(create token|rotate key): sqlite: (create|update) token: `+outOfRoom, text)
	}

	// Closing it and opening it again is all the same: either it can be read, or
	// the error says why not, and all is there later on.
	require.NoError(t, st.Close())
	st, err := sqlite.Open(context.Background(), path, sqlite.Config{})
	if err == nil {
		d.svc = newService(t, st)
		d.holds(t)
		makeRoom()
	} else {
		report("opening it then: %v", err)
		require.ErrorContains(t, err, path)
		require.Regexp(t, outOfRoom, err.Error())
		makeRoom()
		st = openStore(t, path)
		d.svc = newService(t, st)
	}
	Together(16, func(worker int) {
		for i := range 5 {
			require.NoError(t, d.create(fmt.Sprint("then-", worker, "-", i)))
		}
	})
	require.NoError(t, d.svc.Delete(context.Background(), "first"))
	delete(d.keys, "first")
	d.holds(t)
	require.NoError(t, st.Close())

	st = openStore(t, path)
	d.svc = newService(t, st)
	d.holds(t)
	require.NoError(t, st.Close())
	report("%d tokens when it was full, %d in the end, none lost", full, len(d.keys))
}
