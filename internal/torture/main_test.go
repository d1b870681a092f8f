// Package torture has tests that take the library as a whole through what it must
// survive: killed processes, a full disk, several processes on one file, damaged
// files, cancelled contexts, many writers of one token, and load.
//
//	go test ./internal/torture                                 a little of each
//	go test -tags torture -timeout 1h -v ./internal/torture    all of it, some five minutes
//	go test ./internal/torture -run Killed -kills 20           as many kills as wanted
//
// With -v, the tests say how much they did.
package torture

import (
	"bufio"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

var kills = flag.Int("kills", killsByDefault, "how many processes are killed")

// roleVariable has a process, which is this test binary started again, play a role
// instead of running tests.
const roleVariable = "AUTHTOKEN_TORTURE_ROLE"

// roles are what a child process may be told to do with the database at path.
// What a role reports is known to its parent when report returns.
var roles = map[string]func(path string, report func(format string, args ...any)){
	"live":  live,
	"share": share,
}

func TestMain(m *testing.M) {
	name := os.Getenv(roleVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until all are ready
	roles[name](os.Args[1], func(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) })
}

// A child is a process in a role.
type child struct {
	cmd     *exec.Cmd
	in      io.Writer
	reports *bufio.Scanner
}

func start(t *testing.T, role, path string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], path)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return &child{cmd, in, bufio.NewScanner(out)}
}

func (c *child) letGo(t *testing.T) {
	t.Helper()
	_, err := io.WriteString(c.in, "\n")
	require.NoError(t, err)
}

// inChild lets what a child finds wrong end it, and fail the test of its parent.
type inChild struct{}

func (inChild) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (inChild) FailNow()                          { os.Exit(1) }

// together has n goroutines do f.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func openStore(t require.TestingT, path string) *sqlite.Store {
	st, err := sqlite.Open(path, sqlite.Config{})
	require.NoError(t, err)
	return st
}

// stores are what the library is tortured with, and how each is closed.
var stores = map[string]func(t *testing.T) (st store.Store, closeStore func()){
	"memory": func(*testing.T) (store.Store, func()) { return memory.New(), func() {} },
	"SQLite": func(t *testing.T) (store.Store, func()) {
		path := filepath.Join(t.TempDir(), "tokens.db")
		st := openStore(t, path)
		return st, func() {
			require.NoError(t, st.Close())
			requireSound(t, path)
		}
	},
}

func newService(t require.TestingT, st store.Store) *authtoken.Service {
	svc, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	return svc
}

// all returns all tokens by their identifiers.
func all(t require.TestingT, svc *authtoken.Service) map[string]authtoken.Token {
	tokens := make(map[string]authtoken.Token)
	for token, err := range svc.All(context.Background(), authtoken.Filter{}) {
		require.NoError(t, err)
		_, twice := tokens[token.Identifier] // require.NotContains would go through all of them
		require.False(t, twice, token.Identifier)
		tokens[token.Identifier] = token
	}
	return tokens
}

// requireSound has SQLite check a database that nobody has open.
func requireSound(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	var integrity string
	require.NoError(t, db.QueryRow("PRAGMA integrity_check").Scan(&integrity))
	require.Equal(t, "ok", integrity)
}

// requireGoroutines waits until there are no more goroutines than there were:
// some have been told to end, but nobody waits for them.
func requireGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
