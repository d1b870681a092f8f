package httpadapter_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

// api is a handler and the keys to call it with.
type api struct {
	http.Handler
	svc   *authtoken.Service
	clock *authtokentest.Clock
	keys  map[string]string // by username
}

func newAPI(t *testing.T, cfg httpadapter.Config) *api {
	t.Helper()
	return newAPIWith(t, authtoken.Config{}, cfg)
}

// newAPIWith is newAPI for a service with more of a configuration.
func newAPIWith(t *testing.T, svcConfig authtoken.Config, cfg httpadapter.Config) *api {
	t.Helper()
	users, err := authtoken.NewUserList(authtokentest.Users()...)
	require.NoError(t, err)
	svcConfig.Users = users
	svc, clock := authtokentest.NewService(t, svcConfig)
	h, err := httpadapter.New(svc, cfg)
	require.NoError(t, err)
	a := &api{Handler: h, svc: svc, clock: clock, keys: map[string]string{}}
	for _, u := range authtokentest.Users() {
		_, key, err := svc.Create(t.Context(), authtoken.CreateParams{
			Identifier: "key-" + u.Username, User: u.ID, Expiring: new(false)})
		require.NoError(t, err)
		a.keys[u.Username] = key.Reveal()
	}
	return a
}

// do sends a request as a user ("" for nobody). Headers are pairs; a body is
// JSON unless they say otherwise.
func (a *api) do(t *testing.T, as, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+a.keys[as])
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func requireAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body)
	require.JSONEq(t, body, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
}

const tokens = "/api/v3/core/tokens/"

func TestCreateShowsTheKeyOnce(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	w := a.do(t, "alice", "POST", tokens, `{"identifier":"ci"}`)
	require.Equal(t, http.StatusCreated, w.Code)
	var made struct{ Key string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &made))
	p, err := a.svc.Authenticate(t.Context(), made.Key)
	require.NoError(t, err)
	require.Equal(t, "ci", p.Token.Identifier)

	w = a.do(t, "alice", "GET", tokens+"ci/", "")
	require.NotContains(t, w.Body.String(), "key")
	w = a.do(t, "alice", "GET", tokens+"ci/view_key/", "")
	requireAnswer(t, w, http.StatusForbidden,
		`{"detail":"The key of this token can't be shown: only its digest is kept, or the secret it was sealed with is gone."}`)
}

// After a change of the sealing secret, what only the old one opens can't be shown.
// That is no failure of the server.
func TestViewKeyUnderAnotherSecret(t *testing.T) {
	t.Parallel()
	st := memory.New()
	under := func(secret byte) (*authtoken.Service, http.Handler) {
		sealer, err := authtoken.NewAESSealer(bytes.Repeat([]byte{secret}, 32))
		require.NoError(t, err)
		users, err := authtoken.NewUserList(authtokentest.Users()...)
		require.NoError(t, err)
		svc, err := authtoken.New(st, authtoken.Config{Users: users, Sealer: sealer})
		require.NoError(t, err)
		h, err := httpadapter.New(svc, httpadapter.Config{})
		require.NoError(t, err)
		return svc, h
	}
	svc, old := under(1)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "ci", User: "2", Expiring: new(false)})
	require.NoError(t, err)
	_, changed := under(2)
	a := &api{keys: map[string]string{"alice": key.Reveal()}}

	a.Handler = old
	requireAnswer(t, a.do(t, "alice", "GET", tokens+"ci/view_key/", ""), http.StatusOK, `{"key":"`+key.Reveal()+`"}`)
	a.Handler = changed
	requireAnswer(t, a.do(t, "alice", "GET", tokens+"ci/view_key/", ""), http.StatusForbidden,
		`{"detail":"The key of this token can't be shown: only its digest is kept, or the secret it was sealed with is gone."}`)
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for base, prefix := range map[string]string{
		"": "/api/v3", "/api/v3/": "/api/v3", "/": "", "/a b": "/a%20b", "/x/y": "/x/y",
	} {
		a := newAPI(t, httpadapter.Config{BasePath: base})
		for path, status := range map[string]int{
			prefix + "/core/tokens/":                        200,
			prefix + "//core/tokens/":                       200,
			prefix + "/core/tokens/key-alice/":              200,
			prefix + "//core/tokens/key-alice/":             200,
			prefix + "/core/tokens/key%2Dalice/":            200,
			prefix + "/core/tokens/key-alice/used_by/":      200,
			prefix + "/core/tokens/key-alice%2Fused_by/":    404, // no identifier has a slash in it
			prefix + "/core/tokens/nothing/":                404,
			prefix + "/core/tokens":                         404,
			prefix + "/core/tokens/key-alice":               404,
			prefix + "/core/tokens/key-alice/used_by":       404,
			prefix + "/core/tokens/key-alice/used_by/more/": 404,
			prefix + "/core/tokens/key-alice/other/":        404,
			prefix + "/core/tokens//":                       404,
			prefix + "/core/users/":                         404,
			prefix + "/":                                    404,
			"/other/core/tokens/":                           404,
			"/y" + prefix + "/core/tokens/":                 404,
		} {
			w := a.do(t, "alice", "GET", path, "")
			require.Equal(t, status, w.Code, "base %q, path %q: %s", base, path, w.Body)
			require.True(t, json.Valid(w.Body.Bytes()), path)
		}
	}
}

func TestMounts(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	mux := http.NewServeMux()
	mux.Handle("/api/v3/", a)
	mux.HandleFunc("/api/v3/mine/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "mine") })
	mux.Handle("/tokens/", http.StripPrefix("/tokens", a))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "root") })
	at := func(path string) string {
		t.Helper()
		return (&api{Handler: mux, keys: a.keys}).do(t, "alice", "GET", path, "").Body.String()
	}
	one := at(tokens + "key-alice/")
	require.Contains(t, one, `"identifier":"key-alice"`)
	require.Equal(t, one, at("/tokens/api/v3/core/tokens/key-alice/"))
	require.Equal(t, "mine", at("/api/v3/mine/"))
	require.Equal(t, "root", at("/api/"))
}

func TestMethods(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for path, allow := range map[string]string{
		tokens:                         "GET, POST, HEAD, OPTIONS",
		tokens + "key-alice/":          "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
		tokens + "key-alice/view_key/": "GET, HEAD, OPTIONS",
		tokens + "key-alice/set_key/":  "POST, OPTIONS",
		tokens + "key-alice/used_by/":  "GET, HEAD, OPTIONS",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"} {
			w := a.do(t, "alice", method, path, "", "If-Match", `"none"`)
			if strings.Contains(allow, method) {
				require.NotEqual(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, path)
				continue
			}
			requireAnswer(t, w, http.StatusMethodNotAllowed, `{"detail":"Method \"`+method+`\" not allowed."}`)
			require.Equal(t, allow, w.Header().Get("Allow"))
			require.Equal(t, http.StatusForbidden, a.do(t, "", method, path, "").Code, "credentials come first")
		}
		w := a.do(t, "alice", "OPTIONS", path, "")
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, allow, w.Header().Get("Allow"))
		require.True(t, json.Valid(w.Body.Bytes()))
	}

	server := httptest.NewServer(a)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), "HEAD", server.URL+tokens+"key-alice/", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+a.keys["alice"])
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, body)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.NotEmpty(t, resp.Header.Get("ETag"))
}

func TestETags(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	w := a.do(t, "alice", "POST", tokens, `{"identifier":"ci"}`)
	first := w.Header().Get("ETag")
	require.Regexp(t, `^"[0-9a-f-]{36}\.1"$`, first)
	require.Equal(t, first, a.do(t, "alice", "GET", tokens+"ci/", "").Header().Get("ETag"))

	w = a.do(t, "alice", "PATCH", tokens+"ci/", `{"description":"b"}`, "If-Match", first)
	require.Equal(t, http.StatusOK, w.Code)
	second := w.Header().Get("ETag")
	require.NotEqual(t, first, second)

	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		for _, tag := range []string{first, `"x"`, "W/" + second, strings.Trim(second, `"`)} {
			w = a.do(t, "alice", method, tokens+"ci/", `{"identifier":"ci","description":"c"}`, "If-Match", tag)
			requireAnswer(t, w, http.StatusPreconditionFailed, `{"detail":"The token has changed: it has another ETag now."}`)
		}
		w = a.do(t, "bob", method, tokens+"ci/", `{"identifier":"ci"}`, "If-Match", second)
		require.Equal(t, http.StatusNotFound, w.Code)
	}
	w = a.do(t, "alice", "POST", tokens+"ci/rotate/", "", "If-Match", first)
	requireAnswer(t, w, http.StatusPreconditionFailed, `{"detail":"The token has changed: it has another ETag now."}`)
	w = a.do(t, "alice", "GET", tokens+"ci/", "")
	require.Equal(t, second, w.Header().Get("ETag"))

	w = a.do(t, "alice", "POST", tokens+"ci/rotate/", "", "If-Match", second)
	require.Equal(t, http.StatusOK, w.Code)
	w = a.do(t, "alice", "PUT", tokens+"ci/", `{"identifier":"ci"}`, "If-Match", "*")
	require.Equal(t, http.StatusOK, w.Code)
	w = a.do(t, "alice", "DELETE", tokens+"ci/", "", "If-Match", first+` , `+w.Header().Get("ETag"))
	require.Equal(t, http.StatusNoContent, w.Code, w.Body)
	require.Empty(t, w.Body)
}

// broken is a store that fails to find anything but keys.
func TestNewReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := httpadapter.New(nil, httpadapter.Config{BasePath: "api", MaxBodyBytes: -1})
	for _, want := range []string{"service is nil", "Config.BasePath", "Config.MaxBodyBytes"} {
		require.ErrorContains(t, err, want)
	}
}

// To a plain user, another's token and one that does not exist must be the same:
// status, headers and body, whatever is asked and however wrongly.
func TestForeignTokensOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	etag := a.do(t, "alice", "GET", tokens+"key-alice/", "").Header().Get("ETag")
	before := a.do(t, "akadmin", "GET", tokens, "").Body.String()
	answer := func(method, path, body string, headers ...string) []any {
		w := a.do(t, "bob", method, tokens+path, body, headers...)
		return []any{w.Code, w.Header(), w.Body.String()}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
		for _, action := range []string{"", "view_key/", "set_key/", "used_by/", "rotate/", "other/"} {
			for _, body := range []string{"", "{}", "{", "[]", `{"identifier":"x"}`, `{"identifier":"key-bob"}`,
				`{"identifier":"key-alice"}`, `{"user":2}`, `{"key":"x"}`, `{"overlap":-1}`} {
				for _, headers := range [][]string{{}, {"If-Match", etag}, {"If-Match", `"x"`}, {"Content-Type", "text/plain"}} {
					require.Equal(t,
						answer(method, "missing/"+action, body, headers...),
						answer(method, "key-alice/"+action, body, headers...),
						"%s %s %s %s", method, action, body, headers)
				}
			}
		}
	}
	for _, query := range []string{"identifier=%s", "search=%s", "ordering=identifier&search=%s", "user__username=alice&search=%s"} {
		require.Equal(t, answer("GET", "?"+fmt.Sprintf(query, "missing"), ""), answer("GET", "?"+fmt.Sprintf(query, "key-alice"), ""))
	}
	require.Equal(t, answer("GET", "?user__username=nobody", ""), answer("GET", "?user__username=alice", ""))
	require.Equal(t, before, a.do(t, "akadmin", "GET", tokens, "").Body.String(), "nothing has changed")
}

// changeable is a directory whose answer changes.
// Once a key has been made, it is shown, whatever goes wrong after that.

// authentik's paths have no dot in an identifier, so that it looks for no token there.
func TestDotsInPaths(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for _, path := range []string{"a.b/", "a%2Eb/", "a.b/view_key/", ".x/", "nothing.json/"} {
		for _, as := range []string{"", "alice"} {
			t.Run(path+" as "+as, func(t *testing.T) {
				t.Parallel()
				requireAnswer(t, a.do(t, as, "GET", tokens+path, ""), http.StatusNotFound, `{"detail":"Not found."}`)
			})
		}
	}
}

// The format of an answer comes before everything else.
func TestFormat(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for _, c := range []struct {
		method, path, query, as string
		status                  int
	}{
		{"GET", "", "format=x", "", http.StatusNotFound},
		{"GET", "", "format=x", "alice", http.StatusNotFound},
		{"GET", "", "format=JSON", "alice", http.StatusNotFound},
		{"GET", "", "format=json&f%6frmat=api", "alice", http.StatusNotFound},
		{"DELETE", "key-bob/", "format=x", "bob", http.StatusNotFound},
		{"BREW", "", "format=x", "bob", http.StatusNotFound},
		{"GET", "", "format=json", "", http.StatusForbidden},
		{"GET", "", "format=json", "alice", http.StatusOK},
		{"GET", "", "format=x&format=json", "alice", http.StatusOK},
		{"GET", "", "format=", "alice", http.StatusOK},
		{"GET", "", "formats=x", "alice", http.StatusOK},
	} {
		t.Run(c.method+" "+c.query+" as "+c.as, func(t *testing.T) {
			t.Parallel()
			w := a.do(t, c.as, c.method, tokens+c.path+"?"+c.query, "")
			require.Equal(t, c.status, w.Code, w.Body)
			if c.status == http.StatusNotFound {
				requireAnswer(t, w, http.StatusNotFound, `{"detail":"Not found."}`)
			}
		})
	}
	require.Equal(t, http.StatusOK, a.do(t, "bob", "GET", tokens+"key-bob/", "").Code, "nothing was done")
}
