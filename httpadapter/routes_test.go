package httpadapter_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/httpadapter"
)

func TestPaths(t *testing.T) {
	t.Parallel()
	for base, prefix := range map[string]string{
		"": "/api/v3", "/api/v3/": "/api/v3", "/": "", "/a b": "/a%20b", "/x/y": "/x/y",
	} {
		a := newAPI(t, httpadapter.Config{BasePath: base})
		for path, status := range map[string]int{
			prefix + "/core/tokens/":                        200,
			prefix + "//core/tokens/":                       200,
			prefix + "/core/tokens/key-alice/":              200,
			prefix + "//core/tokens/key-alice/":             200,
			prefix + "/core/tokens/key%2Dalice/":            200,
			prefix + "/core/tokens/key-alice/used_by/":      200,
			prefix + "/core/tokens/key-alice%2Fused_by/":    404, // no identifier has a slash in it
			prefix + "/core/tokens/nothing/":                404,
			prefix + "/core/tokens":                         404,
			prefix + "/core/tokens/key-alice":               404,
			prefix + "/core/tokens/key-alice/used_by":       404,
			prefix + "/core/tokens/key-alice/used_by/more/": 404,
			prefix + "/core/tokens/key-alice/other/":        404,
			prefix + "/core/tokens//":                       404,
			prefix + "/core/users/":                         404,
			prefix + "/":                                    404,
			"/other/core/tokens/":                           404,
			"/y" + prefix + "/core/tokens/":                 404,
		} {
			t.Run(base+" "+path, func(t *testing.T) {
				t.Parallel()
				w := a.do(t, "alice", "GET", path, "")
				require.Equal(t, status, w.Code, w.Body)
				require.True(t, json.Valid(w.Body.Bytes()))
			})
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for path, allow := range map[string]string{
		tokens:                         "GET, POST, HEAD, OPTIONS",
		tokens + "key-alice/":          "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
		tokens + "key-alice/view_key/": "GET, HEAD, OPTIONS",
		tokens + "key-alice/set_key/":  "POST, OPTIONS",
		tokens + "key-alice/used_by/":  "GET, HEAD, OPTIONS",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, httpadapter.Config{})
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"} {
				w := a.do(t, "alice", method, path, "", "If-Match", `"none"`)
				if strings.Contains(allow, method) {
					require.NotEqual(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, path)
					return
				}
				requireAnswer(t, w, http.StatusMethodNotAllowed, `{"detail":"Method \"`+method+`\" not allowed."}`)
				require.Equal(t, allow, w.Header().Get("Allow"))
				require.Equal(t, http.StatusForbidden, a.do(t, "", method, path, "").Code, "credentials come first")
			}
			w := a.do(t, "alice", "OPTIONS", path, "")
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, allow, w.Header().Get("Allow"))
			require.True(t, json.Valid(w.Body.Bytes()))
		})
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	server := httptest.NewServer(a)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), "HEAD", server.URL+tokens+"key-alice/", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+a.keys["alice"])
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, body)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.NotEmpty(t, resp.Header.Get("ETag"))
}

// authentik's paths have no identifiers with dots. It does not look for a token there.
func TestDotsInPaths(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for _, path := range []string{"a.b/", "a%2Eb/", "a.b/view_key/", ".x/", "nothing.json/"} {
		for _, as := range []string{"", "alice"} {
			t.Run(path+" as "+as, func(t *testing.T) {
				t.Parallel()
				requireAnswer(t, a.do(t, as, "GET", tokens+path, ""), http.StatusNotFound, `{"detail":"Not found."}`)
			})
		}
	}
}

// The format is checked before everything else.
func TestFormat(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for _, c := range []struct {
		method, path, query, as string
		status                  int
	}{
		{"GET", "", "format=x", "", http.StatusNotFound},
		{"GET", "", "format=x", "alice", http.StatusNotFound},
		{"GET", "", "format=JSON", "alice", http.StatusNotFound},
		{"GET", "", "format=json&f%6frmat=api", "alice", http.StatusNotFound},
		{"DELETE", "key-bob/", "format=x", "bob", http.StatusNotFound},
		{"BREW", "", "format=x", "bob", http.StatusNotFound},
		{"GET", "", "format=json", "", http.StatusForbidden},
		{"GET", "", "format=json", "alice", http.StatusOK},
		{"GET", "", "format=x&format=json", "alice", http.StatusOK},
		{"GET", "", "format=", "alice", http.StatusOK},
		{"GET", "", "formats=x", "alice", http.StatusOK},
	} {
		t.Run(c.method+" "+c.query+" as "+c.as, func(t *testing.T) {
			t.Parallel()
			w := a.do(t, c.as, c.method, tokens+c.path+"?"+c.query, "")
			require.Equal(t, c.status, w.Code, w.Body)
			if c.status == http.StatusNotFound {
				requireAnswer(t, w, http.StatusNotFound, `{"detail":"Not found."}`)
			}
		})
	}
	require.Equal(t, http.StatusOK, a.do(t, "bob", "GET", tokens+"key-bob/", "").Code, "nothing was done")
}
