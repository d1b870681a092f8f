package httpadapter_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

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
		t.Run(name, func(t *testing.T) {
			w := g.do(t, c.prepare)
			require.Equal(t, http.StatusUnauthorized, w.Code)
			require.Equal(t, []string{c.challenge}, w.Header().Values("WWW-Authenticate"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		})
	}
	require.Equal(t, 1, g.calls)
	_, ok := authtoken.PrincipalFrom(t.Context())
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
