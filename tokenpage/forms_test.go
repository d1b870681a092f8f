package tokenpage_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/tokenpage"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	page := s.get(t, "alice", "?do=new&search=x&page=2")
	require.Equal(t, url.Values{"name": {""}, "intent": {"api"}, "expires": {""}, "date": {""}, "networks": {""}}, fields(page))
	require.Contains(t, page, `action="?do=new&amp;page=2&amp;search=x"`, "the way back is kept")
	require.Contains(t, words(page), "Name In your own words, such as “New laptop”. It tells you which token is which. Kind API access")
	require.Contains(t, words(page), "Expires The shorter, the safer. You see the exact time once the token is made. "+
		"After the usual time After 1 day After 7 days After 30 days After 90 days After 1 year On a day of your choice Last day")

	w := s.post(t, "alice", "?do=new", "name", " Müller's  laptop ", "intent", "app_password", "expires", "720h0m0s", "date", "ignored")
	token := s.made(t, w)
	require.Regexp(t, "^m-llers-laptop-[0-9a-z]{4}$", token.Identifier)
	require.Equal(t, "Key of “Müller's laptop” "+token.Identifier+" Copy this key now and keep it in a safe place. It is not shown again. "+
		"Key "+keyIn(t, w)+" Copy Expiry Expires in 30 days (14 February 2030, 12:00 UTC) Done", words(w.Body.String()))
	require.Contains(t, w.Body.String(), "<title>Key of “Müller&#39;s laptop”</title>")
	require.Empty(t, w.Header().Get("Set-Cookie"))
	require.Equal(t, "2", token.User)
	require.Equal(t, "Müller's laptop", token.Description)
	require.Equal(t, authtoken.IntentAppPassword, token.Intent)
	require.Equal(t, s.clock.Now().Add(30*day), token.Expires)
}

func TestCreateLifetimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		fill    []string
		expires time.Duration
	}{
		{"usual", nil, 30 * time.Minute},
		{"day", []string{"expires", "24h0m0s"}, day},
		{"date", []string{"expires", "date", "date", " 2030-01-20 "}, 5*day + 12*time.Hour - time.Second},
		{"today", []string{"expires", "date", "date", "2030-01-15"}, 12*time.Hour - time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			token := s.made(t, s.post(t, "alice", "?do=new", append(c.fill, "name", "new")...))
			require.Equal(t, s.clock.Now().Add(c.expires), token.Expires)
			require.True(t, token.Expiring)
		})
	}
}

// Any number of tokens can have the same name, of one user and of several.
func TestSameName(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	identifiers := make(map[string]bool)
	for _, user := range []string{"alice", "alice", "bob"} {
		token := s.made(t, s.post(t, user, "?do=new", "name", "Laptop"))
		require.Equal(t, "Laptop", token.Description)
		identifiers[token.Identifier] = true
	}
	require.Len(t, identifiers, 3)
}

// The page makes identifiers, and takes none.
func TestNoIdentifierFromForms(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	sent := url.Values{"name": {"Laptop"}, "identifier": {"mine"}, "description": {"mine"}}
	token := s.made(t, s.do(t, "alice", "POST", "?do=new", sent))
	require.Regexp(t, "^laptop-[0-9a-z]{4}$", token.Identifier)
	require.Equal(t, "Laptop", token.Description)

	sent.Set("name", "Old laptop")
	sent.Set("revision", token.Revision())
	s.requireDone(t, "alice", s.do(t, "alice", "POST", "?do=edit&token="+token.Identifier, sent), "?")
	after, err := s.svc.Get(t.Context(), token.Identifier)
	require.NoError(t, err)
	require.Equal(t, "Old laptop", after.Description)
}

func TestCreateFaults(t *testing.T) {
	t.Parallel()
	const (
		noName   = "Enter a name."
		badName  = "The name has a character that can&#39;t be used. Enter the name again."
		notAKind = "Choose one of the kinds."
		noDay    = "Enter the last day on which the token is to work."
	)
	for _, c := range []struct {
		name string
		fill []string
		want []string // of the summary: inputs and messages

		// What the form holds instead of what it can't; "none" is for nothing chosen.
		instead map[string]string
	}{
		{"no name", []string{"name", ""}, []string{"name", noName}, nil},
		{"blank name", []string{"name", " \r\n\u2003"}, []string{"name", noName}, map[string]string{"name": ""}},
		{"name that can't be seen", []string{"name", "\u200b\u00ad"}, []string{"name", noName}, map[string]string{"name": ""}},
		{"long name", []string{"name", strings.Repeat("ä", 1001)}, []string{"name", "Enter a name of up to 1000 characters."}, nil},
		{"name that is not text", []string{"name", "a\xff"}, []string{"name", badName}, nil},
		{"null character", []string{"name", "a\x00"}, []string{"name", badName}, map[string]string{"name": "a\ufffd"}},
		{"kind that is not offered", []string{"intent", "recovery"}, []string{"intent", notAKind}, map[string]string{"intent": "none"}},
		{"made-up kind", []string{"intent", "none"}, []string{"intent", notAKind}, map[string]string{"intent": "none"}},
		{"made-up lifetime", []string{"expires", "25h0m0s"}, []string{"expires", "Choose one of the lifetimes."}, map[string]string{"expires": ""}},
		{"long lifetime", []string{"expires", "2160h0m0s"}, []string{"expires", "Choose a time no later than 14 February 2030, 12:00 UTC."}, nil},
		{"far day", []string{"expires", "date", "date", "2030-02-14"}, []string{"expires", "Choose a time no later than 14 February 2030, 12:00 UTC."}, nil},
		{"no day", []string{"expires", "date"}, []string{"date", noDay}, nil},
		{"not a day", []string{"expires", "date", "date", "14/02/2030"}, []string{"date", "Enter a day such as 2030-02-14."}, nil},
		{"day that is over", []string{"expires", "date", "date", "2030-01-14"}, []string{"date", "This day is over. Enter a later one."}, nil},
		{"all at once, in the form's order", []string{"name", "", "intent", "none", "expires", "date"},
			[]string{"name", noName, "intent", notAKind, "date", noDay}, map[string]string{"intent": "none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{MaxLifetime: 30 * day}, tokenpage.Config{})
			fill := append([]string{"name", "kept"}, c.fill...)
			w := s.post(t, "alice", "?do=new", fill...)
			require.Equal(t, http.StatusBadRequest, w.Code)
			page := w.Body.String()
			require.Contains(t, page, "<title>Error: New token</title>")
			require.Contains(t, page, `<div class="note bad" role="alert" tabindex="-1" autofocus>`)
			var links strings.Builder
			for i := 0; i < len(c.want); i += 2 {
				links.WriteString(`<li><a href="#` + c.want[i] + `">` + c.want[i+1] + `</a></li>`)
				require.Contains(t, page, `<div class="fault" id="`+c.want[i]+`-fault"><p>`+c.want[i+1]+`</p></div>`)
				require.Regexp(t, `id="`+c.want[i]+`" [^>]*aria-describedby="[^"]*`+c.want[i]+`-fault"`, strings.ReplaceAll(page, "\n", " "))
			}
			require.Contains(t, page, "<ul>"+links.String()+"</ul>")

			kept := fields(s.get(t, "alice", "?do=new"))
			for i := 0; i < len(fill); i += 2 {
				kept.Set(fill[i], fill[i+1])
			}
			for field, value := range c.instead {
				kept.Set(field, value)
			}
			maps.DeleteFunc(kept, func(_ string, values []string) bool { return values[0] == "none" })
			require.Equal(t, kept, fields(page), "what was sent is still there")
		})
	}
}

func TestTooManyTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{MaxTokens: 2}, tokenpage.Config{})
	for range 2 {
		keyIn(t, s.post(t, "alice", "?do=new", "name", "one"))
	}
	w := s.post(t, "alice", "?do=new", "name", "one")
	require.Contains(t, says(t, w, http.StatusBadRequest),
		"New token There is something to correct You can't have more than 2 tokens. Revoke one that you don't need. Name")
}

// A choice of one is none, and what there is to choose from is not what is allowed.
func TestChoices(t *testing.T) {
	t.Parallel()
	t.Run("one", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, authtoken.Policy{UserIntents: []authtoken.Intent{authtoken.IntentRecovery}}, tokenpage.Config{
			Intents: []authtoken.Intent{authtoken.IntentRecovery}, Lifetimes: []time.Duration{},
		})
		require.Equal(t, url.Values{"name": {""}, "networks": {""}}, fields(s.get(t, "alice", "?do=new")))
		require.Equal(t, authtoken.IntentRecovery, s.made(t, s.post(t, "alice", "?do=new", "name", "one")).Intent)
	})
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, authtoken.Policy{}, tokenpage.Config{Intents: authtoken.Intents(), Lifetimes: []time.Duration{90 * time.Minute}})
		page := s.get(t, "alice", "?do=new")
		require.Equal(t, "verification", fields(page).Get("intent"))
		require.Regexp(t, "Kind Verification .* API access .* Recovery .* App password .* After the usual time After 90 minutes Where it may be used from .* Make token", words(page))
		w := s.post(t, "alice", "?do=new", "name", "one")
		require.Contains(t, w.Body.String(), `<li><a href="#intent">You can&#39;t make a token of this kind.</a></li>`)
	})
	t.Run("never, where there is a limit", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, authtoken.Policy{MaxLifetime: day}, tokenpage.Config{})
		w := s.post(t, "akadmin", "?do=new", "name", "one", "expires", "never")
		require.Contains(t, w.Body.String(), `<li><a href="#expires">This token has to expire. Choose when.</a></li>`)
	})
	t.Run("one that is not allowed", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, authtoken.Policy{}, tokenpage.Config{Intents: []authtoken.Intent{authtoken.IntentRecovery}})
		w := s.post(t, "alice", "?do=new", "name", "one")
		require.Contains(t, w.Body.String(), `<li>You can&#39;t make a token of this kind.</li>`, "there is nothing to lead to")
	})
}

func TestEdit(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	before, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Description: "For the build", Managed: "terraform"})
	page := s.get(t, "alice", "?do=edit&token=one")
	require.Equal(t, url.Values{"name": {"For the build"}, "networks": {""}, "revision": {before.Revision()}}, fields(page))
	require.Contains(t, page, "<title>Token For the build</title>")
	require.Contains(t, words(page), "For the build one Kind API access, managed by terraform Expiry Expires in 30 minutes (15 January 2030, 12:30 UTC)")

	w := s.post(t, "alice", "?do=edit&token=one", "name", " ")
	require.Contains(t, says(t, w, http.StatusBadRequest), "There is something to correct Enter a name. Kind")
	require.Equal(t, url.Values{"name": {""}, "networks": {""}, "revision": {before.Revision()}}, fields(w.Body.String()))
	require.Contains(t, w.Body.String(), `action="?do=edit&amp;token=one"`, "still about the token that it is about")

	w = s.post(t, "alice", "?do=edit&token=one&sort=name", "name", "For the release")
	require.Contains(t, s.requireDone(t, "alice", w, "?sort=name"), "The token is saved. ")
	after, err := s.svc.Get(t.Context(), "one")
	require.NoError(t, err)
	want := before
	want.Description, want.Version = "For the release", 2
	require.Equal(t, want, after, "nothing else has changed")
	_, err = s.svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	require.Contains(t, says(t, s.do(t, "alice", "GET", "?do=edit&token=two", nil), http.StatusNotFound),
		"There is no such token. It may have been revoked.")
}

// A description that was made elsewhere stays as it is unless its name is changed.
func TestEditKeepsDescriptions(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 300)
	for _, c := range []struct {
		name, description string
		shown             string // in the form
	}{
		{"none", "", "one"},
		{"one line", "For the build", "For the build"},
		{"several lines", "For the build\n\n  and\tthe release", "For the build and the release"},
		{"other line breaks", "a\r\nb\rc\u2028d", "a b c d"},
		{"other spaces", "a\u00a0b  c", "a b c"},
		{"longer than allowed", long, strings.TrimSpace(long)},
		{"that can't be seen", "\u200b", "one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			st := memory.New()
			elsewhere, err := authtoken.New(st, authtoken.Config{Policy: authtoken.Policy{MaxTextLength: 10_000}})
			require.NoError(t, err)
			svc, err := authtoken.New(st, authtoken.Config{})
			require.NoError(t, err)
			s.Handler, err = tokenpage.New(svc, tokenpage.Config{Authenticate: byHeader})
			require.NoError(t, err)
			before, _, err := elsewhere.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "2", Description: c.description})
			require.NoError(t, err)

			require.Equal(t, c.shown, fields(s.get(t, "alice", "?do=edit&token=one")).Get("name"))
			s.requireDone(t, "alice", s.post(t, "alice", "?do=edit&token=one"), "?")
			after, err := svc.Get(t.Context(), "one")
			require.NoError(t, err)
			require.Equal(t, before.Description, after.Description)

			s.requireDone(t, "alice", s.post(t, "alice", "?do=edit&token=one", "name", "new"), "?")
			after, err = svc.Get(t.Context(), "one")
			require.NoError(t, err)
			require.Equal(t, "new", after.Description)
		})
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	_, first := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Expires: s.clock.Now().Add(30 * day)})
	page := s.get(t, "alice", "?do=rotate&token=one")
	require.Equal(t, "1h0m0s", fields(page).Get("overlap"))
	require.Contains(t, words(page), "The present key Stop it at once If somebody else may have it. "+
		"Keep it for another hour Keep it for another day Keep it for another 7 days Make new key Cancel")
	require.NotContains(t, page, "note warn")

	w := s.post(t, "alice", "?do=rotate&token=one", "overlap", "24h0m0s")
	second := keyIn(t, w)
	require.Contains(t, words(w.Body.String()), "Expires in 30 days (14 February 2030, 12:00 UTC) Old key Still works for 1 day (16 January 2030, 12:00 UTC)")
	for _, key := range []string{first, second} {
		_, err := s.svc.Authenticate(t.Context(), key)
		require.NoError(t, err)
	}
	require.Contains(t, words(s.get(t, "alice", "?do=rotate&token=one")),
		"The key before the present one still works for 1 day (16 January 2030, 12:00 UTC). It stops at once when you go on.")

	w = s.post(t, "alice", "?do=rotate&token=one", "overlap", "0s")
	require.Contains(t, words(w.Body.String()), "Old key No longer works Done")
	for _, key := range []string{first, second} {
		_, err := s.svc.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, authtoken.ErrRefused)
	}
	third := keyIn(t, w)
	for _, overlap := range []string{"", "1h", "-1h0m0s", "9000h0m0s", "x"} {
		t.Run(overlap, func(t *testing.T) {
			w := s.post(t, "alice", "?do=rotate&token=one", "overlap", overlap)
			require.Contains(t, says(t, w, http.StatusBadRequest), "There is something to correct Choose what happens to the present key.")
		})
	}
	_, err := s.svc.Authenticate(t.Context(), third)
	require.NoError(t, err)

	// An old key does not outlive its token.
	s.clock.Advance(29 * day)
	w = s.post(t, "alice", "?do=rotate&token=one", "overlap", "168h0m0s")
	require.Contains(t, words(w.Body.String()), "Old key Still works for 1 day (14 February 2030, 12:00 UTC)")
	s.clock.Advance(day)
	require.Contains(t, words(s.get(t, "alice", "?do=rotate&token=one")), "This token has expired, so its new key will be refused as well.")
	w = s.post(t, "alice", "?do=rotate&token=one", "overlap", "1h0m0s")
	require.Contains(t, words(w.Body.String()), "Expired just now (14 February 2030, 12:00 UTC) Old key No longer works Done")
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	_, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Description: "for the build"})
	require.Contains(t, words(s.get(t, "alice", "?do=revoke&token=one")),
		"Revoke “for the build”? one Its key stops working at once, and the token is gone for good. Whatever still uses it needs another one. Kind")
	_, err := s.svc.Authenticate(t.Context(), key)
	require.NoError(t, err, "looking does nothing")
	w := s.post(t, "alice", "?do=revoke&token=one&search=o")
	require.Contains(t, s.requireDone(t, "alice", w, "?search=o"), "The token is revoked. Its key is refused from now on.")
	_, err = s.svc.Authenticate(t.Context(), key)
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	require.Equal(t, http.StatusNotFound, s.do(t, "alice", "POST", "?do=revoke&token=one", url.Values{"revision": {"x"}}).Code)
}

// What has changed since a form was shown stays as it is; the form then comes
// again, and works when it is sent once more.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		do, says string
		form     url.Values
		status   int // in the end
	}{
		{"edit", "Nothing was saved: the token has changed meanwhile It is now called “other”. " +
			"If you save once more, what is below replaces what it has now.", url.Values{"name": {"mine"}, "networks": {""}}, http.StatusSeeOther},
		{"rotate", "Nothing was done: the token has changed meanwhile Below is what it is now. Go on if that is still what you want.",
			url.Values{"overlap": {"24h0m0s"}}, http.StatusOK},
		{"revoke", "Nothing was done: the token has changed meanwhile", url.Values{}, http.StatusSeeOther},
	} {
		t.Run(c.do, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			_, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Expiring: new(false)})
			query := "?do=" + c.do + "&token=one"
			shown := fields(s.get(t, "alice", query))
			_, err := s.svc.As("1").Update(t.Context(), "one", authtoken.UpdateParams{Description: new("other")})
			require.NoError(t, err)
			between, err := s.svc.Get(t.Context(), "one")
			require.NoError(t, err)
			for _, revision := range []string{shown.Get("revision"), "", "other"} {
				c.form.Set("revision", revision)
				w := s.do(t, "alice", "POST", query, c.form)
				require.Contains(t, says(t, w, http.StatusConflict), c.says)
				require.Contains(t, w.Body.String(), "<title>Error: ")
				require.NotRegexp(t, shownKey, w.Body.String())
				now, err := s.svc.Get(t.Context(), "one")
				require.NoError(t, err)
				require.Equal(t, between, now)
				_, err = s.svc.Authenticate(t.Context(), key)
				require.NoError(t, err)

				c.form.Set("revision", between.Revision())
				require.Equal(t, c.form, fields(w.Body.String()), "all that was sent, and the revision that is shown now")
			}
			require.Equal(t, c.status, s.do(t, "alice", "POST", query, c.form).Code)
		})
	}
}

// The page says what rotation does to the lifetime, which is up to the policy.
func TestRotationAndLifetime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy authtoken.Policy
		says   string
	}{
		"default":   {authtoken.Policy{}, "Nothing else about it changes, nor does it live any longer. This token has expired, so its new key will be refused as well."},
		"authentik": {authtoken.Authentik(), "which you see once. Its lifetime starts anew. Kind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.policy, tokenpage.Config{})
			s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
			s.clock.Advance(day)
			require.Contains(t, words(s.get(t, "alice", "?do=rotate&token=one")), c.says)
		})
	}
}
