package authtoken_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/tokenpage"
)

// newReadme returns a service with the token that the README speaks of, and
// its key.
func newReadme(t *testing.T) (*authtoken.Service, string) {
	t.Helper()
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "deploy", User: 7})
	require.NoError(t, err)
	return svc, key.Reveal()
}

func TestReadmeGuard(t *testing.T) {
	t.Parallel()
	svc, key := newReadme(t)
	mux := http.NewServeMux()

	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{})
	mux.Handle("GET /reports", guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := httpadapter.Principal(r.Context())
		fmt.Fprintln(w, "reports of user", who.User.PK)
	})))

	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/reports", nil)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
	r.Header.Set("Authorization", "Bearer "+key)
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	require.Equal(t, "reports of user 7\n", w.Body.String())
}

func TestReadmePage(t *testing.T) {
	t.Parallel()
	svc, _ := newReadme(t)
	mux := http.NewServeMux()
	signedIn := func(*http.Request) (authtoken.User, error) { return authtoken.User{PK: 7, Active: true}, nil }

	page, err := tokenpage.New(svc, tokenpage.Config{Authenticate: signedIn, Application: "Shop"})
	mux.Handle("/account/tokens", page)

	require.NoError(t, err)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/account/tokens", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), ">deploy</a>")
}

func TestReadmeRotate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	svc, old := newReadme(t)

	token, key, err := svc.Rotate(ctx, "deploy", time.Hour)
	require.NoError(t, err)

	require.False(t, token.RetiredUntil.IsZero())
	for _, key := range []string{old, key.Reveal()} {
		_, err := svc.Authenticate(ctx, key)
		require.NoError(t, err)
	}
}

func TestReadmeJanitor(t *testing.T) {
	t.Parallel()
	svc, _ := newReadme(t)
	ctx, cancel := context.WithCancel(t.Context())

	done := make(chan error)
	go func() { done <- svc.RunJanitor(ctx, time.Minute) }()

	cancel()
	require.NoError(t, <-done)
}

func TestReadmeRevoke(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	svc, _ := newReadme(t)

	tokens, err := svc.Revoke(ctx, authtoken.Filter{User: 7})

	require.NoError(t, err)
	require.Len(t, tokens, 1)
}

// It changes the default logger, so it is not for running beside others.
func TestReadmeObserver(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	st := memory.New()

	svc, err := authtoken.New(st, authtoken.Config{Observer: authtoken.LogObserver(slog.Default())})

	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), "guessed")
	require.Error(t, err)
	require.Contains(t, log.String(), "token refused")
}

func TestReadmeCache(t *testing.T) {
	t.Parallel()
	st := memory.New()

	svc, err := authtoken.New(st, authtoken.Config{CacheSize: 10_000, CacheTTL: 5 * time.Second})

	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "deploy", User: 7})
	require.NoError(t, err)
	for range 2 {
		_, err = svc.Authenticate(t.Context(), key.Reveal())
		require.NoError(t, err)
	}
}
