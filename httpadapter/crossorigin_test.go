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

// byCookie authenticates by the cookie "session", which has a username, or by a bearer
// token, as many applications do.
func byCookie(a **api) func(*http.Request) (authtoken.Principal, error) {
	return func(r *http.Request) (authtoken.Principal, error) {
		if cookie, err := r.Cookie("session"); err == nil && cookie.Value == "alice" {
			return authtoken.SignedIn("2"), nil
		}
		return httpadapter.BearerPrincipal((*a).svc, nil)(r)
	}
}

func newCookieAPI(t *testing.T, cfg httpadapter.Config) *api {
	t.Helper()
	var a *api
	cfg.Authenticate = byCookie(&a)
	a = newAPI(t, cfg)
	return a
}

// send sends a request like a browser that is signed in. Headers are pairs of a name and a
// value.
func (a *api) send(t *testing.T, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "https://app.example"+path, strings.NewReader(body))
	r.AddCookie(&http.Cookie{Name: "session", Value: "alice"})
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

var crossOrigin = map[string][]string{
	"another site":           {"Sec-Fetch-Site", "cross-site"},
	"a sibling":              {"Sec-Fetch-Site", "same-site"},
	"an old browser":         {"Origin", "https://evil.example"},
	"nobody":                 {"Origin", "null"},
	"a longer name":          {"Origin", "https://app.example.evil.example"},
	"says so only in part":   {"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example"},
	"with Basic":             {"Sec-Fetch-Site", "cross-site", "Authorization", "Basic YWxpY2U6eA=="},
	"with an empty Bearer":   {"Sec-Fetch-Site", "cross-site", "Authorization", "Bearer"},
	"with no scheme":         {"Sec-Fetch-Site", "cross-site", "Authorization", "key"},
	"with another's scheme":  {"Sec-Fetch-Site", "cross-site", "Authorization", "Digest x"},
	"with an empty header":   {"Sec-Fetch-Site", "cross-site", "Authorization", ""},
	"with a form":            {"Sec-Fetch-Site", "cross-site", "Content-Type", "application/x-www-form-urlencoded"},
	"with JSON":              {"Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"},
	"with a form, old":       {"Origin", "https://evil.example", "Content-Type", "text/plain"},
	"with a key elsewhere":   {"Sec-Fetch-Site", "cross-site", "X-Api-Key", "key"},
	"with a proxy's opinion": {"Sec-Fetch-Site", "cross-site", "X-Forwarded-Host", "evil.example"},
}

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	const item = tokens + "key-alice/"
	for name, headers := range crossOrigin {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newCookieAPI(t, httpadapter.Config{})
			before, err := a.svc.Get(t.Context(), "key-alice")
			require.NoError(t, err)
			for _, request := range [][3]string{
				{"POST", item + "rotate/", ""},
				{"POST", item + "rotate/", `{"overlap":0}`},
				{"POST", tokens, `{"identifier":"new"}`},
				{"POST", item + "set_key/", `{"key":"a-key-of-more-than-thirty-two-bytes"}`},
				{"PUT", item, `{"identifier":"new"}`},
				{"PATCH", item, `{"description":"new"}`},
				{"DELETE", item, ""},
				{"DELETE", tokens + "nothing/", ""},
				{"BREW", item, ""},
			} {
				w := a.send(t, request[0], request[1], request[2], headers...)
				requireAnswer(t, w, http.StatusForbidden, `{"detail":"This request came from another site, so nothing was done."}`)
			}
			after, err := a.svc.Get(t.Context(), "key-alice")
			require.NoError(t, err)
			require.Equal(t, before, after)
			_, err = a.svc.Authenticate(t.Context(), a.keys["alice"])
			require.NoError(t, err)

			// Reading changes nothing, and the other site can't see the answer.
			if !strings.HasPrefix(name, "with") {
				for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
					require.Equal(t, http.StatusOK, a.send(t, method, item, "", headers...).Code)
				}
			}
		})
	}
}

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]string{
		"a page of its own": {"Sec-Fetch-Site", "same-origin", "Origin", "https://app.example"},
		"an address typed":  {"Sec-Fetch-Site", "none"},
		"an old browser":    {"Origin", "https://app.example"},
		"no browser":        {},
		// A browser sends this to another site only if that site has agreed.
		"a key":               {"Sec-Fetch-Site", "cross-site", "Authorization", "Bearer <key>"},
		"a key, older":        {"Origin", "https://evil.example", "Authorization", "bearer  <key>"},
		"a form without body": {"Content-Type", "application/x-www-form-urlencoded"}, // as curl -d '' sends it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newCookieAPI(t, httpadapter.Config{})
			for i := range headers {
				headers[i] = strings.ReplaceAll(headers[i], "<key>", a.keys["alice"])
			}
			w := a.send(t, "POST", tokens+"key-alice/rotate/", "", append(headers, "User-Agent", "test")...)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
		})
	}
}

// The application may trust other origins.
func TestCrossOriginOfTheApplication(t *testing.T) {
	t.Parallel()
	protection := http.NewCrossOriginProtection()
	require.NoError(t, protection.AddTrustedOrigin("https://console.example"))
	a := newCookieAPI(t, httpadapter.Config{CrossOrigin: protection})
	for origin, status := range map[string]int{"https://console.example": http.StatusOK, "https://evil.example": http.StatusForbidden} {
		t.Run(origin, func(t *testing.T) {
			w := a.send(t, "POST", tokens+"key-alice/rotate/", "", "Sec-Fetch-Site", "cross-site", "Origin", origin)
			require.Equal(t, status, w.Code)
		})
	}
}

// Another site learns nothing, such as whether the user is signed in.
func TestCrossOriginComesFirst(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{Authenticate: func(*http.Request) (authtoken.Principal, error) {
		t.Error("asked who it was")
		return authtoken.Principal{}, nil
	}})
	w := a.send(t, "POST", tokens, `{}`, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, w.Code)
}
