package tokenpage_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/tokenpage"
)

func TestList(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{Application: "Shop", Home: "/start"})
	page := s.get(t, "alice", "")
	require.Contains(t, page, "<title>Access tokens – Shop</title>")
	require.Contains(t, page, `<header class="bar"><a href="/start">Shop</a></header>`)
	require.Contains(t, words(page), "No tokens yet Make one for each program or device, so that each can be revoked by itself.")
	require.NotContains(t, page, "<table")
	require.NotContains(t, page, `type="search"`, "nothing to search")

	_, used := s.make(t, authtoken.CreateParams{Identifier: "b", User: "2", Description: "for the build", Expires: s.clock.Now().Add(30 * day)})
	_, err := s.svc.Authenticate(t.Context(), used)
	require.NoError(t, err)
	require.NoError(t, s.svc.FlushLastUsed(t.Context()))
	_, _, err = s.svc.Rotate(t.Context(), "b", 2*time.Hour)
	require.NoError(t, err)
	s.make(t, authtoken.CreateParams{Identifier: "c", User: "2", Intent: authtoken.IntentAppPassword, Managed: "terraform", Expiring: new(false)})
	s.make(t, authtoken.CreateParams{Identifier: "a", User: "2", Expires: s.clock.Now().Add(-time.Hour)})
	s.make(t, authtoken.CreateParams{Identifier: "foreign", User: "3"})
	s.clock.Advance(5 * time.Minute)

	page = s.get(t, "alice", "")
	require.Equal(t, "Shop Access tokens New token A token lets a program act in your name. Treat its key like a password. "+
		"Search Newest Name "+
		"3 tokens, newest first. Times are in UTC. Token Expiry Last use "+
		"a Expired 65 minutes ago No recorded use Rotate Revoke "+
		"c App password Managed Never expires No recorded use Rotate Revoke "+
		"for the build b Expires in 30 days Old key still works for 115 minutes Used 5 minutes ago Rotate Revoke", words(page))
	require.Contains(t, page, `<time datetime="2030-01-15T12:00:00Z" title="15 January 2030, 12:00 UTC">Used 5 minutes ago</time>`)
	require.Contains(t, page, `<time datetime="2030-02-14T12:00:00Z" title="14 February 2030, 12:00 UTC">Expires in 30 days</time>`)
	require.Contains(t, page, `<a class="act" href="?do=rotate&amp;token=b">Rotate<span class="unseen"> the key of for the build</span></a>`)
	require.Contains(t, page, `<a class="name" href="?do=edit&amp;token=b"><bdi>for the build</bdi></a><span class="id"><span class="unseen">Identifier </span>b</span>`)
	require.NotContains(t, page, `<span class="id"><span class="unseen">Identifier </span>a</span>`, "it is the name")
	require.Contains(t, page, `placeholder="Name"`)

	found := words(s.get(t, "alice", "?search=BUILD"))
	require.Contains(t, found, "1 token matching “BUILD”, newest first.")
	require.NotContains(t, found, "Expired")
	require.Contains(t, words(s.get(t, "alice", "?search=foreign")), "No token matches “foreign”. Show all tokens")
}

// Tokens without a name of their own come first, in the order of their identifiers.
func TestListByName(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	for _, p := range []authtoken.CreateParams{
		{Identifier: "y", Description: "Laptop"},
		{Identifier: "a", Description: "Phone"},
		{Identifier: "c"},
		{Identifier: "x", Description: "Laptop"},
		{Identifier: "b"},
	} {
		p.User = "2"
		s.make(t, p)
	}
	page := s.get(t, "alice", "?sort=name")
	var shown []string
	for _, m := range regexp.MustCompile(`token=(\w)"><bdi>`).FindAllStringSubmatch(page, -1) {
		shown = append(shown, m[1])
	}
	require.Equal(t, []string{"b", "c", "x", "y", "a"}, shown)
	require.Contains(t, words(page), "5 tokens, by name. Times are in UTC.")
	require.Contains(t, page, `<a class="name" href="?do=edit&amp;sort=name&amp;token=b"`, "the way back is in each link")
	require.Contains(t, page, `<input type="hidden" name="sort" value="name">`, "a search keeps the order")
}

func TestSearchFaults(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	const bad = "The search has a character that can&#39;t be used. Enter the search again."
	for _, c := range []struct{ name, search, fault string }{
		{"long", strings.Repeat("a", 256), "Search for a shorter text, of up to 255 characters."},
		{"many words", "a b c d e f g h i", "Search for at most 8 words."},
		{"not text", "\xff", bad},
		{"null character", "\x00", bad},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := s.do(t, "alice", "GET", "?search="+url.QueryEscape(c.search), nil)
			require.Equal(t, http.StatusBadRequest, w.Code)
			require.Contains(t, w.Body.String(), `<ul><li><a href="#search">`+c.fault+`</a></li></ul>`)
			require.Regexp(t, `<input id="search" [^>]* aria-invalid="true">`, w.Body.String())
			require.NotContains(t, w.Body.String(), "<table")
		})
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	for i := range 41 {
		s.make(t, authtoken.CreateParams{Identifier: fmt.Sprintf("t%02d", i), User: "2"})
	}
	names := regexp.MustCompile(`<a class="name"[^>]*><bdi>(\w+)</bdi></a>`)
	on := func(t *testing.T, query string) (first, last string, n int, says string) {
		page := s.get(t, "alice", query)
		m := names.FindAllStringSubmatch(page, -1)
		return m[0][1], m[len(m)-1][1], len(m), page
	}
	first, last, n, page := on(t, "")
	require.Equal(t, []any{"t40", "t21", 20}, []any{first, last, n})
	require.Contains(t, words(page), "Page 1 of 3 Next")
	require.Contains(t, page, `<a class="button" rel="next" href="?page=2">Next</a>`)
	require.NotContains(t, page, "Previous")
	first, last, n, page = on(t, "?page=2&sort=name&search=t")
	require.Equal(t, []any{"t20", "t39", 20}, []any{first, last, n})
	require.Contains(t, page, `rel="prev" href="?search=t&amp;sort=name">Previous</a>`)
	require.Contains(t, page, `rel="next" href="?page=3&amp;search=t&amp;sort=name">Next</a>`)
	first, last, n, page = on(t, "?page=3")
	require.Equal(t, []any{"t00", "t00", 1}, []any{first, last, n})
	require.NotContains(t, page, "Next")
	for _, odd := range []string{"0", "-1", "x"} {
		t.Run(odd, func(t *testing.T) {
			t.Parallel()
			first, _, _, _ := on(t, "?page="+odd)
			require.Equal(t, "t40", first)
		})
	}

	w := s.do(t, "alice", "GET", "?page=99999999999999999999&sort=name", nil)
	s.requireDone(t, "alice", w, "?sort=name")

	// The last token of a page takes the page with it.
	w = s.post(t, "alice", "?do=revoke&page=3&token=t00")
	require.Equal(t, "?page=3", w.Header().Get("Location"))
	done := w.Result().Cookies()
	w = s.getWith(t, "alice", "?page=3", done...)
	require.Empty(t, w.Result().Cookies(), "it has not been said yet")
	s.requireDone(t, "alice", w, "?")
	says := says(t, s.getWith(t, "alice", "?", done...), http.StatusOK)
	require.Contains(t, says, "The token is revoked. Its key is refused from now on. ")
	require.Contains(t, says, "40 tokens")
}

func TestSuperuser(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	s.make(t, authtoken.CreateParams{Identifier: "hers", User: "2"})
	s.make(t, authtoken.CreateParams{Identifier: "his", User: "3"})
	says := words(s.get(t, "akadmin", ""))
	require.Contains(t, says, "All tokens of all users.")
	require.Contains(t, says, "2 tokens, newest first. Times are in UTC. Token Owner Expiry Last use "+
		"his Owned by bob Expires in 30 minutes No recorded use Rotate Revoke hers Owned by alice Expires in 30 minutes")
	says = words(s.get(t, "akadmin", "?search=alice"))
	require.Contains(t, says, "1 token matching “alice”")
	require.NotContains(t, says, "his")
	require.Contains(t, words(s.get(t, "akadmin", "?do=edit&token=hers")), "Owner alice Kind API access Expiry Expires in 30 minutes")

	// They act on everybody's.
	require.Contains(t, s.requireDone(t, "akadmin", s.post(t, "akadmin", "?do=edit&token=hers", "name", "Ours"), "?"), "Ours hers Owned by alice")
	require.Equal(t, "2", s.made(t, s.post(t, "akadmin", "?do=rotate&token=hers")).User)
	s.requireDone(t, "akadmin", s.post(t, "akadmin", "?do=revoke&token=hers"), "?")

	// Only they are offered that a token lives for ever.
	require.Contains(t, s.get(t, "akadmin", "?do=new"), `<option value="never">Never</option>`)
	require.NotContains(t, s.get(t, "alice", "?do=new"), "never")
	require.False(t, s.made(t, s.post(t, "akadmin", "?do=new", "name", "for ever", "expires", "never")).Expiring)
}

// A superuser who has signed in with a limited key sees and is offered what any user is.
func TestSuperuserWithALimitedKey(t *testing.T) {
	t.Parallel()
	policy := authtoken.Policy{Scopes: append([]authtoken.Scope{{Name: "tokens"}}, notes...), ManageScope: "tokens"}
	for name, c := range map[string]struct {
		scopes []string
		all    bool
	}{
		"limited":    {[]string{"notes:read", "tokens"}, false},
		"everything": {[]string{authtoken.ScopeAll}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeySite(t, policy, authtoken.CreateParams{Identifier: "acting", User: "1", Scopes: c.scopes, Expiring: new(false)})
			s.make(t, authtoken.CreateParams{Identifier: "hers", User: "2", Scopes: []string{"notes:read"}})
			s.make(t, authtoken.CreateParams{Identifier: "locked", User: "1", Scopes: []string{"notes:read"}, Expiring: new(false), Suspended: true})
			list := s.get(t, "", "")
			page := s.get(t, "", "?do=edit&token=locked")
			require.Equal(t, c.all, strings.Contains(list, "All tokens of all users."))
			require.Equal(t, c.all, strings.Contains(list, "hers"))
			require.Equal(t, c.all, strings.Contains(list, "Owned by"))
			require.Equal(t, c.all, strings.Contains(list, `placeholder="Name or owner"`))
			require.Equal(t, c.all, strings.Contains(page, "<dt>Owner</dt>"))

			// What is offered for a locked token is done, and the rest is refused.
			require.Equal(t, c.all, strings.Contains(list, `href="?do=revoke&amp;token=locked"`))
			require.Equal(t, c.all, strings.Contains(page, "<form method"))
			locked, err := s.svc.Get(t.Context(), "locked")
			require.NoError(t, err)
			status := http.StatusForbidden
			if c.all {
				status = http.StatusSeeOther
			}
			require.Equal(t, status, s.do(t, "", "POST", "?do=resume&token=locked", url.Values{"revision": {locked.Revision()}}).Code)
		})
	}
}

// What belongs to others can't be told from what is not there, by any way.
func TestOthersTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	foreign, key := s.make(t, authtoken.CreateParams{Identifier: "foreign", User: "3", Description: "secret plan", Expiring: new(false)})
	form := url.Values{
		"name": {"taken over"}, "overlap": {"0s"}, "revision": {foreign.Revision()}, "user": {"2"}, "token": {"foreign"},
	}
	for _, do := range []string{"edit", "rotate", "revoke"} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, change := range []string{"", "stale", "faulty"} {
				sent := url.Values{}
				for name, values := range form {
					sent[name] = values
				}
				switch change {
				case "stale":
					sent.Set("revision", "other")
				case "faulty":
					sent.Set("name", "")
					sent.Set("overlap", "-1h")
				}
				theirs := s.do(t, "alice", method, "?do="+do+"&token=foreign", sent)
				none := s.do(t, "alice", method, "?do="+do+"&token=nothing", sent)
				require.Equal(t, http.StatusNotFound, theirs.Code, "%s %s %s", method, do, change)
				require.Equal(t, none.Body.String(), theirs.Body.String())
				require.Equal(t, none.Header(), theirs.Header())
			}
		}
	}
	for _, query := range []string{"", "?search=foreign", "?search=bob", "?search=secret", "?sort=name", "?page=1&token=foreign", "?user=3", "?done=foreign"} {
		t.Run(query, func(t *testing.T) {
			page := s.get(t, "alice", query)
			require.NotContains(t, page, "secret plan")
			require.NotContains(t, page, `href="?do=edit`)
		})
	}
	// Owners are for superusers to name, and this page does not.
	made := s.made(t, s.do(t, "alice", "POST", "?do=new", url.Values{"name": {"new"}, "user": {"3"}, "owner": {"3"}, "managed": {"m"}}))
	require.Equal(t, "2", made.User)
	require.Empty(t, made.Managed)

	unchanged, err := s.svc.Get(t.Context(), "foreign")
	require.NoError(t, err)
	require.Equal(t, foreign, unchanged)
	_, err = s.svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
}

type brokenDirectory struct{ asked int }

func (d *brokenDirectory) User(_ context.Context, id string) (authtoken.User, error) {
	if id == "1" { // who is signed in
		return authtokentest.Users()[0], nil
	}
	d.asked++
	return authtoken.User{}, errors.New("directory down")
}

type batchDirectory struct{ batches [][]string }

func (d *batchDirectory) User(_ context.Context, id string) (authtoken.User, error) {
	return authtoken.User{ID: id, Active: true, Superuser: id == "1"}, nil
}

func (d *batchDirectory) Users(_ context.Context, ids []string) (map[string]authtoken.User, error) {
	d.batches = append(d.batches, slices.Clone(ids))
	users := make(map[string]authtoken.User)
	for _, id := range ids {
		users[id] = authtoken.User{ID: id, Username: fmt.Sprint("u", id)}
	}
	return users, nil
}

// The directory is asked once for a page.
func TestListAsksForOwnersOnce(t *testing.T) {
	t.Parallel()
	directory := new(batchDirectory)
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: directory})
	require.NoError(t, err)
	for i := range 25 {
		_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprintf("t%02d", i), User: fmt.Sprint(40 + i)})
		require.NoError(t, err)
	}
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	s.Handler, err = tokenpage.New(svc, tokenpage.Config{Authenticate: byHeader})
	require.NoError(t, err)
	require.Regexp(t, `t00 Owned by u40 .*t19 Owned by u59 `, words(s.get(t, "akadmin", "?sort=name")))
	require.Len(t, directory.batches, 1)
	require.Len(t, directory.batches[0], 20)
	s.get(t, "alice", "")
	require.Len(t, directory.batches, 1, "whose tokens they see, plain users know")
}

// A name that is too long for a heading or a link is cut there. Its token's pages show
// all of it, and all of its lines.
func TestLongNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, identifier, description string
		shown                         string // as the name
		full                          string // below it, if not all is shown; empty if it is
	}{
		{"as long as fits", "one", strings.Repeat("ä", 80), strings.Repeat("ä", 80), ""},
		{"longer", "one", strings.Repeat("ä", 81), strings.Repeat("ä", 79) + "…", strings.Repeat("ä", 81)},
		{"words", "one", strings.Repeat("nine long ", 12), strings.Repeat("nine long ", 7) + "nine long…", strings.TrimSpace(strings.Repeat("nine long ", 12))},
		{"lines", "one", "For the build\nand the release", "For the build and the release", "For the build\nand the release"},
		{"identifier", strings.Repeat("a", 81), "", strings.Repeat("a", 79) + "…", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			s.make(t, authtoken.CreateParams{Identifier: c.identifier, Description: c.description, User: "2"})
			list := s.get(t, "alice", "")
			require.Contains(t, list, `<bdi>`+c.shown+`</bdi></a><span class="id"><span class="unseen">Identifier </span>`+c.identifier+`</span>`)
			require.NotContains(t, list, c.shown+"…")
			for _, do := range []string{"edit", "rotate", "revoke"} {
				page := s.get(t, "alice", "?do="+do+"&token="+c.identifier)
				require.Regexp(t, `<h1>.*<bdi>`+c.shown+`</bdi>.*</h1>\n<span class="id"><span class="unseen">Identifier </span>`+c.identifier+`</span>`, page)
				require.Regexp(t, `<title>.*`+c.shown+`.*</title>`, page)
				if c.full == "" {
					require.NotContains(t, page, "Full name")
				} else {
					require.Contains(t, page, `<dt>Full name</dt><dd class="lines" dir="auto">`+c.full+`</dd>`)
				}
			}
			require.Equal(t, strings.Contains(c.description, "\n"), strings.Contains(s.get(t, "alice", "?do=edit&token="+c.identifier), "This name has several lines."))
		})
	}
}

// Users have IDs of any kind, and usernames or not.
func TestOwnersByOtherIDs(t *testing.T) {
	t.Parallel()
	const root = "0198c0de-7d5a-7c3e-9a51-3f0f6a3b1c01"
	users, err := authtoken.NewUserList(
		authtoken.User{ID: root, Username: "root", Active: true, Superuser: true},
		authtoken.User{ID: "0198c0de-8e21-7b44-8c6d-52a9d1e7f402", Username: "alice", Active: true},
		authtoken.User{ID: "0198c0de-93f7-7f19-b0e2-c4b86d05aa03", Active: true},
		authtoken.User{ID: "carol@example.com", Active: true},
		authtoken.User{ID: "<b>" + strings.Repeat("ü", 252), Active: true},
	)
	require.NoError(t, err)
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
	signedIn := func(r *http.Request) (authtoken.Principal, error) {
		return authtoken.SignedIn(r.Header.Get("User")), nil
	}
	page, err := tokenpage.New(svc, tokenpage.Config{Authenticate: signedIn})
	require.NoError(t, err)
	for _, c := range []struct{ name, id, owner string }{
		{"username", "0198c0de-8e21-7b44-8c6d-52a9d1e7f402", "alice"},
		{"UUID", "0198c0de-93f7-7f19-b0e2-c4b86d05aa03", "user 0198c0de-93f7-7f19-b0e2-c4b86d05aa03"},
		{"email", "carol@example.com", "user carol@example.com"},
		{"long", "<b>" + strings.Repeat("ü", 252), "user <b>" + strings.Repeat("ü", 252)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &site{Handler: page, svc: svc}
			made := s.made(t, s.post(t, c.id, "?do=new", "name", "Laptop of "+c.name))
			require.Equal(t, c.id, made.User)
			require.Contains(t, words(s.get(t, c.id, "")), "1 token, newest first.", "their own and no other")
			list := s.get(t, root, "?search="+url.QueryEscape(c.name))
			require.Contains(t, words(list), "Laptop of "+c.name+" "+made.Identifier+" Owned by "+c.owner+" Expires in ")
			require.Contains(t, words(s.get(t, root, "?do=edit&token="+made.Identifier)), "Owner "+c.owner+" Kind")
		})
	}
}

// The directory is done without if need be.
func TestOwners(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	st := memory.New()
	trusted, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	for i := range 4 {
		_, _, err := trusted.Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: fmt.Sprint(40 + i%2)})
		require.NoError(t, err)
	}
	directory := new(brokenDirectory)
	svc, err := authtoken.New(st, authtoken.Config{Users: directory})
	require.NoError(t, err)
	s.Handler, err = tokenpage.New(svc, tokenpage.Config{Authenticate: byHeader, Logger: slogTo(s.log)})
	require.NoError(t, err)
	says := words(s.get(t, "akadmin", "?sort=name"))
	require.Regexp(t, `t0 Owned by user 40 .*t1 Owned by user 41 .*t3 Owned by user 41 `, says)
	require.Equal(t, 1, directory.asked, "one that is down is not asked again for each row")
	require.Contains(t, s.log.String(), "directory down")

	_, err = trusted.Authenticate(t.Context(), keyIn(t, s.post(t, "akadmin", "?do=rotate&token=t0")))
	require.NoError(t, err, "the key is not lost")

	// A user may have no name, or be gone.
	users, err := authtoken.NewUserList(authtoken.User{ID: "40", Active: true}, authtokentest.Users()[0])
	require.NoError(t, err)
	svc, err = authtoken.New(st, authtoken.Config{Users: users})
	require.NoError(t, err)
	s.Handler, err = tokenpage.New(svc, tokenpage.Config{Authenticate: byHeader, Logger: slogTo(s.log)})
	require.NoError(t, err)
	require.Regexp(t, `t0 Owned by user 40 .*t1 Owned by user 41 `, words(s.get(t, "akadmin", "?sort=name")))
}
