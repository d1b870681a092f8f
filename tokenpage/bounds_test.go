package tokenpage_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/tokenpage"
)

// notes is the catalogue of an application with notes.
var notes = []authtoken.Scope{
	{Name: "notes:read", Title: "Read notes"},
	{Name: "notes:write", Title: "Write notes", Implies: []string{"notes:read"}},
	{Name: "notes:purge", Title: "Delete all notes", Superuser: true},
}

// What a token that is made on the page may do.
func TestChooseScopes(t *testing.T) {
	t.Parallel()
	limit := authtoken.Policy{Scopes: notes, MustLimit: true}
	for name, c := range map[string]struct {
		policy authtoken.Policy
		user   string
		form   url.Values
		want   authtoken.Scopes
		fault  string
	}{
		"no catalogue":        {authtoken.Policy{}, "alice", url.Values{}, "*", ""},
		"nothing chosen":      {authtoken.Policy{Scopes: notes}, "alice", url.Values{}, "", "Choose what the token may do."},
		"some, and none":      {authtoken.Policy{Scopes: notes}, "alice", url.Values{"access": {"some"}}, "", "Choose what the token may do."},
		"something else":      {authtoken.Policy{Scopes: notes}, "alice", url.Values{"access": {"x"}}, "", "Choose what the token may do."},
		"scopes alone":        {authtoken.Policy{Scopes: notes}, "alice", url.Values{"scope": {"notes:read"}}, "", "Choose what the token may do."},
		"everything":          {authtoken.Policy{Scopes: notes}, "alice", url.Values{"access": {"all"}, "scope": {"notes:read"}}, "*", ""},
		"one":                 {authtoken.Policy{Scopes: notes}, "alice", url.Values{"access": {"some"}, "scope": {"notes:read"}}, "notes:read", ""},
		"two":                 {authtoken.Policy{Scopes: notes}, "alice", url.Values{"access": {"some"}, "scope": {"notes:read", "notes:write"}}, "notes:read notes:write", ""},
		"default":             {authtoken.Policy{Scopes: notes, DefaultScopes: []string{"*"}}, "alice", url.Values{}, "", "Choose what the token may do."},
		"superusers'":         {authtoken.Policy{Scopes: notes}, "alice", url.Values{"access": {"some"}, "scope": {"notes:purge"}}, "", "You can't make a token that may do this. Choose less."},
		"a superuser's":       {authtoken.Policy{Scopes: notes}, "akadmin", url.Values{"access": {"some"}, "scope": {"notes:purge"}}, "notes:purge", ""},
		"unknown":             {authtoken.Policy{Scopes: notes}, "alice", url.Values{"access": {"some"}, "scope": {"x"}}, "", "The token can't be limited to this. Choose again."},
		"all as a scope":      {authtoken.Policy{Scopes: notes}, "alice", url.Values{"access": {"some"}, "scope": {"*", "notes:read"}}, "", "Choose everything, or some things."},
		"must limit":          {limit, "alice", url.Values{"access": {"all"}}, "", "You can't make a token that may do this. Choose less."},
		"must limit, limited": {limit, "alice", url.Values{"access": {"some"}, "scope": {"notes:read"}}, "notes:read", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.policy, tokenpage.Config{})
			c.form.Set("name", "one")
			w := s.do(t, c.user, "POST", "?do=new", c.form)
			if c.fault != "" {
				require.Contains(t, says(t, w, http.StatusBadRequest), c.fault)
				require.Contains(t, w.Body.String(), `href="#access"`)
				return
			}
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Equal(t, c.want, s.made(t, w).Scopes)
		})
	}
}

// What the form offers, and to whom.
func TestScopesOffered(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{Scopes: notes}, tokenpage.Config{})
	page := words(s.get(t, "alice", "?do=new"))
	require.Contains(t, page, "What it may do Everything that you may do Choose less if you can. Only this: Read notes Write notes Where")
	require.Contains(t, words(s.get(t, "akadmin", "?do=new")), "Write notes Delete all notes Where")
	require.NotContains(t, words(newSite(t, authtoken.Policy{}, tokenpage.Config{}).get(t, "alice", "?do=new")), "What it may do")
	limit := words(newSite(t, authtoken.Policy{Scopes: notes, MustLimit: true}, tokenpage.Config{}).get(t, "alice", "?do=new"))
	require.NotContains(t, limit, "Everything")
}

// Each user can choose what there is for them. Where there is nothing, they are not asked.
func TestScopesForSuperusersOnly(t *testing.T) {
	t.Parallel()
	purge := []authtoken.Scope{{Name: "notes:purge", Title: "Delete all notes", Superuser: true}}
	for name, c := range map[string]struct {
		policy authtoken.Policy
		user   string
		says   string
		want   authtoken.Scopes
		fault  string
	}{
		"default": {authtoken.Policy{Scopes: purge, DefaultScopes: []string{"*"}}, "alice",
			"What it may do Everything that you may do Where", "*", ""},
		"no default": {authtoken.Policy{Scopes: purge}, "alice",
			"What it may do Everything that you may do Where", "*", ""},
		"a superuser": {authtoken.Policy{Scopes: purge}, "akadmin",
			"What it may do Everything that you may do Choose less if you can. Only this: Delete all notes Where", "", "Choose what the token may do."},
		"nothing to choose": {authtoken.Policy{Scopes: purge, MustLimit: true}, "alice",
			"until that day ends, in UTC. Where it may be used", "", "Choose what the token may do."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.policy, tokenpage.Config{})
			require.Contains(t, words(s.get(t, c.user, "?do=new")), c.says)
			w := s.post(t, c.user, "?do=new", "name", "one")
			if c.fault == "" {
				require.Equal(t, c.want, s.made(t, w).Scopes)
				w = s.do(t, c.user, "POST", "?do=new", url.Values{"name": {"two"}})
				c.fault = "Choose what the token may do."
			}
			require.Contains(t, says(t, w, http.StatusBadRequest), c.fault)
			page := w.Body.String()
			require.Equal(t, strings.Contains(page, `id="access"`), strings.Contains(page, `href="#access"`), "a link leads somewhere")
		})
	}
}

// The page about a token has the same choice.
func TestEditWithScopesForSuperusersOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{Scopes: notes[2:], DefaultScopes: []string{"*"}}, tokenpage.Config{})
	s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	s.requireDone(t, "alice", s.post(t, "alice", "?do=edit&token=one", "name", "new"), "?")
	after, err := s.svc.Get(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, []any{"new", authtoken.Scopes("*")}, []any{after.Description, after.Scopes})
}

// A superuser who has signed in with a limited key is offered no more than the service
// takes.
func TestOfferedToALimitedKey(t *testing.T) {
	t.Parallel()
	policy := authtoken.Policy{Scopes: append([]authtoken.Scope{{Name: "tokens"}}, notes...), ManageScope: "tokens", MustLimit: true}
	for name, c := range map[string]struct {
		scopes []string
		all    bool
	}{
		"limited":    {[]string{"notes:purge", "tokens"}, false},
		"everything": {[]string{authtoken.ScopeAll}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeySite(t, policy, authtoken.CreateParams{Identifier: "acting", User: "1", Scopes: c.scopes, Expiring: new(false)})
			page := s.get(t, "", "?do=new")
			for choice, form := range map[string]url.Values{
				`name="access" value="all"`:        {"access": {"all"}},
				`name="scope" value="notes:purge"`: {"access": {"some"}, "scope": {"notes:purge"}},
				`<option value="never">`:           {"access": {"some"}, "scope": {"tokens"}, "expires": {"never"}},
			} {
				form.Set("name", "new")
				status := http.StatusBadRequest
				if c.all {
					status = http.StatusOK
				}
				require.Equal(t, c.all, strings.Contains(page, choice), choice)
				require.Equal(t, status, s.do(t, "", "POST", "?do=new", form).Code, choice)
			}
		})
	}
}

// A form that is sent as it is changes nothing, and one that leaves parts out leaves those.
func TestBoundsStay(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{Scopes: notes}, tokenpage.Config{})
	before, _ := s.make(t, authtoken.CreateParams{
		Identifier: "one", User: "2", Scopes: []string{"notes:purge", "notes:read"},
		Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")},
	})
	form := fields(s.get(t, "alice", "?do=edit&token=one"))
	require.Equal(t, url.Values{
		"name": {"one"}, "access": {"some"}, "scope": {"notes:read", "notes:purge"}, "networks": {"192.0.2.7\n2001:db8::/32"},
		"revision": {before.Revision()},
	}, form)
	for name, form := range map[string]func() url.Values{
		"as it is": func() url.Values { return fields(s.get(t, "alice", "?do=edit&token=one")) },
		"name only": func() url.Values {
			is, err := s.svc.Get(t.Context(), "one")
			require.NoError(t, err)
			return url.Values{"name": {"other"}, "revision": {is.Revision()}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, http.StatusSeeOther, s.do(t, "alice", "POST", "?do=edit&token=one", form()).Code)
			after, err := s.svc.Get(t.Context(), "one")
			require.NoError(t, err)
			require.Equal(t, before.Scopes, after.Scopes)
			require.Equal(t, before.Networks, after.Networks)
		})
	}
	// The form that comes again does not show a token without limits.
	w := s.do(t, "alice", "POST", "?do=edit&token=one", url.Values{"name": {"mine"}, "revision": {"old"}})
	again := fields(w.Body.String())
	require.Equal(t, []string{"192.0.2.7\n2001:db8::/32"}, again["networks"])
	require.Equal(t, []string{"some"}, again["access"])
}

func TestChangeBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		access, networks string
		scopes           []string
		wantScopes       authtoken.Scopes
		wantNetworks     []netip.Prefix
		fault            string
	}{
		"all, anywhere":   {"all", " ", nil, "*", nil, ""},
		"one network":     {"some", "192.0.2.0/24", []string{"notes:read"}, "notes:read", []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, ""},
		"on one line":     {"all", "192.0.2.1, 2001:db8::/32", nil, "*", []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8::/32")}, ""},
		"no network":      {"all", "192.0.2.1\nhome", nil, "", nil, "“home” is not an IP address or network"},
		"zone":            {"all", "fe80::1%eth0", nil, "", nil, "“fe80::1%eth0” is not an IP address or network"},
		"IPv4 in IPv6":    {"all", "::ffff:192.0.2.1", nil, "", nil, "“::ffff:192.0.2.1/128” is not an IP address or network"},
		"too long a mask": {"all", "192.0.2.1/33", nil, "", nil, "“192.0.2.1/33” is not an IP address or network"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{Scopes: notes}, tokenpage.Config{})
			before, _ := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Scopes: []string{"notes:write"}})
			form := url.Values{"name": {"one"}, "access": {c.access}, "scope": c.scopes, "networks": {c.networks}, "revision": {before.Revision()}}
			w := s.do(t, "alice", "POST", "?do=edit&token=one", form)
			if c.fault != "" {
				require.Contains(t, says(t, w, http.StatusBadRequest), c.fault)
				require.Equal(t, c.networks, fields(w.Body.String()).Get("networks"), "what was typed is still there")
				return
			}
			require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
			after, err := s.svc.Get(t.Context(), "one")
			require.NoError(t, err)
			require.Equal(t, c.wantScopes, after.Scopes)
			require.Equal(t, c.wantNetworks, after.Networks)
		})
	}
}

// Whoever makes a key that does not work from where they are is told.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from     func(*http.Request) string
		networks string
		says     string
	}{
		"here":       {nil, "192.0.2.0/24", ""},
		"elsewhere":  {nil, "198.51.100.0/24", "This key does not work from where you are now. It works from: 198.51.100.0/24."},
		"anywhere":   {nil, "", ""},
		"by a proxy": {func(*http.Request) string { return "198.51.100.7" }, "198.51.100.7", ""},
		"not known":  {func(*http.Request) string { return "" }, "198.51.100.7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{From: c.from})
			page := says(t, s.do(t, "alice", "POST", "?do=new", url.Values{"name": {"one"}, "networks": {c.networks}}), http.StatusOK)
			if c.says == "" {
				require.NotContains(t, page, "does not work from where you are")
				return
			}
			require.Contains(t, page, c.says)
		})
	}
}

func TestSuspendOnThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	_, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	press := func(user, do string, status int) {
		t.Helper()
		token, err := s.svc.Get(t.Context(), "one")
		require.NoError(t, err)
		require.Equal(t, status, s.do(t, user, "POST", "?do="+do+"&token=one", url.Values{"revision": {token.Revision()}}).Code)
	}
	refused := func() bool {
		_, err := s.svc.Authenticate(t.Context(), key)
		return err != nil
	}
	require.Equal(t, http.StatusSeeOther, s.do(t, "alice", "GET", "?do=suspend&token=one", nil).Code, "a link does nothing")
	require.Equal(t, http.StatusConflict, s.do(t, "alice", "POST", "?do=suspend&token=one", url.Values{"revision": {"old"}}).Code)
	require.False(t, refused())
	press("alice", "suspend", http.StatusSeeOther)
	require.True(t, refused())
	require.Contains(t, words(s.get(t, "alice", "")), "Suspended")
	require.Contains(t, words(s.get(t, "alice", "?do=edit&token=one")), "This token is suspended. Its key is refused until you resume it.")
	press("alice", "resume", http.StatusSeeOther)
	require.False(t, refused())

	press("akadmin", "suspend", http.StatusSeeOther)
	require.True(t, refused())
	page := s.get(t, "alice", "?do=edit&token=one")
	require.Contains(t, words(page), "An administrator has suspended this token. Its key is refused.")
	require.NotContains(t, page, "<form method")
	require.NotContains(t, s.get(t, "alice", ""), `class="act"`)
	for _, do := range []string{"resume", "suspend", "rotate", "revoke", "edit"} {
		form := url.Values{"name": {"x"}, "overlap": {"0s"}}
		token, err := s.svc.Get(t.Context(), "one")
		require.NoError(t, err)
		form.Set("revision", token.Revision())
		require.Equal(t, http.StatusForbidden, s.do(t, "alice", "POST", "?do="+do+"&token=one", form).Code, do)
	}
	press("bob", "resume", http.StatusNotFound)
	require.True(t, refused())
	press("akadmin", "resume", http.StatusSeeOther)
	require.False(t, refused())
}

func TestStopTheOldKey(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	_, old := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	require.NotContains(t, s.get(t, "alice", "?do=edit&token=one"), "Stop old key")
	token, _, err := s.svc.Rotate(t.Context(), "one", 10*time.Minute)
	require.NoError(t, err)
	require.Contains(t, s.get(t, "alice", "?do=edit&token=one"), "Stop old key")
	w := s.do(t, "alice", "POST", "?do=stop&token=one", url.Values{"revision": {token.Revision()}})
	require.Equal(t, http.StatusSeeOther, w.Code)
	_, err = s.svc.Authenticate(t.Context(), old)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
}

// The list marks limited tokens, and says what they may do.
func TestLimitedInTheList(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{Scopes: notes}, tokenpage.Config{})
	s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Scopes: []string{"notes:read", "notes:write"}})
	require.Contains(t, s.get(t, "alice", ""), `<span class="badge" title="May only: Read notes, Write notes">Limited</span>`)
	require.Contains(t, words(s.get(t, "alice", "?do=edit&token=one")), "May only Read notes, Write notes")
}
