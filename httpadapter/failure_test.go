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
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "1"})
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

func (c *changeable) User(_ context.Context, pk string) (authtoken.User, error) {
	if pk == "1" {
		return authtoken.User{ID: "1", Active: true, Superuser: true}, nil
	}
	return c.user, c.err
}

func TestKeysAreNotLostToTheDirectory(t *testing.T) {
	t.Parallel()
	down := errors.New("directory down")
	unsupported := httpadapter.Profile{Attributes: map[string]any{"f": func() {}}}
	user := authtoken.User{ID: "2", Active: true}
	for name, c := range map[string]struct {
		users    changeable
		profiles func(context.Context, []string) (map[string]httpadapter.Profile, error)
		number   func(context.Context, string) (int64, error)
		logged   string
	}{
		"directory down": {users: changeable{err: down}, logged: "directory down"},
		"profiles down": {
			users:    changeable{user: user},
			profiles: func(context.Context, []string) (map[string]httpadapter.Profile, error) { return nil, down },
			logged:   "directory down",
		},
		"unsupported type": {
			users: changeable{user: user},
			profiles: func(context.Context, []string) (map[string]httpadapter.Profile, error) {
				return map[string]httpadapter.Profile{"2": unsupported}, nil
			},
			logged: "unsupported type",
		},
		"numbers down": {
			users:  changeable{user: user},
			number: func(context.Context, string) (int64, error) { return 0, down },
			logged: "directory down",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := &changeable{user: user}
			svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
			require.NoError(t, err)
			_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "2"})
			require.NoError(t, err)
			var log bytes.Buffer
			cfg := httpadapter.Config{
				Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn("1"), nil },
				Logger:       slog.New(slog.NewTextHandler(&log, nil)),
				Profiles:     c.profiles,
			}
			if c.number != nil {
				cfg.UserNumber = c.number
				cfg.UserID = func(context.Context, int64) (string, error) { return "", down }
			}
			h, err := httpadapter.New(svc, cfg)
			require.NoError(t, err)
			a := &api{Handler: h}

			*users = c.users
			require.Equal(t, http.StatusInternalServerError, a.do(t, "", "GET", tokens+"one/", "").Code)
			w := a.do(t, "", "POST", tokens+"one/rotate/", "")
			require.Equal(t, http.StatusOK, w.Code)
			var rotated struct{ Key string }
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &rotated))
			require.Contains(t, log.String(), c.logged)
			*users = changeable{user: user}
			_, err = svc.Authenticate(t.Context(), rotated.Key)
			require.NoError(t, err)
		})
	}
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
