// Package torture has tests that take the library as a whole through what it must
// survive: killed processes, a full disk, several processes on one file, damaged
// files, cancelled contexts, many writers of one token, and load. What the like
// tests of stores in other modules can use of it is exported.
//
//	go test ./internal/torture                                 a little of each
//	go test -tags torture -timeout 1h -v ./internal/torture    all of it, some five minutes
//	go test ./internal/torture -run Killed -kills 20           as many kills as wanted
//
// With -v, the tests say how much they did.
package torture

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// roleVariable has a process, which is a test binary started again, play a role
// instead of running tests.
const roleVariable = "AUTHTOKEN_TORTURE_ROLE"

// A Role is what a child process does with the arguments it was started with.
// What it reports, a line, is known to its parent when report returns.
type Role func(args []string, report func(format string, args ...any))

// Play plays the role that this process was started for and ends it, or returns
// if it is to run tests.
func Play(roles map[string]Role) {
	name := os.Getenv(roleVariable)
	if name == "" {
		return
	}
	letGo := []byte{0}
	_, _ = os.Stdin.Read(letGo)
	var mu sync.Mutex
	roles[name](os.Args[1:], func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	})
	os.Exit(0)
}

// A Child is a process in a role.
type Child struct {
	*exec.Cmd
	In      io.WriteCloser
	Reports *bufio.Scanner
}

// Start starts a process that waits until it is let go.
func Start(t *testing.T, role string, args ...string) *Child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return &Child{cmd, in, bufio.NewScanner(out)}
}

// LetGo has the role begin.
func (c *Child) LetGo(t *testing.T) {
	t.Helper()
	_, err := io.WriteString(c.In, "\n")
	require.NoError(t, err)
}

// Lines calls f with the words of each report until there are no more.
func (c *Child) Lines(f func(words []string)) {
	for c.Reports.Scan() {
		f(strings.Fields(c.Reports.Text()))
	}
}

// InChild lets what a child finds wrong end it, and fail the test of its parent.
type InChild struct{}

// Errorf implements [require.TestingT].
func (InChild) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// FailNow implements [require.TestingT].
func (InChild) FailNow() { os.Exit(1) }

// Together has n goroutines do f.
func Together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
