package tokenpage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/tokenpage"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := tokenpage.New(nil, tokenpage.Config{
		Intents:   []authtoken.Intent{"api", "none", "api"},
		Lifetimes: []time.Duration{time.Hour, 0},
	})
	require.EqualError(t, err, `tokenpage: service is nil
Config.Authenticate is nil
Config.Intents: "none" is not an intent, or occurs twice
Config.Intents: "api" is not an intent, or occurs twice
Config.Lifetimes: 0s is not positive`)
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	require.NoError(t, err)
	_, err = tokenpage.New(svc, tokenpage.Config{Authenticate: byHeader, Intents: []authtoken.Intent{}})
	require.EqualError(t, err, "tokenpage: Config.Intents is empty")
	_, err = tokenpage.New(svc, tokenpage.Config{Authenticate: byHeader})
	require.NoError(t, err)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	token, _ := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	form := url.Values{"revision": {token.Revision()}}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"list":       s.do(t, "alice", "GET", "", nil),
		"form":       s.do(t, "alice", "GET", "?do=new", nil),
		"token":      s.do(t, "alice", "GET", "?do=edit&token=one", nil),
		"faults":     s.do(t, "alice", "POST", "?do=new", nil),
		"redirect":   s.do(t, "alice", "POST", "?do=revoke&token=one", form),
		"key":        s.do(t, "alice", "POST", "?do=new", url.Values{"name": {"two"}}),
		"not found":  s.do(t, "alice", "GET", "?do=edit&token=none", nil),
		"method":     s.do(t, "alice", "PUT", "", nil),
		"signed out": s.do(t, "", "GET", "", nil),
		"broken":     s.do(t, "mallory", "GET", "", nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := w.Header()
			require.Equal(t, "no-store", h.Get("Cache-Control"))
			require.Equal(t, "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "+
				"base-uri 'none'; frame-ancestors 'none'", h.Get("Content-Security-Policy"))
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
			if w.Code != http.StatusSeeOther {
				require.Equal(t, "text/html; charset=utf-8", h.Get("Content-Type"))
				require.Contains(t, w.Body.String(), `<html lang="en">`)
				require.NotContains(t, w.Body.String(), "style=")
				require.NotRegexp(t, `<script[^>]*>[^<]|<style| on\w+=`, w.Body.String())
				require.Equal(t, 1, strings.Count(w.Body.String(), "<h1>"))
			}
		})
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	for query, allow := range map[string]string{
		"": "GET, HEAD", "?do=new": "GET, HEAD, POST", "?do=edit&token=one": "GET, HEAD, POST",
		"?do=rotate&token=one": "GET, HEAD, POST", "?do=revoke&token=one": "GET, HEAD, POST",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
				if method == "POST" && strings.HasSuffix(allow, method) {
					continue
				}
				w := s.do(t, "alice", method, query, nil)
				require.Equal(t, http.StatusMethodNotAllowed, w.Code, method)
				require.Equal(t, allow, w.Header().Get("Allow"))
			}
			require.Equal(t, http.StatusOK, s.do(t, "alice", "HEAD", query, nil).Code)
		})
	}
	require.Equal(t, http.StatusNotFound, s.do(t, "alice", "GET", "?do=reveal&token=one", nil).Code)
	require.Equal(t, http.StatusNotFound, s.do(t, "alice", "POST", "?do=x", nil).Code)
}

func TestWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	const (
		signedOut = "Sign in to see your tokens."
		failed    = "Your request could not be served."
	)
	for name, c := range map[string]struct {
		who    authtoken.Principal
		err    error
		status int
		says   string
	}{
		"nobody":       {status: http.StatusForbidden, says: signedOut},
		"user 0":       {who: authtoken.SignedIn("0"), status: http.StatusForbidden, says: signedOut},
		"negative":     {who: authtoken.SignedIn("-1"), status: http.StatusForbidden, says: signedOut},
		"unknown":      {who: authtoken.SignedIn("99"), status: http.StatusForbidden, says: signedOut},
		"made by hand": {who: authtoken.Principal{User: authtoken.User{ID: "1", Active: true, Superuser: true}}, status: http.StatusForbidden, says: signedOut},
		"inactive":     {who: authtoken.SignedIn(inactive.ID), status: http.StatusForbidden, says: "Your account is not active."},
		"refused":      {who: authtoken.SignedIn("2"), err: authtoken.ErrKeyExpired, status: http.StatusForbidden, says: signedOut},

		// What an authenticator's errors mean elsewhere, they do not mean here.
		"sessions down": {who: authtoken.SignedIn("2"), err: errors.New("sessions are down"), status: http.StatusInternalServerError, says: failed},
		"not found":     {who: authtoken.SignedIn("2"), err: authtoken.ErrNotFound, status: http.StatusInternalServerError, says: failed},
		"stale":         {who: authtoken.SignedIn("2"), err: authtoken.ErrStale, status: http.StatusInternalServerError, says: failed},
		"forbidden":     {who: authtoken.SignedIn("2"), err: authtoken.ErrForbidden, status: http.StatusInternalServerError, says: failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{
				Authenticate: func(*http.Request) (authtoken.Principal, error) { return c.who, c.err },
			})
			s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
			for _, request := range [][2]string{
				{"GET", ""}, {"GET", "?do=new"}, {"GET", "?do=edit&token=one"}, {"GET", "?do=nothing"}, {"POST", "?do=new"}, {"DELETE", ""},
			} {
				w := s.do(t, "", request[0], request[1], url.Values{"name": {"two"}})
				require.Equal(t, c.status, w.Code, request)
				require.Contains(t, w.Body.String(), c.says)
				require.NotContains(t, w.Body.String(), "one")
			}
			if c.status == http.StatusInternalServerError {
				require.Contains(t, s.log.String(), fmt.Sprintf("error=%q", c.err))
			} else {
				require.NotContains(t, s.log.String(), "request failed")
			}
		})
	}
}

// A key that was good when it was checked may have been refused since.
func TestSignedInWithAKeyThatIsRefusedLater(t *testing.T) {
	t.Parallel()
	var who authtoken.Principal
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{
		Authenticate: func(*http.Request) (authtoken.Principal, error) { return who, nil },
	})
	_, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	var err error
	who, err = s.svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, s.do(t, "", "GET", "", nil).Code)

	require.NoError(t, s.svc.Delete(t.Context(), "one"))
	s.clock.Advance(time.Minute)
	w := s.do(t, "", "GET", "", nil)
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Contains(t, w.Body.String(), "Sign in to see your tokens.")
	require.NotContains(t, s.log.String(), "request failed")
}

// Links and redirects lead to the same path, whatever it is.
func TestMountPoints(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/tokens", "/account/tokens/", "/deep/er/"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			token, _ := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
			mux := http.NewServeMux()
			mux.Handle("/tokens", s)
			mux.Handle("/account/tokens/", s)
			mux.Handle("/deep/", http.StripPrefix("/deep", http.StripPrefix("/er/", s)))
			server := httptest.NewServer(mux)
			defer server.Close()
			client := server.Client()
			var err error
			client.Jar, err = cookiejar.New(nil)
			require.NoError(t, err)
			request := func(method, query string, form url.Values) (*http.Response, string) {
				r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path+query, strings.NewReader(form.Encode()))
				require.NoError(t, err)
				r.Header.Set("User", "alice")
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				response, err := client.Do(r)
				require.NoError(t, err)
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				return response, string(body)
			}

			_, page := request("GET", "", nil)
			links := regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(page, -1)
			require.Len(t, links, 10)
			for _, link := range links {
				require.Regexp(t, `^\?`, link[1], "relative to the path that it is on")
			}
			response, body := request("POST", "?do=edit&token=one&search=o&sort=name", url.Values{"name": {"one"}, "revision": {token.Revision()}})
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Equal(t, server.URL+path+"?search=o&sort=name", response.Request.URL.String(), "where it was sent on to")
			require.Contains(t, words(body), "The token is saved.", "a cookie finds its way there too")
			_, body = request("GET", "", nil)
			require.NotContains(t, words(body), "The token is saved.")
			response, _ = request("HEAD", "?do=new", nil)
			require.Positive(t, response.ContentLength)
		})
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	page := s.get(t, "alice", "")
	for pattern, contentType := range map[string]string{
		`rel="stylesheet" href="(\?asset=style-[0-9a-f]{12}\.css)"`:          "text/css; charset=utf-8",
		`<script src="(\?asset=page-[0-9a-f]{12}\.js)" defer></script>`:      "text/javascript; charset=utf-8",
		`<link rel="icon" type="image/svg\+xml" href="(\?asset=icon-[^"]*)"`: "image/svg+xml",
	} {
		t.Run(contentType, func(t *testing.T) {
			t.Parallel()
			link := regexp.MustCompile(pattern).FindStringSubmatch(page)
			require.NotNil(t, link, page)
			w := s.do(t, "", "GET", link[1], nil) // to anybody
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, contentType, w.Header().Get("Content-Type"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			require.Equal(t, "private, max-age=31536000, immutable", w.Header().Get("Cache-Control"))
			require.NotEmpty(t, w.Body.String())
			require.NotRegexp(t, `https?://|url\(|@import`, strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", ""), "nothing from elsewhere")
			require.Equal(t, http.StatusOK, s.do(t, "", "HEAD", link[1], nil).Code)
			w = s.do(t, "", "POST", link[1], nil)
			require.Equal(t, http.StatusMethodNotAllowed, w.Code)
			require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		})
	}
	for _, name := range []string{"", "style.css", "style-000000000000.css", "../doc.go", "templates/list.html"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.do(t, "alice", "GET", "?asset="+name, nil)
			require.Equal(t, http.StatusNotFound, w.Code)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		})
	}
}

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	token, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Expiring: new(false)})
	send := func(t *testing.T, headers map[string]string, query, form string) int {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), "POST", "https://app.example/account/tokens"+query, strings.NewReader(form))
		r.Header.Set("User", "alice")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code == http.StatusForbidden {
			require.Contains(t, w.Body.String(), "This request came from another site, so nothing was done.")
		}
		return w.Code
	}
	revision := "revision=" + token.Revision()
	for name, headers := range map[string]map[string]string{
		"cross-site":          {"Sec-Fetch-Site": "cross-site"},
		"same-site":           {"Sec-Fetch-Site": "same-site"},
		"another origin":      {"Origin": "https://evil.example"},
		"origin that is like": {"Origin": "https://app.example.evil.example"},
		"no origin to name":   {"Origin": "null"},
		"both":                {"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, http.StatusForbidden, send(t, headers, "?do=new", "name=two"))
			require.Equal(t, http.StatusForbidden, send(t, headers, "?do=edit&token=one", "name=three&"+revision))
			require.Equal(t, http.StatusForbidden, send(t, headers, "?do=rotate&token=one", "overlap=0s&"+revision))
			require.Equal(t, http.StatusForbidden, send(t, headers, "?do=revoke&token=one", revision))
		})
	}
	page, err := s.svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
	require.NoError(t, err)
	require.Equal(t, []authtoken.Token{token}, page.Tokens, "nothing was done")
	_, err = s.svc.Authenticate(t.Context(), key)
	require.NoError(t, err)

	for name, headers := range map[string]map[string]string{
		"same-origin": {"Sec-Fetch-Site": "same-origin"},
		"nobody's":    {"Sec-Fetch-Site": "none"},
		"own origin":  {"Origin": "https://app.example"},
		"no headers":  {},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, http.StatusOK, send(t, headers, "?do=new", "name=four"))
		})
	}

	// Links from elsewhere are welcome.
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/?do=edit&token=one", nil)
	r.Header.Set("User", "alice")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code)
}

func TestForms(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{MaxTextLength: 10_000}, tokenpage.Config{})
	longest := url.Values{"name": {strings.Repeat("𝄞", 10_000)}}
	require.Equal(t, http.StatusOK, s.do(t, "alice", "POST", "?do=new", longest).Code)
	w := s.do(t, "alice", "POST", "?do=new", url.Values{"name": {strings.Repeat("a", 256<<10)}})
	require.Equal(t, "Too long What you have sent is too long. Access tokens", says(t, w, http.StatusRequestEntityTooLarge))

	for _, body := range []string{"name=%zz", "name=a;b"} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/?do=new", strings.NewReader(body))
			r.Header.Set("User", "alice")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			require.Contains(t, says(t, w, http.StatusBadRequest), "What you have sent can't be read.")
		})
	}
	// What is in the URL is not what was sent.
	w = s.do(t, "alice", "POST", "?do=new&name=from-url", nil)
	require.Contains(t, says(t, w, http.StatusBadRequest), "Enter a name.")
}

var errFire = errors.New("disk on fire")

type broken struct{ store.Store }

func (broken) Get(context.Context, string) (store.Record, error) { return store.Record{}, errFire }
func (broken) Count(context.Context, store.Query) (int, error)   { return 0, errFire }
func (broken) Create(context.Context, store.Record, int) error   { return errFire }

func TestFailuresAreLoggedAndNotShown(t *testing.T) {
	t.Parallel()
	svc, err := authtoken.New(broken{memory.New()}, authtoken.Config{})
	require.NoError(t, err)
	serve := func(ctx context.Context, t *testing.T, method, query string) (w *httptest.ResponseRecorder, log string) {
		t.Helper()
		var b bytes.Buffer
		page, err := tokenpage.New(svc, tokenpage.Config{Authenticate: byHeader, Logger: slogTo(&b)})
		require.NoError(t, err)
		r := httptest.NewRequestWithContext(ctx, method, "/here"+query, strings.NewReader("name=one"))
		r.Header.Set("User", "alice")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w = httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w, b.String()
	}
	for query, method := range map[string]string{"": "GET", "?do=edit&token=one": "GET", "?do=new": "POST"} {
		t.Run(method+" "+query, func(t *testing.T) {
			t.Parallel()
			w, log := serve(t.Context(), t, method, query)
			require.Equal(t, "Something went wrong Your request could not be served. Try again in a while. Access tokens",
				says(t, w, http.StatusInternalServerError))
			require.Contains(t, log, "disk on fire")
			require.Contains(t, log, "path=/here")
		})
	}

	// A client that has gone away is not worth a line in the log.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	r.Header.Set("User", "alice")
	s.ServeHTTP(httptest.NewRecorder(), r)
	require.Empty(t, s.log.String())
	_, log := serve(ctx, t, "GET", "")
	require.Contains(t, log, "disk on fire", "but this is")
}
