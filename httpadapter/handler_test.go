package httpadapter_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

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

// broken is a store that fails to find anything but keys.
func TestNewReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := httpadapter.New(nil, httpadapter.Config{BasePath: "api", MaxBodyBytes: -1})
	for _, want := range []string{"service is nil", "Config.BasePath", "Config.MaxBodyBytes"} {
		require.ErrorContains(t, err, want)
	}
}

func TestOwnAuthenticator(t *testing.T) {
	t.Parallel()
	var failure error
	a := newAPI(t, httpadapter.Config{
		Logger: slog.New(slog.DiscardHandler),
		Authenticate: func(r *http.Request) (authtoken.Principal, error) {
			return authtoken.SignedIn("2"), failure
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

func TestAuthenticatorErrorsAreNotTheAPIs(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{
		authtoken.ErrNotFound, authtoken.ErrStale, &authtoken.ValidationError{Fields: []authtoken.FieldError{{Field: "x"}}},
	} {
		a := newAPI(t, httpadapter.Config{
			Logger:       slog.New(slog.DiscardHandler),
			Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn("2"), failure },
		})
		require.Equal(t, http.StatusInternalServerError, a.do(t, "", "GET", tokens, "").Code, failure)
	}
	for _, nobody := range []authtoken.Principal{
		{}, {User: authtoken.User{ID: "1", Active: true, Superuser: true}},
		authtoken.SignedIn("0"), authtoken.SignedIn("-1"), authtoken.SignedIn("99"),
	} {
		a := newAPI(t, httpadapter.Config{Authenticate: func(*http.Request) (authtoken.Principal, error) { return nobody, nil }})
		require.Equal(t, http.StatusForbidden, a.do(t, "", "POST", tokens, `{"identifier":"x"}`).Code)
	}
}
