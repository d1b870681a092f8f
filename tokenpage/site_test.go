package tokenpage_test

import (
	"bytes"
	"errors"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/tokenpage"
)

const day = 24 * time.Hour

// inactive is a user of each site, in addition to authtokentest.Users.
var inactive = authtoken.User{ID: "4", Username: "carol", Superuser: true}

// site is a page with its service. The header "User" of a request has the username of its
// sender.
type site struct {
	http.Handler
	svc   *authtoken.Service
	clock *authtokentest.Clock
	log   *bytes.Buffer
}

func newSite(t *testing.T, policy authtoken.Policy, cfg tokenpage.Config) *site {
	t.Helper()
	users, err := authtoken.NewUserList(append(authtokentest.Users(), inactive)...)
	require.NoError(t, err)
	s := &site{log: new(bytes.Buffer)}
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.svc, s.clock = authtokentest.NewService(t, authtoken.Config{
		Users: users, Policy: policy, TrackLastUsed: true, Observer: authtoken.LogObserver(logger),
	})
	s.clock.Set(time.Date(2030, time.January, 15, 12, 0, 0, 0, time.UTC))
	if cfg.Authenticate == nil {
		cfg.Authenticate = byHeader
	}
	cfg.Logger = logger
	s.Handler, err = tokenpage.New(s.svc, cfg)
	require.NoError(t, err)
	return s
}

// newKeySite is newSite for a user who signs in with the key of a token.
func newKeySite(t *testing.T, policy authtoken.Policy, p authtoken.CreateParams) *site {
	t.Helper()
	var who authtoken.Principal
	s := newSite(t, policy, tokenpage.Config{
		Authenticate: func(*http.Request) (authtoken.Principal, error) { return who, nil },
	})
	_, key := s.make(t, p)
	var err error
	who, err = s.svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	return s
}

func byHeader(r *http.Request) (authtoken.Principal, error) {
	for _, u := range authtokentest.Users() {
		if u.Username == r.Header.Get("User") {
			return authtoken.SignedIn(u.ID), nil
		}
	}
	if r.Header.Get("User") != "" {
		return authtoken.Principal{}, errors.New("sessions are down")
	}
	return authtoken.Principal{}, nil
}

// make makes a token and returns it with its key.
func (s *site) make(t *testing.T, p authtoken.CreateParams) (authtoken.Token, string) {
	t.Helper()
	token, key, err := s.svc.Create(t.Context(), p)
	require.NoError(t, err)
	return token, key.Reveal()
}

func (s *site) do(t *testing.T, user, method, query string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/account/tokens"+query, strings.NewReader(form.Encode()))
	r.Header.Set("User", user)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// get returns a page. The status must be 200.
func (s *site) get(t *testing.T, user, query string) string {
	t.Helper()
	w := s.do(t, user, "GET", query, nil)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	return w.Body.String()
}

// post gets the form at query, fills it in, and sends it, as a browser does. fill has pairs
// of a name and a value.
func (s *site) post(t *testing.T, user, query string, fill ...string) *httptest.ResponseRecorder {
	t.Helper()
	form := fields(s.get(t, user, query))
	for i := 0; i < len(fill); i += 2 {
		form.Set(fill[i], fill[i+1])
	}
	return s.do(t, user, "POST", query, form)
}

var (
	inputs    = regexp.MustCompile(`<input ([^>]*)>`)
	areas     = regexp.MustCompile(`(?s)<textarea [^>]*name="(\w+)"[^>]*>(.*?)</textarea>`)
	selects   = regexp.MustCompile(`(?s)<select [^>]*name="(\w+)".*?</select>`)
	options   = regexp.MustCompile(`<option value="([^"]*)"( selected)?>([^<]*)`)
	attribute = regexp.MustCompile(`(\w+)="([^"]*)"`)
	posted    = regexp.MustCompile(`(?s)<form method="post".*</form>`)
)

// fields returns the values of the form on a page.
func fields(page string) url.Values {
	page = posted.FindString(page)
	form := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(page, -1) {
		attributes := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(m[1], -1) {
			attributes[a[1]] = html.UnescapeString(a[2])
		}
		switch checked := strings.HasSuffix(m[1], " checked"); attributes["type"] {
		case "checkbox":
			if checked {
				form.Add(attributes["name"], attributes["value"])
			}
		case "radio":
			if checked {
				form.Set(attributes["name"], attributes["value"])
			}
		default:
			form.Set(attributes["name"], attributes["value"])
		}
	}
	for _, m := range areas.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for _, m := range selects.FindAllStringSubmatch(page, -1) {
		for i, o := range options.FindAllStringSubmatch(m[0], -1) {
			if i == 0 || o[2] != "" {
				form.Set(m[1], o[1])
			}
		}
	}
	return form
}

var (
	inline   = regexp.MustCompile(`</?bdi>`)
	comments = regexp.MustCompile(`(?s)<head>.*?</head>|<(span|label)[^>]*class="unseen">.*?</(span|label)>`)
	tags     = regexp.MustCompile(`<[^>]*>`)
)

// words returns the text of a page, on one line.
func words(page string) string {
	page = tags.ReplaceAllString(comments.ReplaceAllString(inline.ReplaceAllString(page, ""), " "), " ")
	page = strings.Join(strings.Fields(html.UnescapeString(page)), " ")
	return strings.NewReplacer("( ", "(", " )", ")", " .", ".").Replace(page)
}

// says returns the text of an answer, which must have this status.
func says(t *testing.T, w *httptest.ResponseRecorder, status int) string {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body)
	return words(w.Body.String())
}

var shownKey = regexp.MustCompile(`<textarea id="key"[^>]*>([^<]*)</textarea>`)

// keyIn returns the key that an answer shows.
func keyIn(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	m := shownKey.FindStringSubmatch(w.Body.String())
	require.NotNil(t, m, w.Body)
	return m[1]
}

// made returns the token whose key an answer shows.
func (s *site) made(t *testing.T, w *httptest.ResponseRecorder) authtoken.Token {
	t.Helper()
	who, err := s.svc.Authenticate(t.Context(), keyIn(t, w), authtoken.Intents()...)
	require.NoError(t, err)
	return who.Token
}

// requireDone requires that the answer redirects to a list, and returns the text of the
// list.
func (s *site) requireDone(t *testing.T, user string, w *httptest.ResponseRecorder, location string) string {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	require.Equal(t, location, w.Header().Get("Location"))
	require.Empty(t, w.Body)
	return says(t, s.getWith(t, user, location, w.Result().Cookies()...), http.StatusOK)
}

func slogTo(w *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
