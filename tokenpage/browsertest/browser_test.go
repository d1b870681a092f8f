package browsertest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/tokenpage"
)

// missing skips the test for want of something, or fails it if that is required.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("AUTHTOKEN_BROWSER_REQUIRED") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func chromium(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "there is no Chromium in the PATH, under any of the names %s", strings.Join(names, ", "))
	return ""
}

// nameless is the ID of a user without a username.
const nameless = "0198c0de-93f7-7f19-b0e2-c4b86d05aa03"

// site is a server with the page of each user at /<username>/tokens.
type site struct {
	*httptest.Server
	svc   *authtoken.Service
	clock *authtokentest.Clock

	posts atomic.Int64  // how many came in
	hold  chan struct{} // keeps them until it is closed; nil for not at all
}

func newSite(t *testing.T) *site {
	t.Helper()
	people := append(authtokentest.Users(),
		authtoken.User{ID: "4", Username: "empty", Active: true},
		authtoken.User{ID: nameless, Active: true},
		authtoken.User{ID: strings.Repeat("W", 255), Active: true},
	)
	users, err := authtoken.NewUserList(people...)
	require.NoError(t, err)
	svc, clock := authtokentest.NewService(t, authtoken.Config{
		Users: users, TrackLastUsed: true, Policy: authtoken.Policy{DefaultLifetime: 30 * 24 * time.Hour},
	})
	clock.Set(time.Date(2030, time.March, 14, 9, 26, 0, 0, time.UTC))
	s := &site{svc: svc, clock: clock}
	mux := http.NewServeMux()
	for _, u := range people[:4] {
		page, err := tokenpage.New(svc, tokenpage.Config{
			Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn(u.ID), nil },
			Application:  "Example",
		})
		require.NoError(t, err)
		mux.Handle("/"+u.Username+"/tokens", page)
	}
	mux.Handle("/limited/tokens", limited(t, users, clock))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			s.posts.Add(1)
			if s.hold != nil {
				<-s.hold
			}
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// limited returns a page for alice over a service with scopes. It has tokens that are
// limited, suspended or locked.
func limited(t *testing.T, users authtoken.Directory, clock *authtokentest.Clock) http.Handler {
	t.Helper()
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users, Now: clock.Now, Policy: authtoken.Policy{
		DefaultLifetime: 30 * 24 * time.Hour,
		Scopes: []authtoken.Scope{
			{Name: "reports:read", Title: "Read reports"},
			{Name: "reports:write", Title: "Write reports", Implies: []string{"reports:read"}},
			{Name: "files:read", Title: "Read files"},
		},
	}})
	require.NoError(t, err)
	for _, p := range []authtoken.CreateParams{
		{Identifier: "reports", Description: "Weekly figures", Scopes: []string{"reports:read", "files:read"}},
		{Identifier: "office", Description: "From the office only", Scopes: []string{"*"}, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		{Identifier: "locked", Description: "Seen in a public repository", Scopes: []string{"*"}, Suspended: true},
	} {
		p.User = "2"
		_, _, err := svc.Create(t.Context(), p)
		require.NoError(t, err)
	}
	_, err = svc.As("2").Update(t.Context(), "reports", authtoken.UpdateParams{Suspended: new(true)})
	require.NoError(t, err)
	_, _, err = svc.Rotate(t.Context(), "office", time.Hour)
	require.NoError(t, err)
	page, err := tokenpage.New(svc, tokenpage.Config{
		Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn("2"), nil }, Application: "Example",
	})
	require.NoError(t, err)
	return page
}

// fill gives the site tokens of all sorts.
func (s *site) fill(t *testing.T) {
	t.Helper()
	const day = 24 * time.Hour
	now := s.clock.Now()
	for _, c := range []struct {
		user, name       string
		identifier       string
		intent           authtoken.Intent
		managed          string
		madeAgo, usedAgo time.Duration
		lives            time.Duration // zero is for ever
	}{
		{"3", "", "staging", "", "", 200 * day, 30 * day, 0},
		{"2", "Old laptop, replaced in spring", "old-laptop", "", "", 40 * day, 21 * day, 30 * day},
		{nameless, "Weekly figures", "weekly-figures-k2vd", "", "", 35 * day, 2 * day, 90 * day},
		{"2", "Mail on the new laptop", "mail-client", authtoken.IntentAppPassword, "", 30 * day, 5 * time.Minute, 33 * day},
		{"1", "", "monitoring", "", "terraform", 20 * day, 40 * time.Second, 365 * day},
		{"2", "Nightly backup of the file server", "nightly-backup", "", "", 12 * day, 6 * time.Hour, 90 * day},
		{"2", "Build and release", "deploy", "", "", 2 * day, 0, 30 * day},
	} {
		s.clock.Set(now.Add(-c.madeAgo))
		p := authtoken.CreateParams{
			Identifier: c.identifier, Description: c.name, Intent: c.intent, Managed: c.managed, User: c.user, Expires: s.clock.Now().Add(c.lives),
		}
		if c.lives == 0 {
			p.Expiring = new(false)
		}
		_, key, err := s.svc.Create(t.Context(), p)
		require.NoError(t, err)
		if c.usedAgo > 0 {
			s.clock.Set(now.Add(-c.usedAgo))
			_, err := s.svc.Authenticate(t.Context(), key.Reveal(), authtoken.Intents()...)
			require.NoError(t, err)
		}
	}
	s.clock.Set(now)
	require.NoError(t, s.svc.FlushLastUsed(t.Context()))
	_, _, err := s.svc.Rotate(t.Context(), "nightly-backup", time.Hour)
	require.NoError(t, err)
}

// crowd gives the site so many more that a list has several pages, and one whose
// texts are as long as can be.
func (s *site) crowd(t *testing.T) {
	t.Helper()
	_, _, err := s.svc.Create(t.Context(), authtoken.CreateParams{
		Identifier: strings.Repeat("W", 255), Description: strings.Repeat("wide", 250), User: strings.Repeat("W", 255),
		Managed: strings.Repeat("m", 1000), Intent: authtoken.IntentAppPassword,
	})
	require.NoError(t, err)
	_, _, err = s.svc.Create(t.Context(), authtoken.CreateParams{
		Identifier: "lines", Description: "Mirror of the archive\nKey in /etc/mirror\nAsk the people on the third floor before you revoke it", User: "3",
	})
	require.NoError(t, err)
	for i := range 45 {
		_, _, err := s.svc.Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprintf("machine-%02d", i), User: "3"})
		require.NoError(t, err)
	}
}

// tab is a tab of a browser.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string // where the paths are that go is told

	mu       sync.Mutex
	messages []string // of the console
}

// newTab returns a tab of a new browser. Whatever the console says in it, such as
// what the policy of the page has prevented, fails the test.
func newTab(t *testing.T, base string, flags ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, flags...)...)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeTab()
		stop()
	})
	require.NoError(t, chromedp.Do(ctx), "start the browser")
	limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)

	// Several browsers at once would take the focus from each other.
	_, err := chromedp.Call(limited, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	require.NoError(t, err)

	b := &tab{t: t, ctx: limited, base: base}
	messages := chromedp.Console(limited)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			// A form that is refused is worth an entry to the browser.
			if strings.Contains(m.Text, "the server responded with a status of 4") && !strings.Contains(m.URL, "asset=") {
				continue
			}
			b.mu.Lock()
			b.messages = append(b.messages, fmt.Sprint(m.Type, ": ", m.Text, " ", m.URL))
			b.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		require.Empty(t, b.messages, "in the console")
	})
	b.look(desktop, light)
	return b
}

// expect waits for a message in the console, which is none to complain about then.
func (b *tab) expect(text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		i := slices.IndexFunc(b.messages, func(m string) bool { return strings.Contains(m, text) })
		if i >= 0 {
			b.messages = slices.Delete(b.messages, i, i+1)
		}
		return i >= 0
	}, 10*time.Second, 10*time.Millisecond, text)
}

// do runs steps in the tab.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...))
}

// run runs a step that returns something.
func run[T any](b *tab, a chromedp.Action[T]) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, a)
	require.NoError(b.t, err)
	return v
}

// eval returns what an expression comes to in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	return run(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// leads runs steps that lead to another page, and requires that page's status.
func (b *tab) leads(status int, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	response, err := chromedp.RunResponse(b.ctx, steps...)
	require.NoError(b.t, err)
	require.EqualValues(b.t, status, response.Status)
}

func (b *tab) goTo(path string) { b.t.Helper(); b.leads(http.StatusOK, chromedp.Navigate(b.base+path)) }

func (b *tab) click(status int, selector string) {
	b.t.Helper()
	b.leads(status, chromedp.Click(chromedp.CSS(selector)))
}

func (b *tab) write(selector, text string) {
	b.t.Helper()
	b.do(chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

func (b *tab) text(selector string) string {
	b.t.Helper()
	return run(b, chromedp.Text(chromedp.CSS(selector)))
}

type screen struct {
	name          string
	width, height int64
	scale         float64
	mobile        bool
}

var (
	desktop = screen{"desktop", 1200, 800, 1, false}
	tablet  = screen{"tablet", 868, 1024, 1, true} // just wide enough for a table
	phone   = screen{"phone", 390, 844, 2, true}
	narrow  = screen{"narrow", 320, 568, 2, true}
)

const light, dark = "light", "dark"

// look sets what the page is seen on.
func (b *tab) look(s screen, scheme string) {
	b.t.Helper()
	options := []chromedp.EmulateViewportOption{chromedp.EmulateScale(s.scale)}
	if s.mobile {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	b.do(chromedp.EmulateViewport(s.width, s.height, options...))
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"}, // nothing is caught half-way
	}})
	require.NoError(b.t, err)
}

// withoutScripts keeps the page from running any, from the next page on.
func (b *tab) withoutScripts() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(b.t, err)
}
