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

func TestNewReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := httpadapter.New(nil, httpadapter.Config{BasePath: "api", MaxBodyBytes: -1})
	for _, want := range []string{"service is nil", "Config.BasePath", "Config.MaxBodyBytes"} {
		require.ErrorContains(t, err, want)
	}
}

func TestOwnAuthenticator(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{Authenticate: func(*http.Request) (authtoken.Principal, error) {
		return authtoken.SignedIn("2"), nil
	}})
	require.Equal(t, http.StatusOK, a.do(t, "", "GET", tokens+"key-alice/", "").Code)
	require.Equal(t, http.StatusNotFound, a.do(t, "", "GET", tokens+"key-bob/", "").Code)
}

func TestAuthenticatorErrors(t *testing.T) {
	t.Parallel()
	const failed = `{"detail":"Internal server error."}`
	for _, c := range []struct {
		err    error
		status int
		want   string
	}{
		{httpadapter.ErrNoCredentials, http.StatusForbidden, `{"detail":"Authentication credentials were not provided."}`},
		{httpadapter.ErrUnsupportedScheme, http.StatusForbidden, `{"detail":"Unsupported authentication type"}`},
		{authtoken.ErrUserInactive, http.StatusForbidden, `{"detail":"Token invalid/expired"}`},
		{errors.New("directory down"), http.StatusInternalServerError, failed},
		// What these mean elsewhere, they do not mean here.
		{authtoken.ErrNotFound, http.StatusInternalServerError, failed},
		{authtoken.ErrStale, http.StatusInternalServerError, failed},
		{&authtoken.ValidationError{Fields: []authtoken.FieldError{{Field: "x"}}}, http.StatusInternalServerError, failed},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, httpadapter.Config{
				Logger:       slog.New(slog.DiscardHandler),
				Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn("2"), c.err },
			})
			requireAnswer(t, a.do(t, "", "GET", tokens, ""), c.status, c.want)
		})
	}
}

func TestPrincipalsWhoAreNobody(t *testing.T) {
	t.Parallel()
	for name, nobody := range map[string]authtoken.Principal{
		"zero":           {},
		"made by hand":   {User: authtoken.User{ID: "1", Active: true, Superuser: true}},
		"user 0":         authtoken.SignedIn("0"),
		"negative":       authtoken.SignedIn("-1"),
		"unknown":        authtoken.SignedIn("99"),
		"an empty ID":    authtoken.SignedIn(""),
		"a leading zero": authtoken.SignedIn("01"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, httpadapter.Config{Authenticate: func(*http.Request) (authtoken.Principal, error) { return nobody, nil }})
			require.Equal(t, http.StatusForbidden, a.do(t, "", "POST", tokens, `{"identifier":"x"}`).Code)
		})
	}
}
