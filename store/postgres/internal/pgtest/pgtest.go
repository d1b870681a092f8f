// Package pgtest gives tests a PostgreSQL server: the one that
// AUTHTOKEN_POSTGRES_DSN names or, if PostgreSQL's programs are installed, one of
// their own that is gone when they are through.
package pgtest

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

const (
	// EnvDSN names a server to use, with a role that may make schemas.
	EnvDSN = "AUTHTOKEN_POSTGRES_DSN"

	// EnvRequired, if not empty, has tests fail that would be skipped for want of a
	// server.
	EnvRequired = "AUTHTOKEN_POSTGRES_REQUIRED"
)

// Server is a server for the tests of a package. Its zero value starts one when
// it is first asked for.
type Server struct {
	once sync.Once
	dsn  string
	err  error
	stop func() error
}

// Main runs the tests, stops the server if one was started, and returns the exit
// code.
func (s *Server) Main(m *testing.M) int {
	code := m.Run()
	if s.stop != nil {
		if err := s.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping PostgreSQL:", err)
			return max(code, 1)
		}
	}
	return code
}

// DSN returns the DSN of an empty schema for this test alone. If there is no
// server to be had, the test is skipped.
func (s *Server) DSN(t testing.TB) string {
	t.Helper()
	s.once.Do(func() {
		if s.dsn = os.Getenv(EnvDSN); s.dsn == "" {
			s.dsn, s.stop, s.err = start()
		}
	})
	switch {
	case s.err != nil && os.Getenv(EnvRequired) == "" && errors.Is(s.err, errNone):
		t.Skip(s.err)
	case s.err != nil:
		t.Fatal(s.err)
	}
	schema := Name()
	Exec(t, s.dsn, "CREATE SCHEMA "+schema)
	if s.stop == nil { // or it goes with the server
		t.Cleanup(func() { Exec(t, s.dsn, "DROP SCHEMA "+schema+" CASCADE") })
	}
	return With(s.dsn, "search_path", schema)
}

// Name returns a name that nobody else uses, for a schema or a connection.
func Name() string { return "test_" + strings.ToLower(rand.Text()) }

// Exec runs SQL on a connection of its own.
func Exec(t testing.TB, dsn, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it may be time for cleaning up
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}

// With returns dsn with a setting more. The value must have nothing to escape.
func With(dsn, name, value string) string {
	switch {
	case !strings.Contains(dsn, "://"):
		return dsn + " " + name + "=" + value
	case strings.Contains(dsn, "?"):
		return dsn + "&" + name + "=" + value
	}
	return dsn + "?" + name + "=" + value
}

// errNone is why there is no server.
var errNone = errors.New("no PostgreSQL: neither " + EnvDSN + " is set nor are initdb and pg_ctl to be found")

// script makes a cluster in the directory $2 with the programs in $1, starts it,
// says so, waits until its input ends, and cleans up. The input is a pipe from the
// process that runs the tests, which ends with that process, however it ends.
//
// Texts sort by the rules of a language unless told otherwise, so that what is not
// told otherwise shows. What is lost with the power is no loss here.
const script = `
"$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --no-sync \
	--locale=C --locale-provider=icu --icu-locale=en-US >"$2/log" 2>&1 &&
"$1/pg_ctl" -D "$2/data" -l "$2/log" -s -w -o "-k '$2' -c listen_addresses= -c max_connections=200 \
	-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c shared_buffers=64MB -c jit=off" start >>"$2/log" 2>&1 &&
echo started || cat "$2/log"
read -r _
"$1/pg_ctl" -D "$2/data" -s -m immediate -w stop
rm -rf "$2"
`

// start starts a server that listens on a socket in a temporary directory. It
// returns its DSN, and what stops it and removes all of it.
func start() (dsn string, stop func() error, err error) {
	programs, err := programs()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "authtoken-pg-")
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command("sh", "-c", script, "sh", programs, dir)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := unprivileged(cmd, dir); err != nil {
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	if err := cmd.Start(); err != nil {
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	stop = func() error {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		return cmd.Wait()
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if line == "started\n" {
		return "host=" + dir + " user=postgres dbname=postgres sslmode=disable", stop, nil
	}
	_ = in.Close()
	rest, _ := io.ReadAll(lines)
	return "", nil, fmt.Errorf("PostgreSQL does not start: %s%s: %w", line, rest, errors.Join(err, cmd.Wait()))
}

// programs returns the directory of PostgreSQL's programs. Debian has them outside
// of the path, and the latest version last.
func programs() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if path, err := exec.LookPath("pg_ctl"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range slices.Backward(dirs) {
		_, initdb := os.Stat(filepath.Join(dir, "initdb"))
		_, ctl := os.Stat(filepath.Join(dir, "pg_ctl"))
		if initdb == nil && ctl == nil {
			return dir, nil
		}
	}
	return "", errNone
}
