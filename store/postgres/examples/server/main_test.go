package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
)

var server pgtest.Server

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// process is a server in a process of its own.
type process struct {
	*exec.Cmd
	stdout io.ReadCloser
	url    string
	key    string // of the bootstrap token
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "server")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// start starts a server and waits until it listens.
func start(t *testing.T, binary, db string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), binary, "-addr", "127.0.0.1:0", "-db", db)}
	p.Env = append(os.Environ(), "AUTHTOKEN_BOOTSTRAP_KEY=", "AUTHTOKEN_SEAL_KEY=")
	p.Stderr = t.Output()
	var err error
	p.stdout, err = p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	t.Cleanup(func() { _ = p.Wait() })
	for lines := bufio.NewScanner(p.stdout); p.url == "" && lines.Scan(); {
		word := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(word, "tok_") {
			p.key = word
		}
		p.url, _ = strings.CutPrefix(word, "listening on ")
		if p.url == word {
			p.url = ""
		}
	}
	require.NotEmpty(t, p.url)
	return p
}

// do sends a request with this key; path begins below the tokens'.
func (p *process) do(t *testing.T, key, method, path, body string) (status int, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+"/api/v3/core/tokens/"+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Close = true // a server that stops waits for connections that are kept
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	}
	return resp.StatusCode, answer
}

// Two servers over one database, which are stopped and started again.
func TestServers(t *testing.T) {
	t.Parallel()
	binary, db := build(t), server.DSN(t)
	one := start(t, binary, db)
	two := start(t, binary, db)
	require.NotEmpty(t, one.key)
	require.Empty(t, two.key, "the token is there")
	status, made := one.do(t, one.key, http.MethodPost, "", `{"identifier": "deploy", "description": "for the build"}`)
	require.Equal(t, http.StatusCreated, status)

	// A key that one of them makes is good for the other, until that revokes it.
	key := made["key"].(string)
	delete(made, "key")
	status, got := two.do(t, key, http.MethodGet, "deploy/", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, made, got)
	status, _ = one.do(t, key, http.MethodGet, "deploy/", "")
	require.Equal(t, http.StatusOK, status)
	status, _ = two.do(t, one.key, http.MethodDelete, "deploy/", "")
	require.Equal(t, http.StatusNoContent, status)
	status, _ = one.do(t, key, http.MethodGet, "deploy/", "")
	require.Equal(t, http.StatusForbidden, status)

	for _, p := range []*process{one, two} {
		require.NoError(t, p.Process.Signal(syscall.SIGTERM))
		require.NoError(t, p.Wait())
	}
	again := start(t, binary, db)
	require.Empty(t, again.key)
	status, _ = again.do(t, one.key, http.MethodGet, "bootstrap/", "")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, again.Process.Signal(os.Interrupt))
	require.NoError(t, again.Wait())
}

func TestNoDatabase(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), build(t), "-addr", "127.0.0.1:0", "-db", "postgres://app:hunter2@127.0.0.1:1/app")
	cmd.Stderr = &stderr
	require.Error(t, cmd.Run())
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	require.Contains(t, stderr.String(), "server: postgres: open: ")
	require.NotContains(t, stderr.String(), "hunter2")
}
