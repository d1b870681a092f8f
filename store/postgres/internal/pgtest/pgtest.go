// Package pgtest gives tests a PostgreSQL server: the one that
// AUTHTOKEN_POSTGRES_DSN names or, if PostgreSQL's programs are installed, one of
// their own that is gone when they are through.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
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
	own  *cluster // nil if it is not ours
}

// Main runs the tests, stops the server if one was started, and returns the exit
// code.
func (s *Server) Main(m *testing.M) int {
	code := m.Run()
	if s.own != nil {
		if err := s.own.stop(); err != nil {
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
			s.own, s.err = start(fast)
			s.dsn = s.own.dsn()
		}
	})
	mustRun(t, s.err)
	schema := Name()
	Exec(t, s.dsn, "CREATE SCHEMA "+schema)
	if s.own == nil { // or it goes with the server
		t.Cleanup(func() { Exec(t, s.dsn, "DROP SCHEMA "+schema+" CASCADE") })
	}
	return With(s.dsn, "search_path", schema)
}

// mustRun skips the test if err says that there is no server.
func mustRun(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv(EnvRequired) == "" && errors.Is(err, errNone):
		t.Skip(err)
	default:
		t.Fatal(err)
	}
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
