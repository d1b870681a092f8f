package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
)

func TestWebapp(t *testing.T) {
	t.Parallel()
	clock := authtokentest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	var log bytes.Buffer
	a, err := newApp(slog.New(slog.NewTextHandler(&log, nil)), clock.Now)
	require.NoError(t, err)
	routes, err := a.routes()
	require.NoError(t, err)
	do := func(method, path, key, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, r)
		return w
	}
	newKey := func(name, user string) string {
		_, key, err := a.tokens.Create(t.Context(), authtoken.CreateParams{Identifier: name, User: user})
		require.NoError(t, err)
		return key.Reveal()
	}
	alice, bob := newKey("alice", "1"), newKey("bob", "2")
	_, key, err := a.tokens.Create(t.Context(), authtoken.CreateParams{Identifier: "reader", User: "1", Scopes: []string{"notes:read"}})
	require.NoError(t, err)
	reader := key.Reveal()

	require.Equal(t, http.StatusNoContent, do("GET", "/healthz", "", "").Code)
	require.Equal(t, http.StatusCreated, do("POST", "/notes", alice, `"hello"`).Code)
	require.Equal(t, http.StatusBadRequest, do("POST", "/notes", alice, `hello`).Code)
	w := do("GET", "/notes", alice, "")
	require.JSONEq(t, `["hello"]`, w.Body.String())
	require.Equal(t, "Thu, 31 Jan 2030 00:00:00 GMT", w.Header().Get("Token-Expires"))
	require.JSONEq(t, `[]`, do("GET", "/notes", bob, "").Body.String(), "another's notes are another's")
	require.JSONEq(t, `["hello"]`, do("GET", "/notes", reader, "").Body.String())
	w = do("POST", "/notes", reader, `"x"`)
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Equal(t, `Bearer realm="notes", error="insufficient_scope", scope="notes:write"`, w.Header().Get("WWW-Authenticate"))
	require.Equal(t, http.StatusUnauthorized, do("GET", "/notes", "guessed", "").Code)

	// Alice renews, bob does not.
	clock.Advance(24 * 24 * time.Hour)
	require.NoError(t, a.warn(t.Context()))
	require.Contains(t, log.String(), `msg="token expires soon" token=bob`)
	var renewed struct {
		Key     string
		Expires time.Time
	}
	w = do("POST", "/token/renew", alice, "")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &renewed))
	require.Equal(t, clock.Now().Add(lifetime), renewed.Expires)
	require.Equal(t, http.StatusOK, do("GET", "/notes", alice, "").Code, "in the overlap")
	clock.Advance(6 * 24 * time.Hour)
	require.JSONEq(t, `["hello"]`, do("GET", "/notes", renewed.Key, "").Body.String())
	require.Equal(t, http.StatusUnauthorized, do("GET", "/notes", bob, "").Code, "expired")

	// A year is the end of it.
	_, err = a.tokens.Update(t.Context(), "alice", authtoken.UpdateParams{Expires: new(clock.Now().Add(400 * 24 * time.Hour))})
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, do("POST", "/token/renew", renewed.Key, "").Code)

	// Whoever still has the old key should not: the token is revoked.
	require.Equal(t, http.StatusUnauthorized, do("GET", "/notes", alice, "").Code)
	require.Equal(t, http.StatusUnauthorized, do("GET", "/notes", renewed.Key, "").Code)
	require.Contains(t, log.String(), `msg="token revoked" token=alice`)
	require.NotContains(t, log.String(), alice)
}
