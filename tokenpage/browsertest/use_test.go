package browsertest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// press presses keys one after the other, and requires that what they lead to can
// be seen to have the focus.
func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		if key == kb.Enter {
			b.do(enter)
		} else {
			b.do(chromedp.KeyEvent(key))
		}
		if key == kb.Tab {
			require.True(b.t, eval[bool](b, `(() => {
				const seen = (e) => e && getComputedStyle(e).outlineStyle !== "none" && parseFloat(getComputedStyle(e).outlineWidth) >= 2;
				return seen(document.activeElement) || seen(document.activeElement.closest(".choice"));
			})()`), "%s has the focus, and can't be told", b.focused())
		}
	}
}

// enter presses Enter in one event, as a keyboard does. With the two that
// chromedp.KeyEvent makes of it, the second goes to where the first has led.
func enter(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		p := input.DispatchKeyEventParams{Type: kind, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13}
		if kind == input.DispatchKeyEventTypeKeyDown {
			p.Text = "\r"
		}
		if _, err = cdp.Call(ctx, target, input.DispatchKeyEvent, p); err != nil {
			break
		}
	}
	return none, err
}

// focused describes what has the focus.
func (b *tab) focused() string {
	b.t.Helper()
	return eval[string](b, `(() => { const e = document.activeElement ?? {className: "", textContent: ""};
		return e.id ? "#" + e.id : e.className.startsWith("note") ? "note" : e === document.body ? "" : e.textContent.trim(); })()`)
}

// requireFocus waits for what the page gives the focus as soon as it is drawn.
func (b *tab) requireFocus(want string) {
	b.t.Helper()
	require.EventuallyWithT(b.t, func(c *assert.CollectT) { require.Equal(c, want, b.focused()) }, 5*time.Second, 10*time.Millisecond)
}

// TestKeyboard makes, rotates and revokes a token with nothing but the keyboard.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := newTab(t, s.URL)
	b.goTo("/alice/tokens")
	b.press(kb.Tab)
	b.requireFocus("Example")
	b.press(kb.Tab)
	b.requireFocus("New token")
	b.leads(http.StatusOK, enter)
	b.press(kb.Tab, kb.Tab, kb.Tab)
	b.requireFocus("#name")
	b.leads(http.StatusBadRequest, enter)

	// The summary has the focus, and leads to what is wrong.
	b.requireFocus("note")
	b.press(kb.Tab)
	b.requireFocus("Enter a name.")
	b.press(kb.Enter)
	b.requireFocus("#name")
	b.press("Laptop", kb.Tab, kb.ArrowDown, kb.Tab)
	b.requireFocus("#expires")
	b.press("on a", kb.Tab) // the day, which is asked for now
	b.requireFocus("#date")
	b.press("12312030")
	require.Equal(t, "2030-12-31", eval[string](b, "document.activeElement.value"))
	b.leads(http.StatusOK, enter)

	b.requireFocus("#key")
	selected := eval[string](b, "document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)")
	token, err := s.svc.Authenticate(t.Context(), selected, authtoken.IntentAppPassword)
	require.NoError(t, err, "all of the key is selected")
	require.Equal(t, "Laptop", token.Token.Description)
	require.Equal(t, time.Date(2030, 12, 31, 23, 59, 59, 0, time.UTC), token.Token.Expires)
	b.press(kb.Tab)
	b.requireFocus("#copy")
	b.press(kb.Tab)
	b.requireFocus("Done")
	b.leads(http.StatusOK, enter)

	b.press(kb.Tab, kb.Tab, kb.Tab, kb.Tab, kb.Tab, kb.Tab, kb.Tab)
	b.requireFocus("Laptop")
	b.press(kb.Tab, kb.Tab)
	b.requireFocus("Revoke Laptop")
	b.leads(http.StatusOK, enter)
	b.press(kb.Tab, kb.Tab, kb.Tab)
	b.requireFocus("Revoke token")
	b.leads(http.StatusOK, enter)
	require.Equal(t, "The token is revoked. Its key is refused from now on.", b.text("[role=status]"))
	_, err = s.svc.Get(t.Context(), token.Token.Identifier)
	require.ErrorIs(t, err, authtoken.ErrNotFound)
}

// TestWithoutScripts does everything there is to do in a browser that runs none.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := newTab(t, s.URL)
	b.withoutScripts()
	b.goTo("/alice/tokens")
	b.click(200, ".head .primary")
	require.Equal(t, "none", eval[string](b, `getComputedStyle(document.querySelector(".date")).display`))
	b.do(chromedp.SetValue(chromedp.CSS("#expires"), "date"))
	require.Equal(t, "block", eval[string](b, `getComputedStyle(document.querySelector(".date")).display`))
	b.click(400, "form .primary")
	b.requireFocus("note")
	b.write("#name", "laptop")
	b.do(chromedp.SetValue(chromedp.CSS("#expires"), "24h0m0s"))
	b.click(200, "form .primary")
	first := run(b, chromedp.Value(chromedp.CSS("#key")))
	b.requireFocus("#key")
	require.True(t, eval[bool](b, `document.getElementById("copy").checkVisibility() === false`), "a button that does nothing")

	b.click(200, ".ends a")
	b.click(200, ".name")
	b.write("#name", "desktop")
	b.click(200, "form .primary")
	require.Equal(t, "The token is saved.", b.text("[role=status]"))
	b.click(200, ".act:first-child")
	b.do(chromedp.Click(chromedp.CSS(`[name=overlap][value="0s"]`)))
	b.click(200, "form .primary")
	second := run(b, chromedp.Value(chromedp.CSS("#key")))
	_, err := s.svc.Authenticate(t.Context(), first)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	_, err = s.svc.Authenticate(t.Context(), second)
	require.NoError(t, err)
	b.click(200, ".ends a")
	b.write("#search", "DESK")
	b.click(200, ".search .button")
	b.click(200, ".act.danger")
	b.click(200, "form .primary")
	require.Contains(t, b.text("main"), "No token matches “DESK”.", "back where it was")
	_, err = s.svc.Authenticate(t.Context(), second)
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
}

// TestCopy copies a key, over HTTPS as it were (a loopback address counts) and
// over plain HTTP, where there is no clipboard for scripts, and where forms come
// with an Origin but without Sec-Fetch-Site.
func TestCopy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(at.Host)
	require.NoError(t, err)
	b := newTab(t, "", chromedp.Flag("host-resolver-rules", "MAP tokens.test 127.0.0.1"))
	for _, permission := range []string{"clipboard-read", "clipboard-write"} {
		_, err = chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: permission}, Setting: browser.PermissionSettingGranted,
		})
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		url    string
		secure bool
	}{
		"loopback": {s.URL, true},
		"plain":    {"http://tokens.test:" + port, false},
	} {
		b.goTo(c.url + "/alice/tokens?do=new")
		require.Equal(t, c.secure, eval[bool](b, "isSecureContext"))
		b.write("#name", name)
		b.click(200, "form .primary")
		key := run(b, chromedp.Value(chromedp.CSS("#key")))
		b.do(chromedp.Click(chromedp.CSS("#copy")), chromedp.WaitVisible(chromedp.CSS("#copied:not(:empty)")))
		require.Equal(t, "Copied.", b.text("#copied"), name)

		// The clipboard is looked at from where it may be.
		b.goTo(s.URL + "/alice/tokens")
		require.Equal(t, key, eval[string](b, "navigator.clipboard.readText()"), name)
		eval[any](b, `navigator.clipboard.writeText("").then(() => null)`)
	}
}

// TestSentTwice sends a form that leads to a key twice before the answer is there:
// that to the second would hide the key in the first.
func TestSentTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fill(t)
	s.hold = make(chan struct{})
	release := sync.OnceFunc(func() { close(s.hold) })
	t.Cleanup(release) // before the server waits for what it has not answered
	b := newTab(t, s.URL)
	b.goTo("/alice/tokens?do=rotate&token=deploy")
	b.leads(http.StatusOK, func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		defer release()
		_, err = chromedp.Evaluate[any](`new Promise(done => {
			const form = document.querySelector("form[method=post]");
			form.requestSubmit();
			setTimeout(() => { form.requestSubmit(); setTimeout(() => done(null), 100); }, 100);
		})`, chromedp.EvalAwaitPromise)(ctx, target)
		return none, err
	})
	_, err := s.svc.Authenticate(t.Context(), run(b, chromedp.Value(chromedp.CSS("#key"))))
	require.NoError(t, err)
	require.EqualValues(t, 1, s.posts.Load())
}

// TestFromAnotherOrigin has another site send forms to the page, and show it in a
// frame.
func TestFromAnotherOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fill(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/frame" {
			fmt.Fprintf(w, `<link rel="icon" href="data:,"><iframe src="%s/alice/tokens"></iframe>`, s.URL)
			return
		}
		fmt.Fprintf(w, `<link rel="icon" href="data:,"><form method="post" action="%s/alice/tokens?do=new"><input name="name" value="evil"><button>Win a prize</button></form>`, s.URL)
	}))
	defer evil.Close()
	b := newTab(t, evil.URL)
	b.goTo("/form")
	b.click(http.StatusForbidden, "button")
	require.Contains(t, b.text("main"), "This request came from another site, so nothing was done.")
	found, err := s.svc.Page(t.Context(), authtoken.Filter{Description: "evil"}, 1, 1)
	require.NoError(t, err)
	require.Zero(t, found.Count)

	b.goTo("/frame")
	b.expect(`frame-ancestors 'none'`)
}
