package tokenpage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/tokenpage"
)

// Only the body of one answer has a key. No other answer has it, and neither has the log.
func TestKeysAreShownOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	_, first := s.make(t, authtoken.CreateParams{Identifier: "two", User: "2"})
	keys := []string{first}
	var seen strings.Builder
	for _, w := range []*httptest.ResponseRecorder{
		s.post(t, "alice", "?do=new", "name", "one"),
		s.post(t, "alice", "?do=rotate&token=two"),
		s.post(t, "alice", "?do=rotate&token=two", "overlap", "0s"),
	} {
		key := keyIn(t, w)
		require.Equal(t, 1, strings.Count(w.Body.String(), key))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		for _, before := range keys {
			require.NotContains(t, w.Body.String(), before)
		}
		keys = append(keys, key)
		fmt.Fprint(&seen, w.Header())
	}
	show := func(w *httptest.ResponseRecorder) { fmt.Fprint(&seen, w.Body, w.Header()) }
	for _, user := range []string{"alice", "akadmin"} {
		for _, query := range []string{"", "?do=edit&token=two", "?do=rotate&token=two", "?do=revoke&token=two", "?do=new", "?do=key&token=one"} {
			show(s.do(t, user, "GET", query, nil))
			show(s.do(t, user, "POST", query, url.Values{"identifier": {"two"}}))
		}
	}
	show(s.post(t, "alice", "?do=edit&token=two", "name", "new"))
	show(s.post(t, "alice", "?do=revoke&token=two"))
	require.Contains(t, s.log.String(), "token rotated")
	for _, key := range keys {
		require.NotContains(t, seen.String(), key)
		require.NotContains(t, s.log.String(), key)
	}
}

func TestHostileTexts(t *testing.T) {
	t.Parallel()
	const hostile = `</textarea></title><script>alert(1)</script>" onfocus="alert(2)" {{.}} '--><img src=x onerror=alert(3)>`
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{Application: hostile, Home: "javascript:alert(4)"})
	s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Description: hostile, Managed: hostile, Expiring: new(false)})
	_, key := s.make(t, authtoken.CreateParams{Identifier: "two", User: "2", Expiring: new(false)})
	_, err := s.svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: hostile})
	require.NoError(t, err)
	require.NoError(t, s.svc.FlushLastUsed(t.Context()))
	escaped := url.QueryEscape(hostile)
	form := url.Values{}
	for _, field := range []string{"name", "intent", "expires", "date", "overlap", "revision"} {
		form.Set(field, hostile)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"list":        s.do(t, "alice", "GET", "", nil),
		"search":      s.do(t, "alice", "GET", "?search="+escaped, nil),
		"everything":  s.do(t, "alice", "GET", "?sort="+escaped+"&page="+escaped+"&done="+escaped, nil),
		"token":       s.do(t, "alice", "GET", "?do=edit&token=one", nil),
		"used":        s.do(t, "alice", "GET", "?do=edit&token=two", nil),
		"revoke":      s.do(t, "alice", "GET", "?do=revoke&token=one&search="+escaped, nil),
		"new":         s.do(t, "alice", "POST", "?do=new", form),
		"edit":        s.do(t, "alice", "POST", "?do=edit&token=one", form),
		"stale":       s.do(t, "alice", "POST", "?do=edit&token=one", url.Values{"name": {hostile}}),
		"rotate":      s.do(t, "alice", "POST", "?do=rotate&token=one", form),
		"no token":    s.do(t, "alice", "GET", "?do=edit&token="+escaped, nil),
		"no page":     s.do(t, "alice", "GET", "?do="+escaped, nil),
		"superuser's": s.do(t, "akadmin", "GET", "", nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := w.Body.String()
			for _, bad := range []string{"<script>", "<img", `" onfocus`, "'-->", "</textarea></title>", "javascript:"} {
				require.NotContains(t, page, bad)
			}
			require.Equal(t, 1, strings.Count(page, "<script "))
			require.NotContains(t, fmt.Sprint(w.Header()), "alert")
		})
	}
	require.Contains(t, s.get(t, "alice", ""), "&lt;script&gt;alert(1)&lt;/script&gt;")

	// A link can't make the page say that something was done.
	page := s.get(t, "alice", "?done="+escaped+"&token=one")
	require.NotContains(t, page, `role="status"`)
	r := s.do(t, "alice", "GET", "?page=7&search=a%0d%0aSet-Cookie:x", nil)
	require.Equal(t, http.StatusSeeOther, r.Code)
	require.Equal(t, "?search=a%0D%0ASet-Cookie%3Ax", r.Header().Get("Location"))
}
