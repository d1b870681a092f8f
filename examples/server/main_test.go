package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	ownKey  = "a-key-that-the-operator-has-chosen"
	sealKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

// TestMain makes the test binary the server itself if a test wants it to be one
// in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv(envAsServer) != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestPrintedCommands(t *testing.T) {
	t.Parallel()
	for name, db := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil, "-db", db(t))
			require.NotEmpty(t, s.key)
			require.Len(t, s.curl, 2)
			require.Equal(t, "made with curl", s.paste(t, s.curl[0])["description"])
			updated := s.paste(t, s.curl[1])
			require.Equal(t, "updated with curl", updated["description"])

			status, token := s.do(t, http.MethodGet, updated["identifier"].(string)+"/", "")
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, updated, token)
			require.Equal(t, "admin", token["user_obj"].(map[string]any)["username"])
		})
	}
}

// The commands in the README work on a server that runs as the README says, but
// for its port.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	commands := regexp.MustCompile(`(?m)^curl (?:.*\\\n)*.*$`).FindAllString(string(readme), -1)
	require.Len(t, commands, 2)

	s := start(t, nil, "-db", inFile(t))
	s.env = map[string]string{"KEY": s.key}
	for i, want := range []string{"for the build", "for the build and the release"} {
		command := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(commands[i], "")
		command = strings.Replace(command, "http://127.0.0.1:8080", s.url, 1)
		require.Equal(t, want, s.paste(t, command)["description"])
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	db := inFile(t)
	s := start(t, nil, "-db", db)
	s.paste(t, s.curl[0])
	updated := s.paste(t, s.curl[1])
	s.stop(t)

	again := start(t, nil, "-db", db)
	require.Empty(t, again.key)
	require.Contains(t, again.output, `The token "bootstrap" is there already`)
	require.NotContains(t, again.output, s.key)
	again.key = s.key
	status, token := again.do(t, http.MethodGet, updated["identifier"].(string)+"/", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, updated, token)
}

func TestBootstrapKey(t *testing.T) {
	t.Parallel()
	db := inFile(t)
	made := start(t, nil, "-db", db)
	status, _ := made.do(t, http.MethodPatch, "bootstrap/", `{"intent": "app_password", "expiring": true, "expires": "2020-01-01T00:00:00Z",
		"allowed_ips": ["192.0.2.1"], "suspended": true}`)
	require.Equal(t, http.StatusOK, status)
	made.stop(t)

	own := map[string]string{"AUTHTOKEN_BOOTSTRAP_KEY": ownKey, "AUTHTOKEN_SEAL_KEY": sealKey}
	for range 2 {
		s := start(t, own, "-db", db)
		require.NotContains(t, s.output, ownKey)
		require.Empty(t, s.key)

		s.key = made.key
		status, _ := s.do(t, http.MethodGet, "bootstrap/", "")
		require.Equal(t, http.StatusForbidden, status)
		s.key = ownKey
		status, token := s.do(t, http.MethodGet, "bootstrap/", "")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, false, token["expiring"])
		require.Equal(t, "api", token["intent"])
		status, revealed := s.do(t, http.MethodGet, "bootstrap/view_key/", "")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, ownKey, revealed["key"])

		require.Equal(t, "made with curl", s.paste(t, s.curl[0])["description"])
		require.Equal(t, "updated with curl", s.paste(t, s.curl[1])["description"])
		s.stop(t)
	}
}

func TestBootstrapTokenOfAnotherUser(t *testing.T) {
	t.Parallel()
	db := inFile(t)
	s := start(t, nil, "-db", db, "-users", file(t, `[{"pk": 1, "is_superuser": true}, {"pk": 2, "username": "alice"}]`))
	status, _ := s.do(t, http.MethodPatch, "bootstrap/", `{"identifier": "renamed"}`)
	require.Equal(t, http.StatusOK, status)
	status, _ = s.do(t, http.MethodPost, "", `{"identifier": "bootstrap", "user": 2}`)
	require.Equal(t, http.StatusCreated, status)
	s.stop(t)

	err := run(t, map[string]string{"AUTHTOKEN_BOOTSTRAP_KEY": ownKey}, "-db", db)
	require.ErrorContains(t, err, `token "bootstrap": it belongs to user 2, not to user 1`)
}

// A key that can't be used must not leave a token behind whose key nobody knows.
func TestRefusedBootstrapKeyLeavesNothing(t *testing.T) {
	t.Parallel()
	db := inFile(t)
	require.Error(t, run(t, map[string]string{"AUTHTOKEN_BOOTSTRAP_KEY": "too short"}, "-db", db))
	require.NotEmpty(t, start(t, nil, "-db", db).key)
}

func TestUsersAndPolicy(t *testing.T) {
	t.Parallel()
	users := file(t, `[{"pk": 2, "username": "alice"}, {"pk": 1, "username": "root", "is_superuser": true}]`)
	const recovery = `{"identifier": "made", "user": 2, "intent": "recovery"}`
	for policy, want := range map[string]int{
		"default":   http.StatusCreated,
		"authentik": http.StatusBadRequest,
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil, "-db", ":memory:", "-users", users, "-policy", policy)
			status, answer := s.do(t, http.MethodPost, "", recovery)
			require.Equal(t, want, status, answer)
			status, token := s.do(t, http.MethodGet, "bootstrap/", "")
			require.Equal(t, http.StatusOK, status)
			require.Nil(t, token["expires"])
			require.Equal(t, "root", token["user_obj"].(map[string]any)["username"])
		})
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"default", "authentik"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil, "-db", ":memory:", "-scopes", "notes:read,notes:write", "-policy", policy)
			for body, want := range map[string]any{
				`{"identifier":"a"}`:                          []any{"*"},
				`{"identifier":"b","scopes":["notes:read"]}`:  []any{"notes:read"},
				`{"identifier":"c","scopes":["notes:write"]}`: []any{"notes:write"},
				`{"identifier":"d","scopes":["notes"]}`:       []any{`"notes" is not a valid choice.`},
			} {
				_, answer := s.do(t, http.MethodPost, "", body)
				require.Equal(t, want, answer["scopes"])
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	taken := start(t, nil, "-db", ":memory:")
	folder := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"unknown flag":      {args: []string{"-port", "1"}, want: "flag provided but not defined: -port"},
		"argument":          {args: []string{"serve"}, want: `unexpected argument "serve"`},
		"policy":            {args: []string{"-policy", "lax"}, want: `invalid value "lax" for flag -policy: there are default and authentik`},
		"scope":             {args: []string{"-scopes", "notes:read,Notes"}, want: `Scopes: "Notes" is not 1 to 64 lower-case letters`},
		"address":           {args: []string{"-addr", "8080"}, want: `invalid value "8080" for flag -addr: it is not host:port`},
		"empty address":     {args: []string{"-addr", ""}, want: `invalid value "" for flag -addr`},
		"port":              {args: []string{"-addr", "127.0.0.1:x"}, want: "listen tcp"},
		"taken port":        {args: []string{"-addr", strings.TrimPrefix(taken.url, "http://")}, want: "address already in use"},
		"no users":          {args: []string{"-users", filepath.Join(folder, "absent.json")}, want: "absent.json: no such file"},
		"users no JSON":     {args: []string{"-users", file(t, "pk: 1")}, want: "users.json: profiles: invalid character"},
		"users twice":       {args: []string{"-users", file(t, `[{"pk":1},{"pk":1,"username":"a"}]`)}, want: "ID \"1\" occurs twice"},
		"no user 1":         {args: []string{"-users", file(t, `[{"pk":2,"is_superuser":true}]`)}, want: "no active superuser with pk 1"},
		"user 1 is plain":   {args: []string{"-users", file(t, `[{"pk":1}]`)}, want: "no active superuser with pk 1"},
		"user 1 inactive":   {args: []string{"-users", file(t, `[{"pk":1,"is_superuser":true,"is_active":false}]`)}, want: "no active superuser with pk 1"},
		"db is a folder":    {args: []string{"-db", folder}, want: folder + ": it is a directory"},
		"db in no folder":   {args: []string{"-db", filepath.Join(folder, "absent", "x.db")}, want: "absent"},
		"db is no database": {args: []string{"-db", file(t, strings.Repeat("no database ", 100))}, want: "not a SQLite database"},
		"seal key length":   {env: map[string]string{"AUTHTOKEN_SEAL_KEY": "00ff"}, want: "AUTHTOKEN_SEAL_KEY: it must be 64 hexadecimal digits; it has 4 characters"},
		"seal key digits":   {env: map[string]string{"AUTHTOKEN_SEAL_KEY": sealKey[:63] + "g"}, want: "AUTHTOKEN_SEAL_KEY: it must be 64 hexadecimal digits"},
		"short key":         {env: map[string]string{"AUTHTOKEN_BOOTSTRAP_KEY": "secret"}, want: "AUTHTOKEN_BOOTSTRAP_KEY: key is shorter than 32 bytes"},
		"key with a space":  {env: map[string]string{"AUTHTOKEN_BOOTSTRAP_KEY": strings.Repeat("secret ", 9)}, want: "AUTHTOKEN_BOOTSTRAP_KEY: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"-db", ":memory:"}
			err := run(t, c.env, append(args, c.args...)...)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
			for _, secret := range c.env {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, app.Run(t.Context(), []string{"-h"}, environment(nil), &out, t.Output()))
	for _, name := range []string{"-addr", "-db", "-users", "-policy", "-scopes", "AUTHTOKEN_BOOTSTRAP_KEY", "AUTHTOKEN_SEAL_KEY"} {
		require.Contains(t, out.String(), name)
	}
}

// A request that is under way when the server is told to stop is still answered.
func TestStopsCleanly(t *testing.T) {
	t.Parallel()
	db := inFile(t)
	s := start(t, nil, "-db", db)
	answer := s.slowly(t, http.MethodPost, "", `{"identifier": "late"}`, s.cancel)
	require.Equal(t, http.StatusCreated, answer)
	s.stop(t)

	_, err := http.Get(s.url)
	require.Error(t, err, "the port is closed")
	_, err = os.Stat(db + "-wal")
	require.ErrorIs(t, err, os.ErrNotExist, "the database is closed")

	again := start(t, nil, "-db", db)
	again.key = s.key
	status, _ := again.do(t, http.MethodGet, "late/", "")
	require.Equal(t, http.StatusOK, status)
}

func TestCreatesOfOneIdentifier(t *testing.T) {
	t.Parallel()
	for name, db := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			race(t, start(t, nil, "-db", db(t)))
		})
	}
	t.Run("two processes", func(t *testing.T) {
		t.Parallel()
		db := inFile(t)
		env := map[string]string{"AUTHTOKEN_BOOTSTRAP_KEY": ownKey}
		// Both at once, so that they also make the file and the token at once.
		first := newProcess(t, self(t), env, "-db", db).start(t)
		second := newProcess(t, self(t), env, "-db", db).start(t)
		race(t, first.ready(t, ownKey), second.ready(t, ownKey))
	})
}

// race sends creates of one identifier, in turns to each of servers, all at once.
func race(t *testing.T, servers ...*server) {
	t.Helper()
	const requests = 64
	type answer struct {
		status int
		body   map[string]any
	}
	answers := make(chan answer, requests)
	begin := make(chan struct{})
	for i := range requests {
		s := servers[i%len(servers)]
		go func() {
			<-begin
			status, body, err := s.request(context.WithoutCancel(t.Context()), http.MethodPost, "", `{"identifier": "one"}`)
			if err != nil {
				body = map[string]any{"error": err.Error()}
			}
			answers <- answer{status, body}
		}()
	}
	close(begin)
	count := make(map[int]int)
	for range requests {
		a := <-answers
		count[a.status]++
		if a.status != http.StatusCreated {
			want := map[string]any{"identifier": []any{"Token with this identifier already exists."}}
			require.Equal(t, want, a.body)
		}
	}
	require.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusBadRequest: requests - 1}, count)
}

// paste runs a printed command and returns the token it answers with.
func (s *server) paste(t *testing.T, command string) map[string]any {
	t.Helper()
	out := s.runCurl(t, command)
	var token map[string]any
	require.NoError(t, json.Unmarshal(out, &token), "%s: %s", command, out)
	require.NotEmpty(t, token["pk"], "%s", out)
	return token
}
