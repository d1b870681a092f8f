package tokenpage_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/tokenpage"
)

const (
	saved   = "The token is saved."
	revoked = "The token is revoked. Its key is refused from now on."
)

// getWith requests a page with these cookies.
func (s *site) getWith(t *testing.T, user, query string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/account/tokens"+query, nil)
	r.Header.Set("User", user)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// A link can't make the page say that something has been done.
func TestNoNoticeFromLinks(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	for _, query := range []string{"?done=revoked", "?done=saved", "?done=revoked&token=one", "?tokenpage-done=revoked"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			page := s.get(t, "alice", query)
			require.NotContains(t, page, `role="status"`)
			require.NotContains(t, page, saved)
			require.NotContains(t, page, revoked)
		})
	}
}

// The list says once what was done.
func TestNotices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ do, says string }{{"edit", saved}, {"revoke", revoked}} {
		t.Run(c.do, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
			w := s.post(t, "alice", "?do="+c.do+"&token=one&sort=name")
			require.Equal(t, http.StatusSeeOther, w.Code)
			require.Equal(t, "?sort=name", w.Header().Get("Location"))
			cookies := w.Result().Cookies()
			require.Len(t, cookies, 1)
			require.True(t, cookies[0].HttpOnly)
			require.Equal(t, http.SameSiteStrictMode, cookies[0].SameSite)
			require.Equal(t, 60, cookies[0].MaxAge, "what nobody has asked for is soon no news")
			require.Empty(t, cookies[0].Path, "the page does not know what path a browser sees it at")

			w = s.getWith(t, "alice", "?sort=name", cookies...)
			require.Contains(t, w.Body.String(), `<p class="note good" role="status">`+c.says+`</p>`)
			require.Contains(t, w.Body.String(), "<title>"+c.says+" Access tokens</title>")
			gone := w.Result().Cookies()
			require.Len(t, gone, 1)
			require.Equal(t, cookies[0].Name, gone[0].Name)
			require.Equal(t, cookies[0].Path, gone[0].Path)
			require.Negative(t, gone[0].MaxAge)

			w = s.getWith(t, "alice", "?sort=name")
			require.NotContains(t, w.Body.String(), `role="status"`)
			require.Empty(t, w.Result().Cookies())
		})
	}

	// The list says nothing else.
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	w := s.do(t, "alice", "POST", "?do=revoke&token=one", url.Values{"revision": {"other"}})
	require.Equal(t, http.StatusConflict, w.Code)
	require.Empty(t, w.Result().Cookies())
	for _, value := range []string{"", "other", "<b>", "saved revoked"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			w := s.getWith(t, "alice", "", &http.Cookie{Name: "tokenpage-done", Value: value})
			require.Equal(t, http.StatusOK, w.Code)
			require.NotContains(t, w.Body.String(), `role="status"`)
		})
	}
}
