package authtoken_test

import (
	"bytes"
	"database/sql"
	"debug/buildinfo"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// The program in the README does what the README says, in a module of its own
// that is set up as the README says. As it imports the service and the
// memory store only, it must not link any database.
func TestReadmeProgram(t *testing.T) {
	t.Parallel()
	checkout, err := os.Getwd()
	require.NoError(t, err)
	blocks := blocksOf(t, "README.md")
	program, printed, setUp := blocks[0].text, blocks[1].text, blocks[2].text
	setUp = strings.ReplaceAll(setUp, "/path/to/authtoken", checkout)

	dir := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	write("main.go", program)
	sums, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	write("go.sum", string(sums)) // nothing needs to be looked up for what was checked before

	var out string
	for line := range strings.Lines(setUp) {
		words := strings.Fields(line)
		out = output(t, dir, words[0], words[1:]...)
	}
	require.Equal(t, printed, out)

	output(t, dir, "go", "build", "-o", "hello", ".")
	info, err := buildinfo.ReadFile(filepath.Join(dir, "hello"))
	require.NoError(t, err)
	require.NotEmpty(t, info.Deps)
	for _, m := range info.Deps {
		require.NotRegexp(t, `^modernc\.org/|/sqlx$|testify`, m.Path, "linked by a program over the memory store")
	}
	deps := output(t, dir, "go", "list", "-deps", ".")
	require.NotRegexp(t, `(?m)^(modernc\.org/.*|database/sql|github\.com/jmoiron/sqlx|testing|net/http)$`, deps)
}

// output runs a command without access to the network and returns what it prints.
func output(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s: %s", cmd, &stderr)
	return string(out)
}

// Each other piece of Go in the README stands in a test in one of these files, but
// for the indentation.
func TestReadmePieces(t *testing.T) {
	t.Parallel()
	blocks := blocksOf(t, "README.md")
	require.Equal(t, []string{"go", "text"}, []string{blocks[0].language, blocks[1].language}) // the program
	for _, b := range blocks[2:] {
		if b.language != "sh" {
			requireTested(t, b, "readme_test.go", "readme_lifecycle_test.go", "docs_scopes_test.go",
				"store/postgres/readme_test.go", "examples/customstore/jsonfile_test.go")
		}
	}
}

func TestReadmeSQLiteAndMount(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx := t.Context()
	st, err := sqlite.Open(ctx, "tokens.db", sqlite.Config{})
	require.NoError(t, err)
	defer st.Close()
	svc, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "deploy", User: "7"})
	require.NoError(t, err)

	mux := http.NewServeMux()
	api, err := httpadapter.New(svc, httpadapter.Config{})
	mux.Handle("/api/v3/", api)
	require.NoError(t, err)

	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v3/core/tokens/deploy/", nil)
	r.Header.Set("Authorization", "Bearer "+key.Reveal())
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
}

func TestReadmeTransaction(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx := t.Context()
	check := func(err error) { require.NoError(t, err) }
	db, err := sql.Open("sqlite", "file:app.db?_txlock=immediate"+
		"&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)")
	check(err)
	check(sqlite.Migrate(ctx, db, sqlite.Config{})) // or run what sqlite.Migrations returns
	st, err := sqlite.New(ctx, db, sqlite.Config{})
	check(err)
	defer db.Close()
	defer st.Close()
	_, err = db.Exec(`CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT, active BOOLEAN, created TIMESTAMP)`)
	check(err)
	svc, err := authtoken.New(st, authtoken.Config{Users: usersTable{db}})
	check(err)

	tx, err := db.BeginTx(ctx, nil)
	check(err)
	defer tx.Rollback()
	_, err = tx.Exec(`INSERT INTO users VALUES ('7', 'alice', true, CURRENT_TIMESTAMP)`)
	check(err)
	_, key, err := svc.WithStore(st.WithTx(tx), usersTable{tx}).Create(ctx, authtoken.CreateParams{Identifier: "alice", User: "7"})
	check(err)
	check(tx.Commit())

	_, err = svc.Authenticate(ctx, key.Reveal())
	check(err)
	check(st.Backup(ctx, "copy.db"))
	check(st.Ping(ctx))
}

func TestReadmeAs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	require.NoError(t, err)
	_, _, err = svc.Create(ctx, authtoken.CreateParams{Identifier: "deploy", User: "8"})
	require.NoError(t, err)

	alice := svc.As("7")
	token, key, err := alice.Create(ctx, authtoken.CreateParams{Identifier: "laptop"}) // alice's own
	_, absent := alice.Get(ctx, "deploy")                                              // another user's: authtoken.ErrNotFound
	require.NoError(t, err)
	require.ErrorIs(t, absent, authtoken.ErrNotFound)

	who, err := svc.Authenticate(ctx, key.Reveal())
	require.NoError(t, err)
	require.Equal(t, token, who.Token)
	require.Equal(t, "7", token.User)
}

// block is a block of a document between two lines of backquotes.
type block struct{ language, text string }

func blocksOf(t *testing.T, document string) []block {
	t.Helper()
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	var blocks []block
	for _, m := range regexp.MustCompile("(?ms)^ *```(\\w+)\n(.*?)^ *```$").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, block{language: m[1], text: m[2]})
	}
	require.Equal(t, bytes.Count(text, []byte("```")), 2*len(blocks), "each block says what language it is in")
	return blocks
}

// requireTested fails unless a block stands in one of these files, whatever its
// indentation.
func requireTested(t *testing.T, b block, files ...string) {
	t.Helper()
	for _, name := range files {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		if strings.Contains(unindented(string(source)), unindented(b.text)) {
			return
		}
	}
	t.Errorf("in no test:\n%s", b.text)
}

// unindented leaves out the indentation of each line, and what makes it a comment.
func unindented(s string) string {
	return regexp.MustCompile(`(?m)^\s*(// )?`).ReplaceAllString(s, "")
}
