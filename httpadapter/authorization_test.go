package httpadapter_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

// The API and the guard read the header in the same way.
func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	const (
		missing     = "Authentication credentials were not provided."
		unsupported = "Unsupported authentication type"
		refused     = "Token invalid/expired"
	)
	a := newAPI(t, httpadapter.Config{})
	guard, err := httpadapter.RequireToken(a.svc, httpadapter.GuardConfig{})
	require.NoError(t, err)
	guarded := guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	key := a.keys["alice"]
	for _, c := range []struct {
		value  string
		detail string // of the API; empty if the key is accepted
	}{
		{"Bearer " + key, ""},
		{"bEARER " + key, ""},
		{"Bearer   " + key, ""},
		{" \tBearer " + key + "\t ", ""},
		{"", missing},
		{" ", missing},
		{"Bearer", missing},
		{"Bearer  ", missing},
		{"Basic", missing},
		{key, missing},
		{"Bearer\t" + key, missing},
		{"Bearer:" + key, missing},
		{"Basic YWxpY2U6eA==", unsupported},
		{"Bearerx " + key, unsupported},
		{"Bearer \t" + key, refused},
		{"Bearer " + key + "\u00a0", refused},
		{"Bearer " + key + " " + key, refused},
		{"Bearer " + key + ", Bearer " + key, refused},
		{"Bearer " + key + "," + key, refused},
	} {
		t.Run(c.value[:min(len(c.value), 10)], func(t *testing.T) {
			t.Parallel()
			api := withHeaders(t, a, tokens, "Authorization", c.value)
			own := withHeaders(t, guarded, "/", "Authorization", c.value)
			if c.detail == "" {
				require.Equal(t, http.StatusOK, api.Code, api.Body)
				require.Equal(t, http.StatusNoContent, own.Code, own.Body)
				return
			}
			requireAnswer(t, api, http.StatusForbidden, `{"detail":"`+c.detail+`"}`)
			challenge := `Bearer realm="api"`
			if c.detail == refused {
				challenge += `, error="invalid_token"`
			}
			require.Equal(t, http.StatusUnauthorized, own.Code)
			require.Equal(t, []string{challenge}, own.Header().Values("WWW-Authenticate"))
		})
	}
}

// A proxy must not be able to choose which of two headers counts.
func TestRepeatedAuthorization(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	cookie := newAPI(t, httpadapter.Config{Authenticate: func(*http.Request) (authtoken.Principal, error) {
		return authtoken.SignedIn("2"), nil
	}})
	guard, err := httpadapter.RequireToken(a.svc, httpadapter.GuardConfig{
		Realm:   "things",
		Sources: []httpadapter.Source{httpadapter.FromBearer(), httpadapter.FromBasic(), httpadapter.FromHeader("X-Api-Key")},
	})
	require.NoError(t, err)
	guarded := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") }))
	alice, bob := "Bearer "+a.keys["alice"], "Bearer "+a.keys["bob"]
	for name, values := range map[string][]string{
		"two keys":      {alice, bob},
		"the same":      {alice, alice},
		"good and bad":  {alice, "Bearer x"},
		"bad and good":  {"Bearer x", alice},
		"basic first":   {"Basic YWxpY2U6eA==", alice},
		"basic second":  {alice, "Basic YWxpY2U6eA=="},
		"empty first":   {"", alice},
		"empty second":  {alice, ""},
		"three":         {alice, alice, alice},
		"nothing twice": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, api := range []*api{a, cookie} {
				requireAnswer(t, withHeaders(t, api, tokens, "Authorization", values...), http.StatusForbidden, `{"detail":"Token invalid/expired"}`)
			}
			w := withHeaders(t, guarded, "/", "Authorization", values...)
			requireAnswer(t, w, http.StatusBadRequest, `{"detail":"The request has more than one Authorization header."}`)
			require.Equal(t, []string{`Bearer realm="things", error="invalid_request"`, `Basic realm="things"`}, w.Header().Values("WWW-Authenticate"))
		})
	}
	w := withHeaders(t, guarded, "/", "x-api-key", a.keys["alice"], a.keys["bob"])
	requireAnswer(t, w, http.StatusBadRequest, `{"detail":"The request has more than one X-Api-Key header."}`)
	w = withHeaders(t, guarded, "/", "x-api-key", strings.Repeat("a", 50), a.keys["alice"])
	require.Equal(t, http.StatusBadRequest, w.Code)

	// A source finds nothing in such a request, whoever calls it.
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	for _, value := range []string{alice, bob} {
		r.Header.Add("Authorization", value)
		r.Header.Add("X-Api-Key", value)
	}
	for _, source := range []httpadapter.Source{httpadapter.FromBearer(), httpadapter.FromBasic(), httpadapter.FromHeader("X-Api-Key")} {
		_, ok := source.Credentials(r)
		require.False(t, ok)
	}
	_, err = httpadapter.BearerPrincipal(a.svc, nil)(r)
	require.ErrorIs(t, err, authtoken.ErrRefused)
}

// A header that no source reads may occur any number of times.
func TestRepeatedOtherHeader(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, httpadapter.GuardConfig{})
	w := g.do(t, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+g.api)
		r.Header.Add("X-Api-Key", "a")
		r.Header.Add("X-Api-Key", "b")
	})
	require.Equal(t, http.StatusNoContent, w.Code)
}

// A password may contain colons, and a username may not (RFC 7617).
func TestBasicCredentials(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, httpadapter.GuardConfig{
		Intents: []authtoken.Intent{authtoken.IntentAppPassword}, Sources: []httpadapter.Source{httpadapter.FromBasic()}})
	good := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	basic("alice", g.appPassword)(good)
	_, encoded, _ := strings.Cut(good.Header.Get("Authorization"), " ")
	for value, challenge := range map[string]string{
		"Basic " + encoded:   "",
		"basic   " + encoded: "",
		"Basic !":            `Basic realm="api"`,
		"Basic YWxpY2U=":     `Basic realm="api"`, // no colon
		"Basic":              `Basic realm="api"`,
		"Basic\t" + encoded:  `Basic realm="api"`,
		"Bearer " + encoded:  `Basic realm="api"`,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			w := g.do(t, header("Authorization", value))
			if challenge == "" {
				require.Equal(t, http.StatusNoContent, w.Code)
				return
			}
			require.Equal(t, http.StatusUnauthorized, w.Code)
			require.Equal(t, []string{challenge}, w.Header().Values("WWW-Authenticate"))
		})
	}
}
