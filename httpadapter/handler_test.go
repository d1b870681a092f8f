package httpadapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// api is a handler and the keys to call it with.
type api struct {
	http.Handler
	svc  *authtoken.Service
	keys map[string]string // by username
}

func newAPI(t *testing.T, cfg httpadapter.Config) *api {
	t.Helper()
	users, err := authtoken.NewUserList(authtokentest.Users()...)
	require.NoError(t, err)
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
	h, err := httpadapter.New(svc, cfg)
	require.NoError(t, err)
	a := &api{Handler: h, svc: svc, keys: map[string]string{}}
	for _, u := range authtokentest.Users() {
		_, key, err := svc.Create(t.Context(), authtoken.CreateParams{
			Identifier: "key-" + u.Username, User: u.PK, Expiring: new(false)})
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
		`{"detail":"The key of this token can't be shown: only its digest is kept."}`)
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
	w = a.do(t, "alice", "GET", tokens+"ci/", "")
	require.Equal(t, second, w.Header().Get("ETag"))

	w = a.do(t, "alice", "PUT", tokens+"ci/", `{"identifier":"ci"}`, "If-Match", "*")
	require.Equal(t, http.StatusOK, w.Code)
	w = a.do(t, "alice", "DELETE", tokens+"ci/", "", "If-Match", first+` , `+w.Header().Get("ETag"))
	require.Equal(t, http.StatusNoContent, w.Code, w.Body)
	require.Empty(t, w.Body)
}

func TestBodies(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{MaxBodyBytes: 100})
	type answer struct {
		status int
		body   string
	}
	parse := func(why string) answer {
		return answer{400, `{"detail":"JSON parse error - ` + why + `"}`}
	}
	tooLarge := answer{413, `{"detail":"Request body exceeds the limit of 100 bytes."}`}
	for body, want := range map[string]answer{
		`{"identifier":"` + strings.Repeat("a", 200) + `"}`:        tooLarge,
		"{\"identifier\":\"\xff\"}":                                parse("invalid UTF-8"),
		`{"identifier":"a"`:                                        parse("unexpected end of JSON input"),
		`{"identifier":"a\ud800"}`:                                 {400, `{"identifier":["Surrogate characters are not allowed: U+D800."]}`},
		`{"identifier":"a\udc00"}`:                                 {400, `{"identifier":["Surrogate characters are not allowed: U+DC00."]}`},
		`{"identifier":"\ud83d\ud83d"}`:                            {400, `{"identifier":["Surrogate characters are not allowed: U+D83D."]}`},
		`{"identifier":"\ud83d\udd11"}`:                            {400, `{"identifier":["Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens."]}`},
		`{"identifier":"\\ud800"}`:                                 {400, `{"identifier":["Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens."]}`},
		`{"identifier":5}`:                                         {400, `{"identifier":["Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens."]}`},
		`{"identifier":"a","description":5}`:                       {400, `{"description":["Not a valid string."]}`},
		`{"identifier":"a","intent":5}`:                            {400, `{"intent":["\"5\" is not a valid choice."]}`},
		`{"identifier":"a","intent":true}`:                         {400, `{"intent":["\"True\" is not a valid choice."]}`},
		`{"identifier":"a","intent":["api"]}`:                      {400, `{"intent":["\"[\"api\"]\" is not a valid choice."]}`},
		`{"identifier":"a","user":"2"}`:                            {400, `{"user":["Incorrect type. Expected pk value, received str."]}`},
		`{"identifier":"a","user":true}`:                           {400, `{"user":["Incorrect type. Expected pk value, received bool."]}`},
		`{"identifier":"a","user":2.5}`:                            {400, `{"user":["Incorrect type. Expected pk value, received float."]}`},
		`{"identifier":"a","user":2e0}`:                            {400, `{"user":["Incorrect type. Expected pk value, received float."]}`},
		`{"identifier":"a","user":18446744073709551617}`:           {400, `{"user":["Invalid pk \"18446744073709551617\" - object does not exist."]}`},
		`{"identifier":"a","expiring":"true"}`:                     {400, `{"expiring":["Must be a valid boolean."]}`},
		`{"identifier":"a","expiring":1}`:                          {400, `{"expiring":["Must be a valid boolean."]}`},
		`{"identifier":"a","expires":"10000-01-01T00:00Z"}`:        {400, `{"expires":["Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."]}`},
		`{"identifier":"a","expires":"9999-12-31T23:59:59-00:01"}`: {400, `{"expires":["Datetime value out of range."]}`},
		`true`: {400, `{"non_field_errors":["Invalid data. Expected a dictionary, but got bool."]}`},
		`1e3`:  {400, `{"non_field_errors":["Invalid data. Expected a dictionary, but got float."]}`},
	} {
		w := a.do(t, "alice", "POST", tokens, body)
		requireAnswer(t, w, want.status, want.body)
	}
	page, err := a.svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
	require.NoError(t, err)
	require.Equal(t, 3, page.Count, "nothing was stored")

	// A length that is not announced is found out all the same.
	r := httptest.NewRequestWithContext(t.Context(), "POST", tokens, io.MultiReader(strings.NewReader(strings.Repeat(" ", 200))))
	r.Header.Set("Authorization", "Bearer "+a.keys["alice"])
	r.ContentLength = -1
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	requireAnswer(t, w, tooLarge.status, tooLarge.body)
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for contentType, status := range map[string]int{
		"application/json": 400, "application/json; charset=utf-8": 400, "Application/JSON;x=y": 400,
		"": 415, "text/json": 415, "application/json, text/plain": 415, "application": 415,
	} {
		w := a.do(t, "alice", "POST", tokens, `{}`, "Content-Type", contentType)
		require.Equal(t, status, w.Code, contentType)
		w = a.do(t, "alice", "PATCH", tokens+"nothing/", `{}`, "Content-Type", contentType)
		require.Equal(t, http.StatusNotFound, w.Code, "what is not there comes first")
	}
	w := a.do(t, "alice", "POST", tokens, ``, "Content-Type", "text/plain")
	requireAnswer(t, w, http.StatusBadRequest, `{"identifier":["This field is required."]}`)
}

func TestSetKeyOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for body, want := range map[string]string{
		`{}`:                              `{"key":["This field is required."]}`,
		``:                                `{"key":["This field is required."]}`,
		`{"key":null}`:                    `{"key":["This field may not be null."]}`,
		`{"key":""}`:                      `{"key":["This field may not be blank."]}`,
		`{"key":1}`:                       `{"key":["Not a valid string."]}`,
		`{"key":"x"}`:                     `{"key":["Ensure this field has at least 32 characters."]}`,
		`[]`:                              `{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}`,
		`{`:                               `{"detail":"JSON parse error - unexpected end of JSON input"}`,
		`{"key":"` + a.keys["bob"] + `"}`: `{"key":["Token with this key already exists."]}`,
	} {
		requireAnswer(t, a.do(t, "akadmin", "POST", tokens+"key-alice/set_key/", body), http.StatusBadRequest, want)
		require.Equal(t, http.StatusForbidden, a.do(t, "alice", "POST", tokens+"key-alice/set_key/", body).Code, body)
		require.Equal(t, http.StatusNotFound, a.do(t, "bob", "POST", tokens+"key-alice/set_key/", body).Code, body)
	}
	w := a.do(t, "akadmin", "POST", tokens+"key-alice/set_key/", `{"key":"a-key-of-more-than-thirty-two-bytes"}`)
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Equal(t, http.StatusForbidden, a.do(t, "alice", "GET", tokens, "").Code, "the old key is refused")
	a.keys["alice"] = "a-key-of-more-than-thirty-two-bytes"
	require.Equal(t, http.StatusOK, a.do(t, "alice", "GET", tokens, "").Code)
}

func TestQueries(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for query, want := range map[string]string{
		"intent=foo":                         `{"intent":["Select a valid choice. foo is not one of the available choices."]}`,
		"expires=zzz":                        `{"expires":["Enter a valid date/time."]}`,
		"expiring=maybe":                     `{"expiring":["Must be a valid boolean."]}`,
		"identifier=%00":                     `{"identifier":["Null characters are not allowed."]}`,
		"search=" + strings.Repeat("a", 256): `{"search":["Ensure this field has no more than 255 characters."]}`,
		"expires=1&intent=2&expiring=3": `{"expires":["Enter a valid date/time."],"expiring":["Must be a valid boolean."],` +
			`"intent":["Select a valid choice. 2 is not one of the available choices."]}`,
	} {
		requireAnswer(t, a.do(t, "akadmin", "GET", tokens+"?"+query, ""), http.StatusBadRequest, want)
	}
	for _, page := range []string{"0", "-1", "2", "x", "1.0", "99999999999999999999"} {
		requireAnswer(t, a.do(t, "akadmin", "GET", tokens+"?page="+page, ""), http.StatusNotFound, `{"detail":"Invalid page."}`)
	}
	for query, count := range map[string]string{
		"page=":                        `"count":3`,
		"page=1&page_size=x":           `"count":3,"current":1,"total_pages":1`,
		"page=2&page_size=2":           `{"next":0,"previous":1,"count":3,"current":2,"total_pages":2,"start_index":3,"end_index":3}`,
		"page_size=2":                  `{"next":2,"previous":0,"count":3,"current":1,"total_pages":2,"start_index":1,"end_index":2}`,
		"identifier=no&identifier=":    `"count":3`,
		"identifier=%20key-bob%20":     `"count":1`,
		"search=100%":                  `"count":0`,
		"search=key;-%zz":              `"count":0`,
		"search=key-%25%ff":            `"count":0`,
		"expiring=FALSE":               `"count":3`,
		"expires=2031-01-01T00:00:00Z": `{"next":0,"previous":0,"count":0,"current":1,"total_pages":1,"start_index":0,"end_index":0}`,
	} {
		w := a.do(t, "akadmin", "GET", tokens+"?"+query, "")
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Body.String(), count, query)
		require.Contains(t, w.Body.String(), `"autocomplete":{}`)
	}
}

func TestOwnAuthenticator(t *testing.T) {
	t.Parallel()
	var failure error
	a := newAPI(t, httpadapter.Config{
		Logger: slog.New(slog.DiscardHandler),
		Authenticate: func(r *http.Request) (authtoken.User, error) {
			return authtoken.User{PK: 2, Active: true}, failure
		},
	})
	require.Equal(t, http.StatusOK, a.do(t, "", "GET", tokens+"key-alice/", "").Code)
	require.Equal(t, http.StatusNotFound, a.do(t, "", "GET", tokens+"key-bob/", "").Code)
	for err, want := range map[error]string{
		httpadapter.ErrNoCredentials:     `{"detail":"Authentication credentials were not provided."}`,
		httpadapter.ErrUnsupportedScheme: `{"detail":"Unsupported authentication type"}`,
		authtoken.ErrUserInactive:        `{"detail":"Token invalid/expired"}`,
	} {
		failure = err
		requireAnswer(t, a.do(t, "", "GET", tokens, ""), http.StatusForbidden, want)
	}
	failure = errors.New("directory down")
	requireAnswer(t, a.do(t, "", "GET", tokens, ""), http.StatusInternalServerError, `{"detail":"Internal server error."}`)
}

// broken is a store that fails to find anything but keys.
type broken struct{ store.Store }

func (broken) Get(context.Context, string) (store.Record, error) {
	return store.Record{}, errors.New("disk on fire")
}

func TestFailuresAreLoggedAndNotShown(t *testing.T) {
	t.Parallel()
	svc, err := authtoken.New(broken{memory.New()}, authtoken.Config{})
	require.NoError(t, err)
	var log bytes.Buffer
	h, err := httpadapter.New(svc, httpadapter.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 1})
	require.NoError(t, err)
	a := &api{Handler: h, keys: map[string]string{"x": key.Reveal()}}
	requireAnswer(t, a.do(t, "x", "GET", tokens+"one/", ""), http.StatusInternalServerError, `{"detail":"Internal server error."}`)
	require.Contains(t, log.String(), "disk on fire")
	require.Contains(t, log.String(), "path="+tokens+"one/")
	require.NotContains(t, log.String(), key.Reveal())
}

func TestNewReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := httpadapter.New(nil, httpadapter.Config{BasePath: "api", MaxBodyBytes: -1})
	for _, want := range []string{"service is nil", "Config.BasePath", "Config.MaxBodyBytes"} {
		require.ErrorContains(t, err, want)
	}
}

func TestRotateOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	const path = tokens + "key-alice/rotate/"
	for _, body := range []string{`{"overlap":-1}`, `{"overlap":"1"}`, `{"overlap":1.5}`, `{"overlap":315360001}`, `{"overlap":99999999999999999999}`} {
		requireAnswer(t, a.do(t, "alice", "POST", path, body), http.StatusBadRequest,
			`{"overlap":["A whole number of seconds from 0 to 315360000 is required."]}`)
	}
	require.Equal(t, http.StatusNotFound, a.do(t, "bob", "POST", path, `{"overlap":-1}`).Code)
	require.Equal(t, http.StatusMethodNotAllowed, a.do(t, "alice", "GET", path, "").Code)

	w := a.do(t, "alice", "POST", path, `{"overlap":60}`)
	require.Equal(t, http.StatusOK, w.Code)
	var rotated struct{ Identifier, Key string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &rotated))
	require.Equal(t, "key-alice", rotated.Identifier)
	require.Equal(t, http.StatusOK, a.do(t, "alice", "GET", tokens, "").Code, "the old key, in the overlap")
	old := a.keys["alice"]
	a.keys["alice"] = rotated.Key
	w = a.do(t, "akadmin", "POST", path, "")
	require.Equal(t, http.StatusOK, w.Code, "superusers too")
	a.keys["alice"] = old
	require.Equal(t, http.StatusForbidden, a.do(t, "alice", "GET", tokens, "").Code, "two keys at the most")
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
type changeable struct {
	user authtoken.User
	err  error
}

func (c *changeable) User(context.Context, int64) (authtoken.User, error) { return c.user, c.err }

// Once a key has been made, it is shown, whatever goes wrong after that.
func TestKeysAreNotLostToTheDirectory(t *testing.T) {
	t.Parallel()
	users := &changeable{user: authtoken.User{PK: 2, Active: true}}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	require.NoError(t, err)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 2})
	require.NoError(t, err)
	caller := authtoken.User{PK: 1, Active: true, Superuser: true}
	var log bytes.Buffer
	h, err := httpadapter.New(svc, httpadapter.Config{
		Authenticate: func(*http.Request) (authtoken.User, error) { return caller, nil },
		Logger:       slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	a := &api{Handler: h}

	for name, broken := range map[string]*changeable{
		"directory down":   {err: errors.New("directory down")},
		"unsupported type": {user: authtoken.User{PK: 2, Active: true, Attributes: map[string]any{"f": func() {}}}},
	} {
		*users = *broken
		require.Equal(t, http.StatusInternalServerError, a.do(t, "", "GET", tokens+"one/", "").Code, name)
		w := a.do(t, "", "POST", tokens+"one/rotate/", "")
		require.Equal(t, http.StatusOK, w.Code, name)
		var rotated struct{ Key string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &rotated))
		require.Contains(t, log.String(), name)
		*users = changeable{user: authtoken.User{PK: 2, Active: true}}
		_, err = svc.Authenticate(t.Context(), rotated.Key)
		require.NoError(t, err, name)
	}
}

func TestAuthenticatorErrorsAreNotTheAPIs(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{
		authtoken.ErrNotFound, authtoken.ErrStale, &authtoken.ValidationError{Fields: []authtoken.FieldError{{Field: "x"}}},
	} {
		a := newAPI(t, httpadapter.Config{
			Logger:       slog.New(slog.DiscardHandler),
			Authenticate: func(*http.Request) (authtoken.User, error) { return authtoken.User{}, failure },
		})
		require.Equal(t, http.StatusInternalServerError, a.do(t, "", "GET", tokens, "").Code, failure)
	}
	for _, nobody := range []authtoken.User{{}, {Active: true}, {PK: -1, Active: true, Superuser: true}, {PK: 2}} {
		a := newAPI(t, httpadapter.Config{Authenticate: func(*http.Request) (authtoken.User, error) { return nobody, nil }})
		require.Equal(t, http.StatusForbidden, a.do(t, "", "POST", tokens, `{"identifier":"x"}`).Code)
	}
}

func TestLimitsOfBodies(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{MaxBodyBytes: math.MaxInt64})
	require.Equal(t, http.StatusCreated, a.do(t, "alice", "POST", tokens, `{"identifier":"x"}`).Code)
	r, err := http.NewRequestWithContext(t.Context(), "POST", tokens, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+a.keys["alice"])
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	requireAnswer(t, w, http.StatusBadRequest, `{"identifier":["This field is required."]}`)
	w = a.do(t, "alice", "POST", tokens, `{"identifier":"y","description":"`+strings.Repeat("ä", 10_001)+`"}`)
	requireAnswer(t, w, http.StatusBadRequest, `{"description":["Ensure this field has no more than 10000 characters."]}`)
	w = a.do(t, "alice", "GET", tokens+"?ordering="+strings.Repeat("user,", 10_000)+"-identifier", "")
	require.Equal(t, http.StatusOK, w.Code)
}
