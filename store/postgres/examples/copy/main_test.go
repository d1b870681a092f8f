package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
	"github.com/authtoken/authtoken/store/sqlite"
)

var server pgtest.Server

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// urlOf returns as a URL what a test's DSN says in words.
func urlOf(t *testing.T, dsn string) string {
	t.Helper()
	if isURL(dsn) {
		return dsn
	}
	cfg, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	return fmt.Sprintf("postgres:///%s?host=%s&port=%d&user=%s&password=%s&search_path=%s&sslmode=disable",
		cfg.Database, cfg.Host, cfg.Port, cfg.User, cfg.Password, cfg.RuntimeParams["search_path"])
}

// copied returns what the command says, on standard error and then on standard
// output.
func copied(t *testing.T, from, to string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	require.NoError(t, run(t.Context(), []string{"-from", from, "-to", to}, &stdout, &stderr))
	return stderr.String() + stdout.String()
}

// Tokens are moved to PostgreSQL as the README says, and from there to another
// file, where their keys are still good.
func TestCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, last := filepath.Join(dir, "tokens.db"), filepath.Join(dir, "others.db")
	db := urlOf(t, server.DSN(t))
	st, err := sqlite.Open(t.Context(), first, sqlite.Config{})
	require.NoError(t, err)
	svc, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "deploy", User: "7"})
	require.NoError(t, err)
	for i := range 2 {
		_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint("old-", i), User: "7"})
		require.NoError(t, err)
	}
	require.Equal(t, "0 %\n100 %\n3 tokens: 0 were there, 3 created, 0 deleted\n", copied(t, first, db))

	// Meanwhile the application has gone on.
	require.NoError(t, svc.Delete(t.Context(), "old-0"))
	_, err = svc.Update(t.Context(), "old-1", authtoken.UpdateParams{Identifier: new("renamed")})
	require.NoError(t, err)
	require.NoError(t, st.Close())
	require.Equal(t, "50 %\n100 %\n2 tokens: 1 were there, 1 created, 2 deleted\n", copied(t, first, db))
	require.Equal(t, "100 %\n2 tokens: 2 were there, 0 created, 0 deleted\n", copied(t, first, db))

	require.Equal(t, "0 %\n100 %\n2 tokens: 0 were there, 2 created, 0 deleted\n", copied(t, db, last))
	st, err = sqlite.Open(t.Context(), last, sqlite.Config{})
	require.NoError(t, err)
	defer st.Close()
	svc, err = authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.NoError(t, err)
	_, err = svc.Get(t.Context(), "renamed")
	require.NoError(t, err)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	absent, empty, full := filepath.Join(dir, "absent.db"), filepath.Join(dir, "empty.db"), filepath.Join(dir, "full.db")
	for _, name := range []string{empty, full} {
		st, err := sqlite.Open(t.Context(), name, sqlite.Config{})
		require.NoError(t, err)
		if name == full {
			svc, err := authtoken.New(st, authtoken.Config{})
			require.NoError(t, err)
			_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "deploy", User: "7"})
			require.NoError(t, err)
		}
		require.NoError(t, st.Close())
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		args []string
		says string
	}{
		"no flags":         {t.Context(), nil, "-from and -to are needed"},
		"no destination":   {t.Context(), []string{"-from", full}, "-from and -to are needed"},
		"something else":   {t.Context(), []string{"-from", full, "-to", empty, "now"}, "-from and -to are needed"},
		"an unknown flag":  {t.Context(), []string{"-into", full}, "-into"},
		"no source":        {t.Context(), []string{"-from", absent, "-to", empty}, "-from: stat "},
		"no server":        {t.Context(), []string{"-from", full, "-to", "postgres://app:hunter2@127.0.0.1:1/app"}, "-to: postgres: open: "},
		"no such database": {t.Context(), []string{"-from", "postgresql://app:hunter2@127.0.0.1:1/app?x=1", "-to", full}, "-from: postgres: open: "},
		"swapped":          {t.Context(), []string{"-from", empty, "-to", full}, "the other way round?; so far, of 0 tokens: "},
		"interrupted":      {done, []string{"-from", full, "-to", empty}, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr strings.Builder
			err := run(c.ctx, c.args, &stdout, &stderr)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "hunter2")
			require.Empty(t, stdout.String())
			require.NoFileExists(t, absent)
		})
	}
}

// The README shows the flags that there are.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "\ngo run ./examples/copy -from tokens.db -to postgres://")
}
