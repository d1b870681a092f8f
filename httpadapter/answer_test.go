package httpadapter_test

import (
	"errors"
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

// withHeaders sends these values of one header, and no other header.
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

// Every answer of the API, and every refusal of the guard, is what it says it is.
func TestNoSniffing(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{Logger: slog.New(slog.DiscardHandler)})
	down := newAPI(t, httpadapter.Config{Logger: slog.New(slog.DiscardHandler), Authenticate: func(*http.Request) (authtoken.Principal, error) {
		return authtoken.Principal{}, errors.New("sessions are down")
	}})
	answers := map[string]*httptest.ResponseRecorder{
		"list":          a.do(t, "alice", "GET", tokens, ""),
		"one":           a.do(t, "alice", "GET", tokens+"key-alice/", ""),
		"head":          a.do(t, "alice", "HEAD", tokens+"key-alice/", ""),
		"options":       a.do(t, "alice", "OPTIONS", tokens, ""),
		"made":          a.do(t, "alice", "POST", tokens, `{"identifier":"ci"}`),
		"faults":        a.do(t, "alice", "POST", tokens, `{}`),
		"deleted":       a.do(t, "alice", "DELETE", tokens+"ci/", ""),
		"key set":       a.do(t, "akadmin", "POST", tokens+"key-bob/set_key/", `{"key":"a-key-of-more-than-thirty-two-bytes"}`),
		"schema":        a.do(t, "", "GET", "/api/v3/schema/", ""),
		"schema method": a.do(t, "", "POST", "/api/v3/schema/", ""),
		"nobody":        a.do(t, "", "GET", tokens, ""),
		"cross-site":    a.do(t, "", "POST", tokens, "", "Sec-Fetch-Site", "cross-site"),
		"no such path":  a.do(t, "alice", "GET", "/api/v3/other/", ""),
		"no such token": a.do(t, "alice", "GET", tokens+"nothing/", ""),
		"method":        a.do(t, "alice", "BREW", tokens, ""),
		"failure":       down.do(t, "", "GET", tokens, ""),
	}
	var wait time.Duration
	users := new(flaky)
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "1"})
	require.NoError(t, err)
	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{
		Throttle: func(*http.Request) time.Duration { return wait },
		Logger:   slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	guarded := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	bearer := "Bearer " + key.Reveal()
	let := withHeaders(t, guarded, "/", "Authorization", bearer)
	require.Equal(t, http.StatusOK, let.Code)
	require.Empty(t, let.Header(), "the application's answers are its own")
	answers["guard, nobody"] = withHeaders(t, guarded, "/", "Authorization")
	answers["guard, refused"] = withHeaders(t, guarded, "/", "Authorization", "Bearer x")
	answers["guard, repeated"] = withHeaders(t, guarded, "/", "Authorization", "Bearer x", "Bearer y")
	users.down = true
	answers["guard, failure"] = withHeaders(t, guarded, "/", "Authorization", bearer)
	wait = time.Second
	answers["guard, throttled"] = withHeaders(t, guarded, "/", "Authorization", bearer)

	seen := map[int]bool{}
	for name, w := range answers {
		require.Equal(t, []string{"nosniff"}, w.Header().Values("X-Content-Type-Options"), name)
		seen[w.Code] = true
	}
	for _, status := range []int{200, 201, 204, 400, 401, 403, 404, 405, 429, 500} {
		require.True(t, seen[status], status)
	}
}
