package browsertest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	axeVersion = "4.14.1"
	axeSHA512  = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axe returns the source of axe-core, as npm has it.
func axe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "npm", "pack", "--silent", "--ignore-scripts", "axe-core@"+axeVersion)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, "axe-core can't be had from npm: %v %s", err, bytes.TrimSpace(out))
	}
	packed, err := os.ReadFile(filepath.Join(dir, "axe-core-"+axeVersion+".tgz"))
	require.NoError(t, err)
	sum := sha512.Sum512(packed)
	require.Equal(t, axeSHA512, base64.StdEncoding.EncodeToString(sum[:]), "this is another axe-core")
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		require.False(t, errors.Is(err, io.EOF), "no axe.min.js in it")
		require.NoError(t, err)
		if header.Name == "package/axe.min.js" {
			source, err := io.ReadAll(r)
			require.NoError(t, err)
			return string(source)
		}
	}
}

// states are all that there is to see on the page, as ways to get there.
var states = []struct {
	name string
	lead func(t *testing.T, s *site, b *tab)
}{
	{"nothing to list", func(_ *testing.T, _ *site, b *tab) { b.goTo("/empty/tokens") }},
	{"list", func(_ *testing.T, _ *site, b *tab) { b.goTo("/alice/tokens") }},
	{"list of something done", func(_ *testing.T, _ *site, b *tab) {
		b.goTo("/alice/tokens?do=edit&token=mail-client&sort=name")
		b.click(200, "form .primary")
	}},
	{"superuser's list", func(_ *testing.T, _ *site, b *tab) { b.goTo("/akadmin/tokens?page=2&search=a") }},
	{"superuser's list of all sorts", func(_ *testing.T, _ *site, b *tab) { b.goTo("/akadmin/tokens?page=3") }},
	{"long texts", func(_ *testing.T, _ *site, b *tab) { b.goTo("/akadmin/tokens?search=wide") }},
	{"long texts of a token", func(_ *testing.T, _ *site, b *tab) {
		b.goTo("/akadmin/tokens?do=edit&token=" + strings.Repeat("W", 255))
	}},
	{"several lines", func(_ *testing.T, _ *site, b *tab) { b.goTo("/akadmin/tokens?do=edit&token=lines") }},
	{"nothing found", func(_ *testing.T, _ *site, b *tab) { b.goTo("/akadmin/tokens?search=nowhere") }},
	{"new", func(_ *testing.T, _ *site, b *tab) { b.goTo("/alice/tokens?do=new") }},
	{"faults", func(_ *testing.T, _ *site, b *tab) {
		b.goTo("/alice/tokens?do=new")
		b.do(chromedp.SetValue(chromedp.CSS("#expires"), "date"))
		b.click(400, "form .primary")
	}},
	{"token", func(_ *testing.T, _ *site, b *tab) { b.goTo("/akadmin/tokens?do=edit&token=nightly-backup") }},
	{"changed meanwhile", func(t *testing.T, s *site, b *tab) {
		b.goTo("/alice/tokens?do=edit&token=deploy")
		_, _, err := s.svc.Rotate(t.Context(), "deploy", 0)
		require.NoError(t, err)
		b.click(409, "form .primary")
	}},
	{"rotate", func(_ *testing.T, _ *site, b *tab) { b.goTo("/alice/tokens?do=rotate&token=nightly-backup") }},
	{"key", func(_ *testing.T, _ *site, b *tab) {
		b.goTo("/alice/tokens?do=rotate&token=old-laptop")
		b.click(200, "form .primary")
	}},
	{"revoke", func(_ *testing.T, _ *site, b *tab) { b.goTo("/alice/tokens?do=revoke&token=mail-client") }},
	{"limited tokens", func(_ *testing.T, _ *site, b *tab) { b.goTo("/limited/tokens") }},
	{"limits to choose", func(_ *testing.T, _ *site, b *tab) { b.goTo("/limited/tokens?do=new") }},
	{"limits not chosen", func(_ *testing.T, _ *site, b *tab) {
		b.goTo("/limited/tokens?do=new")
		b.do(chromedp.SetValue(chromedp.CSS("#networks"), "home"))
		b.click(400, "form .primary")
	}},
	{"limited token", func(_ *testing.T, _ *site, b *tab) { b.goTo("/limited/tokens?do=edit&token=reports") }},
	{"token for elsewhere", func(_ *testing.T, _ *site, b *tab) { b.goTo("/limited/tokens?do=edit&token=office") }},
	{"locked token", func(_ *testing.T, _ *site, b *tab) { b.goTo("/limited/tokens?do=edit&token=locked") }},
	{"not found", func(_ *testing.T, _ *site, b *tab) {
		b.leads(404, chromedp.Navigate(b.base+"/alice/tokens?do=edit&token=none"))
	}},
}

// TestAccessible has axe-core look at everything there is to see, on two screens and
// in both schemes. Nothing is wider than any screen either.
func TestAccessible(t *testing.T) {
	t.Parallel()
	chromium(t)
	source := axe(t)
	s := newSite(t)
	s.fill(t)
	s.crowd(t)
	b := newTab(t, s.URL)
	for _, state := range states {
		b.look(desktop, light)
		state.lead(t, s, b)
		run(b, chromedp.Evaluate[any](source+";null"))
		for _, on := range []screen{tablet, narrow, desktop, phone} {
			b.look(on, light)
			assert.LessOrEqual(t, eval[int64](b, "document.documentElement.scrollWidth"), on.width, "%s, %s", state.name, on.name)
		}
		for _, on := range []screen{desktop, phone} {
			for _, scheme := range []string{light, dark} {
				b.look(on, scheme)
				violations := eval[[]json.RawMessage](b, `axe.run(document, {
					runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
				}).then(r => [...r.violations, ...r.incomplete].map(v => ({id: v.id, help: v.help, where: v.nodes.map(n => n.html + " " + n.failureSummary)})))`)
				for _, v := range violations {
					t.Errorf("%s, %s, %s: %s", state.name, on.name, scheme, v)
				}
			}
		}
	}
}

// TestTableOnAPhone looks for the table where it does not look like one.
func TestTableOnAPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fill(t)
	b := newTab(t, s.URL)
	b.look(phone, light)
	b.goTo("/akadmin/tokens")
	require.Equal(t, "block", eval[string](b, `getComputedStyle(document.querySelector("tbody td")).display`))
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	require.NoError(t, err)
	names := map[string][]string{} // by role
	for _, n := range tree.Nodes {
		if !n.Ignored && n.Role != nil {
			name := ""
			if n.Name != nil {
				require.NoError(t, json.Unmarshal(n.Name.Value, &name))
			}
			role := ""
			require.NoError(t, json.Unmarshal(n.Role.Value, &role))
			names[role] = append(names[role], name)
		}
	}
	require.Equal(t, []string{"7 tokens, newest first. Times are in UTC."}, names["table"])
	require.Equal(t, []string{"Token", "Owner", "Expiry", "Last use", "Actions"}, names["columnheader"])
	require.Len(t, names["row"], 1+7)
	require.Len(t, names["rowheader"], 7)
	require.Contains(t, names["rowheader"], "Build and release Identifier deploy")
	require.Len(t, names["cell"], 7*4)
	require.Contains(t, names["link"], "Rotate the key of Build and release")
	require.Contains(t, names["link"], "Revoke Build and release")
}
