package httpadapter_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

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
		g.seen, ok = httpadapter.Principal(r.Context())
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

func TestRequireToken(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, httpadapter.GuardConfig{ExpiryHeader: "Token-Expires"})
	w := g.do(t, header("Authorization", "bearer  "+g.api))
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Equal(t, "alice", g.seen.User.Username)
	require.Equal(t, "api", g.seen.Token.Identifier)
	require.Equal(t, "Mon, 02 Jan 2040 03:04:05 GMT", w.Header().Get("Token-Expires"))
	require.NoError(t, g.svc.FlushLastUsed(t.Context()))
	token, err := g.svc.Get(t.Context(), "api")
	require.NoError(t, err)
	require.Equal(t, "192.0.2.1", token.LastUsedFrom)

	const none, invalid = `Bearer realm="api"`, `Bearer realm="api", error="invalid_token"`
	for name, c := range map[string]struct {
		prepare   func(*http.Request)
		challenge string
	}{
		"nothing":      {func(*http.Request) {}, none},
		"other scheme": {basic("alice", g.api), none},
		"empty":        {header("Authorization", "Bearer "), none},
		"other header": {header("X-Api-Key", g.api), none},
		"unknown":      {header("Authorization", "Bearer x"), invalid},
		"wrong intent": {header("Authorization", "Bearer "+g.appPassword), invalid},
		"two keys":     {header("Authorization", "Bearer "+g.api+" "+g.api), invalid},
	} {
		w := g.do(t, c.prepare)
		require.Equal(t, http.StatusUnauthorized, w.Code, name)
		require.Equal(t, []string{c.challenge}, w.Header().Values("WWW-Authenticate"), name)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	}
	require.Equal(t, 1, g.calls)
	_, ok := httpadapter.Principal(t.Context())
	require.False(t, ok)
}

// Whoever presents a key must not learn from the answer what is wrong with it.
func TestRefusalsLookTheSame(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, httpadapter.GuardConfig{})
	answer := func(key string) []any {
		w := g.do(t, header("Authorization", "Bearer "+key))
		return []any{w.Code, w.Header(), w.Body.String()}
	}
	unknown := answer("unknown")
	_, _, err := g.svc.Rotate(t.Context(), "api", 0)
	require.NoError(t, err)
	require.Equal(t, unknown, answer(g.api), "retired")
	require.Equal(t, unknown, answer(g.appPassword), "wrong intent")
	_, key, err := g.svc.Create(t.Context(), authtoken.CreateParams{Identifier: "e", User: "2", Expires: g.clock.Now()})
	require.NoError(t, err)
	require.Equal(t, unknown, answer(key.Reveal()), "expired")
}

func TestSources(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, httpadapter.GuardConfig{
		Realm:        `the "things"`,
		Intents:      []authtoken.Intent{authtoken.IntentAPI, authtoken.IntentAppPassword},
		Sources:      []httpadapter.Source{httpadapter.FromHeader("X-Api-Key"), httpadapter.FromBasic(), httpadapter.FromBearer()},
		ExpiryHeader: "Token-Expires",
	})
	for name, prepare := range map[string]func(*http.Request){
		"header": header("x-api-key", g.api),
		"basic":  basic("alice", g.appPassword),
		"bearer": header("Authorization", "Bearer "+g.api),
	} {
		require.Equal(t, http.StatusNoContent, g.do(t, prepare).Code, name)
	}
	w := g.do(t, basic("alice", g.appPassword))
	require.Empty(t, w.Header().Values("Token-Expires"), "it does not expire")
	for name, prepare := range map[string]func(*http.Request){
		"another's name": basic("bob", g.appPassword),
		"no name":        basic("", g.appPassword),
		"the first counts": func(r *http.Request) {
			r.Header.Set("X-Api-Key", "wrong")
			r.SetBasicAuth("alice", g.appPassword)
		},
	} {
		w := g.do(t, prepare)
		require.Equal(t, http.StatusUnauthorized, w.Code, name)
		require.Equal(t, []string{`Basic realm="the \"things\""`, `Bearer realm="the \"things\"", error="invalid_token"`},
			w.Header().Values("WWW-Authenticate"))
	}
}

func TestIntentsBySource(t *testing.T) {
	t.Parallel()
	password := httpadapter.FromBasic()
	password.Intents = []authtoken.Intent{authtoken.IntentAppPassword}
	g := newGuarded(t, httpadapter.GuardConfig{Sources: []httpadapter.Source{httpadapter.FromBearer(), password}})
	require.Equal(t, http.StatusNoContent, g.do(t, basic("alice", g.appPassword)).Code)
	require.Equal(t, http.StatusNoContent, g.do(t, header("Authorization", "Bearer "+g.api)).Code)
	require.Equal(t, http.StatusUnauthorized, g.do(t, basic("alice", g.api)).Code)
	require.Equal(t, http.StatusUnauthorized, g.do(t, header("Authorization", "Bearer "+g.appPassword)).Code)
}

func TestRequireTokenReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := httpadapter.RequireToken(nil, httpadapter.GuardConfig{
		Intents: []authtoken.Intent{"appp"},
		Sources: []httpadapter.Source{httpadapter.FromBearer(), httpadapter.FromHeader("")},
	})
	for _, want := range []string{"service is nil", `"appp" is not an intent`, "GuardConfig.Sources[1]"} {
		require.ErrorContains(t, err, want)
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	var wait time.Duration
	var refused []error
	g := newGuarded(t, httpadapter.GuardConfig{
		Throttle: func(*http.Request) time.Duration { return wait },
		Refused:  func(_ *http.Request, err error) { refused = append(refused, err) },
	})
	require.Equal(t, http.StatusUnauthorized, g.do(t, header("Authorization", "Bearer x")).Code)
	require.Len(t, refused, 1)
	require.ErrorIs(t, refused[0], authtoken.ErrKeyUnknown)
	wait = 1001 * time.Millisecond
	w := g.do(t, header("Authorization", "Bearer "+g.api))
	requireAnswer(t, w, http.StatusTooManyRequests, `{"detail":"Too many requests."}`)
	require.Equal(t, "2", w.Header().Get("Retry-After"))
	require.Zero(t, g.calls)
	require.Len(t, refused, 1, "no key was looked at")
	wait = 0
	require.Equal(t, http.StatusNoContent, g.do(t, header("Authorization", "Bearer "+g.api)).Code)
}

// flaky is a directory that is down once it says so.
type flaky struct{ down bool }

func (f *flaky) User(_ context.Context, pk string) (authtoken.User, error) {
	if f.down {
		return authtoken.User{}, errors.New("directory down")
	}
	return authtoken.User{ID: pk, Active: true}, nil
}

func TestGuardFailures(t *testing.T) {
	t.Parallel()
	users := new(flaky)
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "1"})
	require.NoError(t, err)
	var log bytes.Buffer
	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	g := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") }))
	users.down = true
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+key.Reveal())
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	requireAnswer(t, w, http.StatusInternalServerError, `{"detail":"Internal server error."}`)
	require.Contains(t, log.String(), "directory down")
	require.NotContains(t, log.String(), key.Reveal())
}
