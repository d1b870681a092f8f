package httpadapter_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
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
			Identifier: "key-" + u.Username, User: u.ID, Expiring: new(false), Scopes: []string{authtoken.ScopeAll}})
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

// guarded is a route behind RequireToken, and a service with two tokens of
// alice to call it with.
type guarded struct {
	http.Handler
	svc              *authtoken.Service
	clock            *authtokentest.Clock
	api, appPassword string
	seen             authtoken.Principal
	calls            int
}

func newGuarded(t *testing.T, cfg httpadapter.GuardConfig) *guarded {
	t.Helper()
	users, err := authtoken.NewUserList(authtokentest.Users()...)
	require.NoError(t, err)
	g := new(guarded)
	g.svc, g.clock = authtokentest.NewService(t, authtoken.Config{Users: users, TrackLastUsed: true})
	for intent, key := range map[authtoken.Intent]*string{
		authtoken.IntentAPI: &g.api, authtoken.IntentAppPassword: &g.appPassword,
	} {
		_, k, err := g.svc.Create(t.Context(), authtoken.CreateParams{
			Identifier: string(intent), User: "2", Intent: intent,
			Expires: time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC), Expiring: new(intent == authtoken.IntentAPI)})
		require.NoError(t, err)
		*key = k.Reveal()
	}
	guard, err := httpadapter.RequireToken(g.svc, cfg)
	require.NoError(t, err)
	g.Handler = guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var ok bool
		g.seen, ok = authtoken.PrincipalFrom(r.Context())
		require.True(t, ok)
		g.calls++
		w.WriteHeader(http.StatusNoContent)
	}))
	return g
}

func (g *guarded) do(t *testing.T, prepare func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/things", nil)
	prepare(r)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func basic(username, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(username, password) }
}

// withHeaders sends a request with only this header, once for each value.
func withHeaders(t *testing.T, h http.Handler, path, name string, values ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
	for _, value := range values {
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// flaky is a directory that fails while down is set.
type flaky struct{ down bool }

func (f *flaky) User(_ context.Context, pk string) (authtoken.User, error) {
	if f.down {
		return authtoken.User{}, errors.New("directory down")
	}
	return authtoken.User{ID: pk, Active: true}, nil
}

// changeable is a directory that returns what the test sets.
type changeable struct {
	user authtoken.User
	err  error
}

func (c *changeable) User(_ context.Context, pk string) (authtoken.User, error) {
	if pk == "1" {
		return authtoken.User{ID: "1", Active: true, Superuser: true}, nil
	}
	return c.user, c.err
}
