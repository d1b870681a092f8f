package compat_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// send sends one request to a handler, and checks the answer against our document.
func send(t *testing.T, h http.Handler, method, path, body string, header ...string) *exchange {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	answer := rec.Result()
	x := &exchange{r, []byte(body), answer.StatusCode, answer.Header, rec.Body.Bytes()}
	require.NoError(t, our(t).checkAnswer(x), "%s %s: %d %s", method, path, x.status, x.body)
	return x
}

var login = []string{"Authorization", "Bearer " + keyOf("akadmin")}

// otherHandler serves w's tokens, once made, as a superuser's and under other conditions.
func otherHandler(t *testing.T, st store.Store, cfg httpadapter.Config) http.Handler {
	t.Helper()
	serviceConfig := sealed(t, authtoken.Policy{})
	serviceConfig.Users = directory(t)
	svc, err := authtoken.New(st, serviceConfig)
	require.NoError(t, err)
	cfg.Authenticate = func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn(admin.ID), nil }
	cfg.Logger = slog.New(slog.DiscardHandler)
	h, err := httpadapter.New(svc, cfg)
	require.NoError(t, err)
	return h
}

// stale is a store in which somebody else always makes a change first.
type stale struct{ store.Store }

func (stale) Update(context.Context, store.Record) error    { return store.ErrStale }
func (stale) Delete(context.Context, store.PK, int64) error { return store.ErrStale }

// broken is a store that fails.
type broken struct{}

var errBroken = errors.New("the disk is gone")

func (broken) Create(context.Context, store.Record, int) error   { return errBroken }
func (broken) Get(context.Context, string) (store.Record, error) { return store.Record{}, errBroken }
func (broken) GetByDigest(context.Context, store.Digest) (store.Record, error) {
	return store.Record{}, errBroken
}
func (broken) Update(context.Context, store.Record) error                 { return errBroken }
func (broken) Delete(context.Context, store.PK, int64) error              { return errBroken }
func (broken) List(context.Context, store.Query) ([]store.Record, error)  { return nil, errBroken }
func (broken) Count(context.Context, store.Query) (int, error)            { return 0, errBroken }
func (broken) Purge(context.Context, store.Query) ([]store.Record, error) { return nil, errBroken }
func (broken) Touch(context.Context, []store.Use) error                   { return errBroken }

// valid and invalid are bodies for calls that have a body, and queries for the one that has
// none.
var (
	valid = map[string]string{
		"core_tokens_create":         `{"identifier": "new"}`,
		"core_tokens_update":         `{"identifier": "login-alice"}`,
		"core_tokens_partial_update": `{"description": "d"}`,
		"core_tokens_set_key_create": `{"key": "one-that-was-made-somewhere-else-0123456789"}`,
		"core_tokens_rotate_create":  `{"overlap": 60}`,
	}
	invalid = map[string]string{
		"core_tokens_list":           "?intent=nope",
		"core_tokens_create":         `{}`,
		"core_tokens_update":         `{`,
		"core_tokens_partial_update": `{"expires": "soon"}`,
		"core_tokens_set_key_create": `[]`,
		"core_tokens_rotate_create":  `{"overlap": "long"}`,
	}
)

// Every status that the document names for a call occurs, and the answer matches the
// document.
func TestEveryAnswer(t *testing.T) {
	t.Parallel()
	for path, item := range our(t).Paths.Map() {
		for method, op := range item.Operations() {
			for code := range op.Responses.Map() {
				t.Run(op.OperationID+"/"+code, func(t *testing.T) {
					t.Parallel()
					status, err := strconv.Atoi(code)
					require.NoError(t, err)
					// Real time would be spent waiting where others are always first.
					synctest.Test(t, func(t *testing.T) { provoke(t, method, path, op.OperationID, status) })
				})
			}
		}
	}
}

func provoke(t *testing.T, method, path, call string, status int) {
	st := memory.New()
	h := handlerOver(t, st)
	url := "/api/v3" + strings.ReplaceAll(path, "{identifier}", "login-alice")
	body, header := valid[call], login
	switch status {
	case http.StatusBadRequest:
		if method == http.MethodGet {
			url += invalid[call]
		} else {
			body = invalid[call]
		}
	case http.StatusForbidden:
		header = nil
	case http.StatusNotFound:
		url = "/api/v3" + strings.ReplaceAll(path, "{identifier}", "nobody") + "?page=99"
	case http.StatusConflict:
		h = otherHandler(t, stale{st}, adapterConfig())
	case http.StatusPreconditionFailed:
		header = slices.Concat(login, []string{"If-Match", `"something else"`})
	case http.StatusRequestEntityTooLarge:
		h = otherHandler(t, st, httpadapter.Config{MaxBodyBytes: 5})
	case http.StatusUnsupportedMediaType:
		header = slices.Concat(login, []string{"Content-Type", "text/plain"})
	case http.StatusInternalServerError:
		h = otherHandler(t, broken{}, adapterConfig())
	}
	x := send(t, h, method, url, body, header...)
	require.Equal(t, status, x.status, "%s", x.body)
	if status < 300 {
		require.NoError(t, our(t).checkRequest(x))
	}
}

// handlerOver is a handler for the same users as those of a world.
func handlerOver(t *testing.T, st store.Store) http.Handler {
	t.Helper()
	h, err := httpadapter.New(newService(t, st, sealed(t, authtoken.Policy{})), adapterConfig())
	require.NoError(t, err)
	return h
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	h := handlerOver(t, memory.New())
	for path, item := range our(t).Paths.Map() {
		url := "/api/v3" + strings.ReplaceAll(path, "{identifier}", "login-alice")
		var allowed []string
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FETCH"} {
			if item.GetOperation(method) != nil {
				allowed = append(allowed, method)
				continue
			}
			if path != "/schema/" {
				require.Equal(t, http.StatusForbidden, send(t, h, method, url, "").status)
			}
			require.Equal(t, http.StatusMethodNotAllowed, send(t, h, method, url, "", login...).status)
		}

		if item.Get != nil {
			allowed = append(allowed, "HEAD")
			get, head := send(t, h, "GET", url, "", login...), send(t, h, "HEAD", url, "", login...)
			require.Equal(t, http.StatusOK, head.status)
			require.Equal(t, get.header, head.header)
		} else {
			require.Equal(t, http.StatusMethodNotAllowed, send(t, h, "HEAD", url, "", login...).status)
		}

		options := send(t, h, "OPTIONS", url, "", login...)
		if path == "/schema/" {
			require.Equal(t, http.StatusMethodNotAllowed, options.status)
		} else {
			allowed = append(allowed, "OPTIONS")
			require.Equal(t, http.StatusOK, options.status)
			require.Equal(t, http.StatusForbidden, send(t, h, "OPTIONS", url, "").status)
		}
		require.ElementsMatch(t, allowed, strings.Split(options.header.Get("Allow"), ", "))
	}
}

func TestElsewhere(t *testing.T) {
	t.Parallel()
	h := handlerOver(t, memory.New())
	for _, path := range []string{
		"/", "/api/v3", "/api/v3/", "/api/v3/core/", "/api/v3/core/tokens", "/api/v3/core/tokens/a", "/api/v3/core/tokens/a/b/",
		"/api/v3/core/users/", "/api/v3/root/config/", "/api/v3/admin/version/", "/api/v3/schema", "/core/tokens/",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
			require.Equal(t, http.StatusNotFound, send(t, h, method, path, "", login...).status)
			require.Equal(t, http.StatusNotFound, send(t, h, method, path, "").status)
		}
	}
}

// A key is only in the answer to the request that made it.
func TestKeysInAnswers(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]authtoken.Config{"sealed": sealed(t, authtoken.Policy{}), "digests only": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := httpadapter.New(newService(t, memory.New(), cfg), adapterConfig())
			require.NoError(t, err)
			key := func(method, path, body string) (key string, ok bool) {
				t.Helper()
				x := send(t, h, method, "/api/v3/core/tokens/"+path, body, login...)
				require.Less(t, x.status, 300, "%s", x.body)
				var object map[string]any
				require.NoError(t, json.Unmarshal(x.body, &object))
				key, ok = object["key"].(string)
				return key, ok
			}
			_, ok := key("POST", "", `{"identifier": "a"}`)
			require.Equal(t, cfg.Sealer == nil, ok)
			rotated, ok := key("POST", "a/rotate/", "")
			require.True(t, ok)
			require.NotEmpty(t, rotated)
			_, ok = key("GET", "a/", "")
			require.False(t, ok)
			_, ok = key("PUT", "a/", `{"identifier": "a"}`)
			require.False(t, ok)
			_, ok = key("PATCH", "a/", `{}`)
			require.False(t, ok)
			if cfg.Sealer != nil {
				viewed, _ := key("GET", "a/view_key/", "")
				require.Equal(t, rotated, viewed)
			}
			require.NotContains(t, string(send(t, h, "GET", "/api/v3/core/tokens/", "", login...).body), rotated)
		})
	}
}

// The owner of a token may be unknown, a body may have no length, and an application may
// have other users.
func TestUnusual(t *testing.T) {
	t.Parallel()
	st := memory.New()
	svc, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "a", User: "77"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, handlerOver(t, st), "GET", "/api/v3/core/tokens/a/", "", login...).status)

	h := otherHandler(t, st, httpadapter.Config{MaxBodyBytes: 30})
	r := httptest.NewRequestWithContext(t.Context(), "PATCH", "/api/v3/core/tokens/a/",
		io.MultiReader(strings.NewReader(`{"description":`), strings.NewReader(`"more than 30 bytes"}`)))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	x := &exchange{r, nil, rec.Code, rec.Header(), rec.Body.Bytes()}
	require.NoError(t, our(t).checkAnswer(x))
	require.Equal(t, http.StatusRequestEntityTooLarge, x.status)
}

// The document is valid for any base path.
func TestDocumentElsewhere(t *testing.T) {
	t.Parallel()
	h := otherHandler(t, memory.New(), httpadapter.Config{BasePath: "/of/tokens"})
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/of/tokens/schema/", nil))
	doc, err := newDocument(openapi3.NewLoader().LoadFromData(rec.Body.Bytes()))
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	rec, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/of/tokens/core/tokens/", nil)
	h.ServeHTTP(rec, r)
	require.Equal(t, http.StatusOK, rec.Code)
	require.NoError(t, doc.checkAnswer(&exchange{r, nil, rec.Code, rec.Header(), rec.Body.Bytes()}))
}
