package httpadapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

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

// After a change of the sealing secret, the keys that were sealed with the old one can't be
// shown. That is not a failure of the server.
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
			t.Run(method+" "+tag, func(t *testing.T) {
				w = a.do(t, "alice", method, tokens+"ci/", `{"identifier":"ci","description":"c"}`, "If-Match", tag)
				requireAnswer(t, w, http.StatusPreconditionFailed, `{"detail":"The token has changed: it has another ETag now."}`)
			})
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

// A plain user can't tell another user's token from one that does not exist: the status,
// the headers and the body are the same for every request, valid or not.
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

// A condition that no token meets is not the same as no condition (RFC 9110, section
// 13.1.1).
func TestOddIfMatch(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for _, v := range [][]string{{""}, {"", ""}, {" "}, {","}, {`""`}, {`W/"x"`}, {`"*"`}, {`*, "x"`}} {
		t.Run(strings.Join(v, "+"), func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct{ method, path, body string }{
				{"PUT", "", `{"identifier":"key-bob"}`}, {"PATCH", "", `{"description":"x"}`}, {"DELETE", "", ""},
				{"POST", "rotate/", ""}, {"POST", "set_key/", `{"key":"a-key-of-more-than-thirty-two-bytes"}`},
			} {
				r := httptest.NewRequestWithContext(t.Context(), c.method, tokens+"key-bob/"+c.path, strings.NewReader(c.body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+a.keys["akadmin"])
				r.Header["If-Match"] = v
				w := httptest.NewRecorder()
				a.ServeHTTP(w, r)
				require.Equal(t, http.StatusPreconditionFailed, w.Code, c)
			}
		})
	}
}

func TestSetKeyOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for body, want := range map[string]string{
		`{}`:                              `{"key":["This field is required."]}`,
		``:                                `{"key":["This field is required."]}`,
		`{"key":null}`:                    `{"key":["This field may not be null."]}`,
		`{"key":""}`:                      `{"key":["This field may not be blank."]}`,
		`{"key":1}`:                       `{"key":["Ensure this field has at least 32 characters."]}`,
		`{"key":true}`:                    `{"key":["Not a valid string."]}`,
		`{"key":"x"}`:                     `{"key":["Ensure this field has at least 32 characters."]}`,
		`[]`:                              `{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}`,
		`{`:                               `{"detail":"JSON parse error - unexpected end of JSON input"}`,
		`{"key":"` + a.keys["bob"] + `"}`: `{"key":["Token with this key already exists."]}`,
	} {
		t.Run(body, func(t *testing.T) {
			requireAnswer(t, a.do(t, "akadmin", "POST", tokens+"key-alice/set_key/", body), http.StatusBadRequest, want)
			require.Equal(t, http.StatusForbidden, a.do(t, "alice", "POST", tokens+"key-alice/set_key/", body).Code)
			require.Equal(t, http.StatusNotFound, a.do(t, "bob", "POST", tokens+"key-alice/set_key/", body).Code)
		})
	}
	w := a.do(t, "akadmin", "POST", tokens+"key-alice/set_key/", `{"key":"a-key-of-more-than-thirty-two-bytes"}`)
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Equal(t, http.StatusForbidden, a.do(t, "alice", "GET", tokens, "").Code, "the old key is refused")
	a.keys["alice"] = "a-key-of-more-than-thirty-two-bytes"
	require.Equal(t, http.StatusOK, a.do(t, "alice", "GET", tokens, "").Code)
}

func TestRotateOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	const path = tokens + "key-alice/rotate/"
	for _, body := range []string{`{"overlap":-1}`, `{"overlap":"1"}`, `{"overlap":1.5}`, `{"overlap":315360001}`, `{"overlap":99999999999999999999}`} {
		t.Run(body, func(t *testing.T) {
			requireAnswer(t, a.do(t, "alice", "POST", path, body), http.StatusBadRequest,
				`{"overlap":["A whole number of seconds from 0 to 315360000 is required."]}`)
		})
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

// A request of authentik's own rotation has no body. It renews the token.
func TestRotateWithoutABody(t *testing.T) {
	t.Parallel()
	a := newAPIWith(t, authtoken.Config{Policy: authtoken.Authentik()}, httpadapter.Config{})
	require.Equal(t, http.StatusCreated, a.do(t, "alice", "POST", tokens, `{"identifier":"new"}`).Code)
	a.clock.Advance(20 * time.Minute)
	w := a.do(t, "alice", "POST", tokens+"new/rotate/", "")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var rotated struct {
		Key     string
		Expires time.Time
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &rotated))
	require.NotEmpty(t, rotated.Key)
	require.Equal(t, a.clock.Now().Add(30*time.Minute), rotated.Expires)
}

// A new key is shown even if the owner can't be shown.
func TestKeysAreNotLostToTheDirectory(t *testing.T) {
	t.Parallel()
	down := errors.New("directory down")
	unsupported := httpadapter.Profile{Attributes: map[string]any{"f": func() {}}}
	user := authtoken.User{ID: "2", Active: true}
	for name, c := range map[string]struct {
		users    changeable
		profiles func(context.Context, []string) (map[string]httpadapter.Profile, error)
		number   func(context.Context, string) (int64, error)
		logged   string
	}{
		"directory down": {users: changeable{err: down}, logged: "directory down"},
		"profiles down": {
			users:    changeable{user: user},
			profiles: func(context.Context, []string) (map[string]httpadapter.Profile, error) { return nil, down },
			logged:   "directory down",
		},
		"unsupported type": {
			users: changeable{user: user},
			profiles: func(context.Context, []string) (map[string]httpadapter.Profile, error) {
				return map[string]httpadapter.Profile{"2": unsupported}, nil
			},
			logged: "unsupported type",
		},
		"numbers down": {
			users:  changeable{user: user},
			number: func(context.Context, string) (int64, error) { return 0, down },
			logged: "directory down",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := &changeable{user: user}
			svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
			require.NoError(t, err)
			_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "2"})
			require.NoError(t, err)
			var log bytes.Buffer
			cfg := httpadapter.Config{
				Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn("1"), nil },
				Logger:       slog.New(slog.NewTextHandler(&log, nil)),
				Profiles:     c.profiles,
			}
			if c.number != nil {
				cfg.UserNumber = c.number
				cfg.UserID = func(context.Context, int64) (string, error) { return "", down }
			}
			h, err := httpadapter.New(svc, cfg)
			require.NoError(t, err)
			a := &api{Handler: h}

			*users = c.users
			require.Equal(t, http.StatusInternalServerError, a.do(t, "", "GET", tokens+"one/", "").Code)
			w := a.do(t, "", "POST", tokens+"one/rotate/", "")
			require.Equal(t, http.StatusOK, w.Code)
			var rotated struct{ Key string }
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &rotated))
			require.Contains(t, log.String(), c.logged)
			*users = changeable{user: user}
			_, err = svc.Authenticate(t.Context(), rotated.Key)
			require.NoError(t, err)
		})
	}
}
