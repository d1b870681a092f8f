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
	"github.com/authtoken/authtoken/tokenpage"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	page := s.get(t, "alice", "?do=new&search=x&page=2")
	require.Equal(t, url.Values{"identifier": {""}, "description": {""}, "intent": {"api"}, "expires": {""}, "date": {""}}, fields(page))
	require.Contains(t, page, `action="?do=new&amp;page=2&amp;search=x"`, "the way back is kept")
	require.Contains(t, words(page), "Expires The shorter, the safer. You see the exact time once the token is made. "+
		"After the usual time After 1 day After 7 days After 30 days After 90 days After 1 year On a day of your choice Last day")

	w := s.post(t, "alice", "?do=new", "identifier", " deploy ", "description", " two\r\nlines ", "intent", "app_password", "expires", "720h0m0s", "date", "ignored")
	require.Equal(t, "Key of deploy Copy this key now and keep it in a safe place. It is not shown again. "+
		"Key "+keyIn(t, w)+" Copy Expiry Expires in 30 days (14 February 2030, 12:00 UTC) Done", words(w.Body.String()))
	require.Empty(t, w.Header().Get("Set-Cookie"))
	who, err := s.svc.Authenticate(t.Context(), keyIn(t, w), authtoken.IntentAppPassword)
	require.NoError(t, err)
	require.EqualValues(t, 2, who.Token.User)
	require.Equal(t, "deploy", who.Token.Identifier)
	require.Equal(t, "two\nlines", who.Token.Description)
	require.Equal(t, authtoken.IntentAppPassword, who.Token.Intent)
	require.Equal(t, s.clock.Now().Add(30*day), who.Token.Expires)

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
		keyIn(t, s.post(t, "alice", "?do=new", append(c.fill, "identifier", c.name)...))
		token, err := s.svc.Get(t.Context(), c.name)
		require.NoError(t, err)
		require.Equal(t, s.clock.Now().Add(c.expires), token.Expires, c.name)
		require.True(t, token.Expiring)
	}

	// Loading the answer again, which sends the form again, does no harm.
	w = s.post(t, "alice", "?do=new", "identifier", "deploy")
	require.Contains(t, says(t, w, http.StatusBadRequest), "There is a token of this name already. Choose another name.")
	_, err = s.svc.Authenticate(t.Context(), who.Token.Identifier)
	require.Error(t, err)
}

func TestCreateFaults(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{MaxLifetime: 30 * day, MaxTokens: 2}, tokenpage.Config{})
	s.make(t, authtoken.CreateParams{Identifier: "taken", User: 3})
	for _, c := range []struct {
		fill []string
		want []string // of the summary

		// What the form holds instead of what it can't; "none" is for nothing chosen.
		instead map[string]string
	}{
		{[]string{"identifier", " "}, []string{"identifier", "Enter a name."}, nil},
		{[]string{"identifier", "a b"}, []string{"identifier", "Use only the letters a to z and A to Z, digits, hyphens and underscores in the name."}, nil},
		{[]string{"identifier", "taken"}, []string{"identifier", "There is a token of this name already. Choose another name."}, nil},
		{[]string{"identifier", strings.Repeat("a", 256)}, []string{"identifier", "Ensure this field has no more than 255 characters."}, nil},
		{[]string{"description", strings.Repeat("a", 1001)}, []string{"description", "Ensure this field has no more than 1000 characters."}, nil},
		{[]string{"description", "\xff"}, []string{"description", "Not a valid string."}, nil},
		{[]string{"intent", "recovery"}, []string{"intent", "Choose one of the kinds."}, map[string]string{"intent": "none"}},
		{[]string{"intent", "none"}, []string{"intent", "Choose one of the kinds."}, map[string]string{"intent": "none"}},
		{[]string{"expires", "25h0m0s"}, []string{"expires", "Choose one of the lifetimes."}, map[string]string{"expires": ""}},
		{[]string{"expires", "2160h0m0s"}, []string{"expires", "Token expires exceeds maximum lifetime (2030-02-14 12:00:00.000000&#43;00:00 UTC)."}, nil},
		{[]string{"expires", "date"}, []string{"date", "Enter the last day on which the token is to work."}, nil},
		{[]string{"expires", "date", "date", "14/02/2030"}, []string{"date", "Enter a day such as 2030-02-14."}, nil},
		{[]string{"expires", "date", "date", "2030-01-14"}, []string{"date", "This day is over. Enter a later one."}, nil},
		{[]string{"identifier", "", "description", "\x00", "expires", "date"}, []string{
			"identifier", "Enter a name.", "description", "Null characters are not allowed.", "date", "Enter the last day on which the token is to work."}, map[string]string{"description": "\ufffd"}},
	} {
		fill := append([]string{"identifier", "good", "description", "kept"}, c.fill...)
		w := s.post(t, "alice", "?do=new", fill...)
		require.Equal(t, http.StatusBadRequest, w.Code, c.fill)
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
	}

	for _, name := range []string{"one", "two"} {
		keyIn(t, s.post(t, "alice", "?do=new", "identifier", name))
	}
	w := s.post(t, "alice", "?do=new", "identifier", "three")
	require.Contains(t, says(t, w, http.StatusBadRequest), "New token There is something to correct User has reached the maximum of 2 tokens. Name")
}

// A choice of one is none, and what there is to choose from is not what is allowed.
func TestChoices(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{UserIntents: []authtoken.Intent{authtoken.IntentRecovery}}, tokenpage.Config{
		Intents: []authtoken.Intent{authtoken.IntentRecovery}, Lifetimes: []time.Duration{},
	})
	page := s.get(t, "alice", "?do=new")
	require.Equal(t, url.Values{"identifier": {""}, "description": {""}}, fields(page))
	keyIn(t, s.post(t, "alice", "?do=new", "identifier", "one"))
	token, err := s.svc.Get(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, authtoken.IntentRecovery, token.Intent)

	s = newSite(t, authtoken.Policy{}, tokenpage.Config{Intents: authtoken.Intents(), Lifetimes: []time.Duration{90 * time.Minute}})
	page = s.get(t, "alice", "?do=new")
	require.Equal(t, "verification", fields(page).Get("intent"))
	require.Regexp(t, "Kind Verification .* API access .* Recovery .* App password .* After the usual time After 90 minutes Make token", words(page))
	w := s.post(t, "alice", "?do=new", "identifier", "one")
	require.Contains(t, says(t, w, http.StatusBadRequest), "Invalid intent verification")
}

func TestEdit(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	before, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: 2, Description: "a\nb", Managed: "terraform"})
	s.make(t, authtoken.CreateParams{Identifier: "taken", User: 2})
	page := s.get(t, "alice", "?do=edit&token=one")
	require.Equal(t, url.Values{"identifier": {"one"}, "description": {"a\nb"}, "revision": {before.Revision()}}, fields(page))
	require.Contains(t, page, "<title>Token one</title>")
	require.Contains(t, words(page), "Kind API access, managed by terraform Expiry Expires in 30 minutes (15 January 2030, 12:30 UTC)")

	w := s.post(t, "alice", "?do=edit&token=one", "identifier", "taken", "description", "new")
	require.Contains(t, says(t, w, http.StatusBadRequest), "There is a token of this name already.")
	require.Equal(t, url.Values{"identifier": {"taken"}, "description": {"new"}, "revision": {before.Revision()}}, fields(w.Body.String()))
	require.Contains(t, w.Body.String(), `action="?do=edit&amp;token=one"`, "still about the token that it is about")

	w = s.post(t, "alice", "?do=edit&token=one&sort=name", "identifier", "two", "description", "a\r\nb")
	require.Contains(t, s.requireDone(t, "alice", w, "?sort=name"), "The token is saved. ")
	after, err := s.svc.Get(t.Context(), "two")
	require.NoError(t, err)
	want := before
	want.Identifier, want.Version = "two", 2
	require.Equal(t, want, after, "nothing else has changed")
	_, err = s.svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	require.Contains(t, says(t, s.do(t, "alice", "GET", "?do=edit&token=one", nil), http.StatusNotFound),
		"There is no such token. It may have been renamed or revoked.")
}

func TestRotate(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	_, first := s.make(t, authtoken.CreateParams{Identifier: "one", User: 2, Expires: s.clock.Now().Add(30 * day)})
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
		w = s.post(t, "alice", "?do=rotate&token=one", "overlap", overlap)
		require.Contains(t, says(t, w, http.StatusBadRequest), "There is something to correct Choose what becomes of the old key.")
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
	_, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: 2, Description: "for the build"})
	require.Contains(t, words(s.get(t, "alice", "?do=revoke&token=one")),
		"Revoke one ? Its key stops working at once, and the token is gone for good. Whatever still uses it needs another one. for the build Kind")
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
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	_, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: 2, Expiring: new(false)})
	for _, c := range []struct {
		do, says string
		form     url.Values
		status   int // in the end
	}{
		{"edit", "Nothing was saved: the token has changed meanwhile It is now called “one” and described as “other”. " +
			"If you save once more, what is below replaces that.", url.Values{"identifier": {"one"}, "description": {"mine"}}, http.StatusSeeOther},
		{"rotate", "Nothing was done: the token has changed meanwhile Below is what it is now. Go on if that is still what you want.",
			url.Values{"overlap": {"24h0m0s"}}, http.StatusOK},
		{"revoke", "Nothing was done: the token has changed meanwhile", url.Values{}, http.StatusSeeOther},
	} {
		query := "?do=" + c.do + "&token=one"
		shown := fields(s.get(t, "alice", query))
		_, err := s.svc.As(1).Update(t.Context(), "one", authtoken.UpdateParams{Description: new("other")})
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
			require.Equal(t, between, now, c.do)
			_, err = s.svc.Authenticate(t.Context(), key)
			require.NoError(t, err)

			c.form.Set("revision", between.Revision())
			require.Equal(t, c.form, fields(w.Body.String()), "all that was sent, and the revision that is shown now")
		}
		require.Equal(t, c.status, s.do(t, "alice", "POST", query, c.form).Code, c.do)
	}

	// Without a description, that is said.
	s.make(t, authtoken.CreateParams{Identifier: "two", User: 2})
	w := s.do(t, "alice", "POST", "?do=edit&token=two", url.Values{"identifier": {"three"}})
	require.Contains(t, says(t, w, http.StatusConflict), "It is now called “two” and has no description. If")
}
