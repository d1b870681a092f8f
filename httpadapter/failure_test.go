package httpadapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

func TestOwnAuthenticator(t *testing.T) {
	t.Parallel()
	var failure error
	a := newAPI(t, httpadapter.Config{
		Logger: slog.New(slog.DiscardHandler),
		Authenticate: func(r *http.Request) (authtoken.Principal, error) {
			return authtoken.SignedIn(2), failure
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

type broken struct{ store.Store }

func (broken) Get(context.Context, string) (store.Record, error) {
	return store.Record{}, errors.New("disk on fire")
}

func TestFailuresAreLoggedAndNotShown(t *testing.T) {
	t.Parallel()
	svc, err := authtoken.New(broken{memory.New()}, authtoken.Config{})
	require.NoError(t, err)
	var log bytes.Buffer
	h, err := httpadapter.New(svc, httpadapter.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 1})
	require.NoError(t, err)
	a := &api{Handler: h, keys: map[string]string{"x": key.Reveal()}}
	requireAnswer(t, a.do(t, "x", "GET", tokens+"one/", ""), http.StatusInternalServerError, `{"detail":"Internal server error."}`)
	require.Contains(t, log.String(), "disk on fire")
	require.Contains(t, log.String(), "path="+tokens+"one/")
	require.NotContains(t, log.String(), key.Reveal())
}

type changeable struct {
	user authtoken.User
	err  error
}

func (c *changeable) User(_ context.Context, pk int64) (authtoken.User, error) {
	if pk == 1 {
		return authtoken.User{PK: 1, Active: true, Superuser: true}, nil
	}
	return c.user, c.err
}

func TestKeysAreNotLostToTheDirectory(t *testing.T) {
	t.Parallel()
	users := &changeable{user: authtoken.User{PK: 2, Active: true}}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	require.NoError(t, err)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 2})
	require.NoError(t, err)
	var log bytes.Buffer
	h, err := httpadapter.New(svc, httpadapter.Config{
		Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn(1), nil },
		Logger:       slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	a := &api{Handler: h}

	for name, broken := range map[string]*changeable{
		"directory down":   {err: errors.New("directory down")},
		"unsupported type": {user: authtoken.User{PK: 2, Active: true, Attributes: map[string]any{"f": func() {}}}},
	} {
		*users = *broken
		require.Equal(t, http.StatusInternalServerError, a.do(t, "", "GET", tokens+"one/", "").Code, name)
		w := a.do(t, "", "POST", tokens+"one/rotate/", "")
		require.Equal(t, http.StatusOK, w.Code, name)
		var rotated struct{ Key string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &rotated))
		require.Contains(t, log.String(), name)
		*users = changeable{user: authtoken.User{PK: 2, Active: true}}
		_, err = svc.Authenticate(t.Context(), rotated.Key)
		require.NoError(t, err, name)
	}
}

func TestAuthenticatorErrorsAreNotTheAPIs(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{
		authtoken.ErrNotFound, authtoken.ErrStale, &authtoken.ValidationError{Fields: []authtoken.FieldError{{Field: "x"}}},
	} {
		a := newAPI(t, httpadapter.Config{
			Logger:       slog.New(slog.DiscardHandler),
			Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn(2), failure },
		})
		require.Equal(t, http.StatusInternalServerError, a.do(t, "", "GET", tokens, "").Code, failure)
	}
	for _, nobody := range []authtoken.Principal{
		{}, {User: authtoken.User{PK: 1, Active: true, Superuser: true}},
		authtoken.SignedIn(0), authtoken.SignedIn(-1), authtoken.SignedIn(99),
	} {
		a := newAPI(t, httpadapter.Config{Authenticate: func(*http.Request) (authtoken.Principal, error) { return nobody, nil }})
		require.Equal(t, http.StatusForbidden, a.do(t, "", "POST", tokens, `{"identifier":"x"}`).Code)
	}
}
