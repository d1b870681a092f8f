package authtokentest_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
)

func get(t *testing.T, url, key string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var body map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
	return resp.StatusCode, body
}

func TestServer(t *testing.T) {
	t.Parallel()
	srv := authtokentest.NewServer(t)

	status, body := get(t, srv.URL+"/api/v3/core/tokens/test/", srv.Key)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "akadmin", body["user_obj"].(map[string]any)["username"])

	key := srv.KeyOf(t, "2")
	require.Equal(t, key, srv.KeyOf(t, "2"), "asking again makes no other token")
	status, _ = get(t, srv.URL+"/api/v3/core/tokens/test/", key)
	require.Equal(t, http.StatusNotFound, status, "alice sees none of the superuser's tokens")
	status, body = get(t, srv.URL+"/api/v3/core/tokens/test-2/view_key/", key)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, key, body["key"])

	srv.Clock.Advance(10 * 365 * 24 * time.Hour)
	status, _ = get(t, srv.URL+"/api/v3/core/tokens/test/", srv.Key)
	require.Equal(t, http.StatusOK, status, "the ready-made tokens never expire")
}

func TestServiceClock(t *testing.T) {
	t.Parallel()
	svc, clock := authtokentest.NewService(t, authtoken.Config{})
	token, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "ci", User: "7"})
	require.NoError(t, err)
	require.Equal(t, clock.Now().Add(30*time.Minute), token.Expires)

	clock.Set(token.Expires.Add(-time.Microsecond))
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.NoError(t, err)
	clock.Advance(time.Microsecond)
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.ErrorIs(t, err, authtoken.ErrKeyExpired)
}

// fatal is a testing.TB that records calls of Fatal instead of ending the test.
type fatal struct {
	testing.TB
	said bool
}

func (f *fatal) Fatal(...any)          { f.said = true; panic(f) }
func (f *fatal) Fatalf(string, ...any) { f.said = true; panic(f) }

func TestSetUpFailsLoudly(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(testing.TB){
		"no superuser": func(t testing.TB) { authtokentest.NewServer(t, httpadapter.Profile{ID: "1", Active: true}) },
		"same ID twice": func(t testing.TB) {
			u := httpadapter.Profile{ID: "1", Active: true, Superuser: true}
			authtokentest.NewServer(t, u, u)
		},
		"a clock of one's own": func(t testing.TB) {
			authtokentest.NewService(t, authtoken.Config{Now: time.Now})
		},
		"bad configuration": func(t testing.TB) {
			authtokentest.NewService(t, authtoken.Config{KeyPrefix: "no good"})
		},
		"unknown user": func(t testing.TB) {
			authtokentest.NewServer(t.(*fatal).TB).KeyOf(t, "99")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tb := &fatal{TB: t}
			func() {
				defer func() { _ = recover() }()
				f(tb)
			}()
			require.True(t, tb.said)
		})
	}
}
