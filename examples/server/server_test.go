package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What databases the tests run over, as values of -db.
var databases = map[string]func(t *testing.T) string{
	"memory": func(*testing.T) string { return ":memory:" },
	"SQLite": inFile,
}

func inFile(t *testing.T) string { return filepath.Join(t.TempDir(), "tokens.db") }

// file returns the path of a file with this content.
func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.json")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func environment(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// run runs a server that is expected to give up by itself.
func run(t *testing.T, env map[string]string, args ...string) error {
	t.Helper()
	return app.Run(t.Context(), append([]string{"-addr", "127.0.0.1:0"}, args...), environment(env), io.Discard, t.Output())
}

// server is a server that runs, and what it has printed.
type server struct {
	env    map[string]string
	client http.Client
	cancel context.CancelFunc
	ended  chan error // gets what Run returned

	output string
	url    string
	key    string   // of the bootstrap token, if it was printed
	curl   []string // the commands printed
}

// start starts a server within the test and waits until it listens. It is
// stopped with the test, if not before.
func start(t *testing.T, env map[string]string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &server{env: env, client: newClient(t), cancel: cancel, ended: make(chan error, 1)}
	printed, stdout := io.Pipe()
	go func() {
		err := app.Run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), environment(env), stdout, t.Output())
		stdout.Close()
		s.ended <- err
		close(s.ended)
	}()
	t.Cleanup(func() { s.stop(t) })
	s.read(t, printed)
	return s
}

// newClient returns a client with connections of its own. A server that stops waits
// some seconds for a connection that was opened and not used, which
// a client that sends much at once leaves behind.
func newClient(t *testing.T) http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return http.Client{Transport: transport}
}

// stop stops the server, which has to end without an error.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.client.CloseIdleConnections()
	s.cancel()
	require.NoError(t, <-s.ended)
}

// read reads what the server prints until it listens.
func (s *server) read(t *testing.T, printed io.Reader) {
	t.Helper()
	lines := bufio.NewScanner(printed)
	for s.url == "" && lines.Scan() {
		line := lines.Text()
		s.output += line + "\n"
		switch word := strings.TrimSpace(line); {
		case strings.HasPrefix(word, "curl "):
			s.curl = append(s.curl, word)
		case strings.HasPrefix(word, "tok_"):
			s.key = word
		case strings.HasPrefix(line, "listening on "):
			s.url = strings.TrimPrefix(line, "listening on ")
		}
	}
	require.Regexp(t, `^http://127\.0\.0\.1:[1-9]\d*$`, s.url, s.output)
}

func (s *server) do(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	status, answer, err := s.request(t.Context(), method, path, body)
	require.NoError(t, err)
	return status, answer
}

// request sends a request with the bootstrap key; path begins below the tokens'.
func (s *server) request(ctx context.Context, method, path, body string) (int, map[string]any, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.url+"/api/v3/core/tokens/"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	r.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	var answer map[string]any
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return resp.StatusCode, answer, err
}

// slowly sends a request, calls meanwhile when the server waits for its body,
// and returns the status of the answer.
func (s *server) slowly(t *testing.T, method, path, body string, meanwhile func()) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s /api/v3/core/tokens/%s HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"+
		"Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", method, path, s.key, len(body))
	require.NoError(t, err)
	answers := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answers, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusContinue, resp.StatusCode)
	meanwhile()
	_, err = io.WriteString(conn, body)
	require.NoError(t, err)
	resp, err = http.ReadResponse(answers, nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}

var curlLine = regexp.MustCompile(`^curl -X (\w+) '?([^' ]+)'? -H "Authorization: ([^"]+)" -H 'Content-Type: application/json' -d '([^']+)'$`)

// runCurl runs a curl command line, with curl where there is one.
func (s *server) runCurl(t *testing.T, command string) []byte {
	t.Helper()
	if _, err := exec.LookPath("curl"); err == nil {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Env = os.Environ()
		for name, value := range s.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.Output()
		require.NoError(t, err, command)
		return out
	}
	m := curlLine.FindStringSubmatch(command)
	require.NotNil(t, m, command)
	r, err := http.NewRequestWithContext(t.Context(), m[1], m[2], strings.NewReader(m[4]))
	require.NoError(t, err)
	r.Header.Set("Authorization", os.Expand(m[3], environment(s.env)))
	r.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return out
}

// envAsServer is the variable that makes the test binary a server.
const envAsServer = "AUTHTOKEN_TEST_AS_SERVER"

// self returns the path of the test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

// process is a server in a process of its own.
type process struct {
	*exec.Cmd
	stdout io.Reader
	stderr bytes.Buffer
}

// newProcess returns a server that has yet to be started.
func newProcess(t *testing.T, binary string, env map[string]string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), binary, append([]string{"-addr", "127.0.0.1:0"}, args...)...)}
	p.Env = append(os.Environ(), envAsServer+"=1", "AUTHTOKEN_BOOTSTRAP_KEY=", "AUTHTOKEN_SEAL_KEY=")
	for name, value := range env {
		p.Env = append(p.Env, name+"="+value)
	}
	p.Stderr = &p.stderr
	var err error
	p.stdout, err = p.StdoutPipe()
	require.NoError(t, err)
	return p
}

// start starts the process. It is killed with the test, if it has not ended before.
func (p *process) start(t *testing.T) *process {
	t.Helper()
	require.NoError(t, p.Start())
	t.Cleanup(func() { _ = p.Wait() }) // so that nothing uses the test's folder any more
	return p
}

// ready waits until the process listens. key is the bootstrap key if the server
// does not print it.
func (p *process) ready(t *testing.T, key string) *server {
	t.Helper()
	s := &server{key: key, client: newClient(t)}
	s.read(t, p.stdout)
	return s
}
