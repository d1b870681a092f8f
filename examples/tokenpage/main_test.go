package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTokenpage(t *testing.T) {
	t.Parallel()
	app, err := newApp(t.Context())
	require.NoError(t, err)
	server := httptest.NewServer(app)
	defer server.Close()
	client := server.Client()
	client.Jar, err = cookiejar.New(nil)
	require.NoError(t, err)
	do := func(method, path string, form url.Values) (at, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := client.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		var b strings.Builder
		require.NoError(t, response.Write(&b))
		require.Equal(t, http.StatusOK, response.StatusCode, b.String())
		return response.Request.URL.Path, b.String()
	}

	at, body := do("GET", "/account/tokens", nil)
	require.Equal(t, "/", at, "nobody is signed in")
	require.Contains(t, body, `<button name="user" value="alice">`)

	at, body = do("POST", "/sign-in", url.Values{"user": {"alice"}})
	require.Equal(t, "/account/tokens", at)
	for _, says := range []string{
		"4 tokens", "Expires in 28 days", "Expires in 78 days", "Expires in 3 days", "Expired 10 days ago",
		"No recorded use", "Used 5 minutes ago", "Used 9 hours ago", "Used 21 days ago", "App password",
	} {
		require.Contains(t, body, says)
	}
	require.NotContains(t, body, "Bob’s script")
	_, body = do("POST", "/account/tokens?do=new", url.Values{"name": {"Müller's laptop"}})
	require.Contains(t, body, "tok_")

	_, body = do("POST", "/sign-in", url.Values{"user": {"root"}})
	require.Contains(t, body, "6 tokens")
	require.Contains(t, body, "Bob’s script")
	require.Regexp(t, `Müller&#39;s laptop</bdi></a><span class="id"><span class="unseen">Identifier </span>m-llers-laptop-\w{4}</span>`, body)

	at, _ = do("POST", "/sign-in", url.Values{"user": {"nobody"}})
	require.Equal(t, "/", at)
}
