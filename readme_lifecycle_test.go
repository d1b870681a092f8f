package authtoken_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
	"github.com/authtoken/authtoken/tokenpage"
)

// newReadme returns a service with the token that the README speaks of, and
// its key.
func newReadme(t *testing.T) (*authtoken.Service, string) {
	t.Helper()
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "deploy", User: "7"})
	require.NoError(t, err)
	return svc, key.Reveal()
}

func TestReadmeGuard(t *testing.T) {
	t.Parallel()
	svc, key := newReadme(t)
	mux := http.NewServeMux()

	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{})
	mux.Handle("GET /reports", guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := authtoken.PrincipalFrom(r.Context())
		fmt.Fprintln(w, "reports of user", who.User.ID)
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

// The steps to embed the library, from the store to a guarded route.
func TestReadmeEmbed(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	check := func(err error) { require.NoError(t, err) }
	db, err := sql.Open("sqlite", "app.db")
	check(err)
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT, active BOOLEAN, created TIMESTAMP);
		INSERT INTO users VALUES ('0198c0de-8e21-7b44-8c6d-52a9d1e7f402', 'alice', TRUE, CURRENT_TIMESTAMP)`)
	check(err)
	st, err := sqlite.Open(ctx, "tokens.db", sqlite.Config{})
	check(err)
	defer st.Close()

	svc, err := authtoken.New(st, authtoken.Config{
		Users:  usersTable{db},
		Policy: authtoken.Policy{DefaultLifetime: 30 * 24 * time.Hour}, // 30 minutes if you leave it out
	})
	check(err)
	var background sync.WaitGroup
	background.Go(func() { _ = svc.RunJanitor(ctx, time.Minute) })
	defer background.Wait()
	defer cancel()

	token, key, err := svc.As("0198c0de-8e21-7b44-8c6d-52a9d1e7f402").Create(ctx, authtoken.CreateParams{Description: "CI"})
	check(err)
	require.WithinDuration(t, time.Now().AddDate(0, 0, 30), token.Expires, 2*time.Hour)
	who, err := svc.Authenticate(ctx, key.Reveal())
	check(err)
	require.Equal(t, "alice", who.User.Username)
	_, err = db.Exec(`DELETE FROM users`)
	check(err)
	_, err = svc.Authenticate(ctx, key.Reveal())
	require.ErrorIs(t, err, authtoken.ErrUserInactive)
}

func TestReadmePage(t *testing.T) {
	t.Parallel()
	svc, _ := newReadme(t)
	mux := http.NewServeMux()
	signedIn := func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn("7"), nil }

	page, err := tokenpage.New(svc, tokenpage.Config{Authenticate: signedIn, Application: "Shop"})
	mux.Handle("/account/tokens", page)

	require.NoError(t, err)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/account/tokens", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), ">deploy</bdi></a>")
}

func TestReadmeRotate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	svc, old := newReadme(t)

	token, key, err := svc.Rotate(ctx, "deploy", 10*time.Minute) // the old key stays good for 10 minutes

	require.NoError(t, err)
	require.False(t, token.RetiredUntil.IsZero())
	for _, key := range []string{old, key.Reveal()} {
		_, err := svc.Authenticate(ctx, key)
		require.NoError(t, err)
	}
	tokens, err := svc.Revoke(ctx, authtoken.Filter{User: "7"})
	require.NoError(t, err)
	require.Equal(t, []authtoken.Token{token}, tokens)
}

// It changes the default logger, so it is not for running beside others.
func TestReadmeConfigure(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	users, err := authtoken.NewUserList(authtoken.User{ID: "7", Username: "alice", Active: true})
	require.NoError(t, err)
	sealer, err := authtoken.NewAESSealer(make([]byte, 32))
	require.NoError(t, err)
	st := memory.New()

	svc, err := authtoken.New(st, authtoken.Config{
		Users:         users,
		Policy:        authtoken.Policy{DefaultLifetime: 24 * time.Hour, MaxLifetime: 90 * 24 * time.Hour, MaxTokens: 20},
		Sealer:        sealer, // from authtoken.NewAESSealer(secret), with 32 random bytes kept apart from the store
		Observer:      authtoken.LogObserver(slog.Default()),
		TrackLastUsed: true,   // to the minute
		CacheSize:     10_000, // changes by other processes are seen up to 5 seconds late
	})

	require.NoError(t, err)
	token, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "deploy", User: "7"})
	require.NoError(t, err)
	require.Equal(t, 24*time.Hour, token.Expires.Sub(token.Created))
	revealed, err := svc.Reveal(t.Context(), "deploy")
	require.NoError(t, err)
	require.Equal(t, key.Reveal(), revealed.Reveal())
	_, err = svc.Authenticate(t.Context(), "guessed")
	require.ErrorIs(t, err, authtoken.ErrRefused)
	require.Contains(t, log.String(), "token refused")
}

// usersTable is the application's own users.
type usersTable struct {
	db interface { // a database or a transaction
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}

func (d usersTable) User(ctx context.Context, id string) (authtoken.User, error) {
	var u authtoken.User
	err := d.db.QueryRowContext(ctx, `SELECT id, name, active, created FROM users WHERE id = ?`, id).
		Scan(&u.ID, &u.Username, &u.Active, &u.Created)
	if errors.Is(err, sql.ErrNoRows) {
		err = authtoken.ErrUserNotFound
	}
	return u, err
}

func TestReadmeUsers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "app.db"))
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT, active BOOLEAN, created TIMESTAMP);
		INSERT INTO users VALUES ('7', 'alice', TRUE, CURRENT_TIMESTAMP), ('build', 'build', TRUE, CURRENT_TIMESTAMP)`)
	require.NoError(t, err)
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: usersTable{db}})
	require.NoError(t, err)
	_, _, err = svc.Create(ctx, authtoken.CreateParams{Identifier: "nobody", User: "8"})
	require.ErrorContains(t, err, "user")

	build, err := usersTable{db}.User(ctx, "build")
	require.NoError(t, err)
	_, key, err := svc.Create(ctx, authtoken.CreateParams{
		Identifier: "build-2027", User: build.ID, Expires: time.Now().AddDate(1, 0, 0),
	})
	require.NoError(t, err)
	who, err := svc.Authenticate(ctx, key.Reveal())
	require.NoError(t, err)
	require.Equal(t, "build", who.User.Username)

	_, key, err = svc.Create(ctx, authtoken.CreateParams{Identifier: "mail", User: "7", Intent: authtoken.IntentAppPassword})
	require.NoError(t, err)
	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{
		Intents: []authtoken.Intent{authtoken.IntentAppPassword},
		Sources: []httpadapter.Source{httpadapter.FromBasic()},
	})
	require.NoError(t, err)
	inbox := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	status := func(username string) int {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/inbox", nil)
		r.SetBasicAuth(username, key.Reveal())
		w := httptest.NewRecorder()
		inbox.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, status("alice"))
	require.Equal(t, http.StatusUnauthorized, status("build"))
	_, err = db.Exec(`UPDATE users SET active = FALSE WHERE id = '7'`)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status("alice"))
}

func TestReadmeFake(t *testing.T) {
	t.Parallel()
	srv := authtokentest.NewServer(t) // at srv.URL; srv.Key is that of a superuser

	status := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/v3/core/tokens/test/", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+srv.Key)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		return answer.StatusCode
	}
	require.Equal(t, http.StatusOK, status())
	_, err := srv.Service.Update(t.Context(), "test", authtoken.UpdateParams{
		Expiring: new(true), Expires: new(srv.Clock.Now().Add(time.Hour)),
	})
	require.NoError(t, err)
	srv.Clock.Advance(time.Hour)
	require.Equal(t, http.StatusForbidden, status())
}
