package tokenpage_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/tokenpage"
)

// What a page does not offer, it does not take: the service would make all of
// these tokens.
func TestOnlyWhatIsOffered(t *testing.T) {
	t.Parallel()
	const (
		notAKind     = "Choose one of the kinds."
		oneKind      = "You can't choose the kind of a token here."
		notALifetime = "Choose one of the lifetimes."
		noLifetime   = "You can't choose when a token expires here."
	)
	week := []time.Duration{day, 7 * day}
	for _, c := range []struct {
		name  string
		cfg   tokenpage.Config
		user  string
		form  url.Values
		fault string // empty if the token is made
	}{
		{"default kinds", tokenpage.Config{}, "akadmin", url.Values{"intent": {"recovery"}}, notAKind},
		{"made-up kind", tokenpage.Config{}, "alice", url.Values{"intent": {"none"}}, notAKind},
		{"kind with spaces", tokenpage.Config{}, "alice", url.Values{"intent": {" api"}}, notAKind},
		{"another kind", tokenpage.Config{Intents: []authtoken.Intent{"api", "recovery"}}, "alice", url.Values{"intent": {"app_password"}}, notAKind},
		{"the only kind", tokenpage.Config{Intents: []authtoken.Intent{"api"}}, "alice", url.Values{"intent": {"api"}}, ""},
		{"no kind", tokenpage.Config{Intents: []authtoken.Intent{"api"}}, "alice", nil, ""},
		{"but the only kind", tokenpage.Config{Intents: []authtoken.Intent{"api"}}, "alice", url.Values{"intent": {"app_password"}}, oneKind},

		{"any date", tokenpage.Config{}, "alice", url.Values{"expires": {"date"}, "date": {"9998-12-31"}}, ""},
		{"never, superuser", tokenpage.Config{}, "akadmin", url.Values{"expires": {"never"}}, ""},
		{"never, plain user", tokenpage.Config{}, "alice", url.Values{"expires": {"never"}}, notALifetime},
		{"not in the default list", tokenpage.Config{}, "alice", url.Values{"expires": {"48h0m0s"}}, notALifetime},
		{"negative", tokenpage.Config{}, "alice", url.Values{"expires": {"-24h0m0s"}}, notALifetime},
		{"in other words", tokenpage.Config{}, "alice", url.Values{"expires": {"24h"}}, notALifetime},

		{"in the list", tokenpage.Config{Lifetimes: week}, "alice", url.Values{"expires": {"168h0m0s"}}, ""},
		{"the usual", tokenpage.Config{Lifetimes: week}, "alice", url.Values{"expires": {""}}, ""},
		{"not in the list", tokenpage.Config{Lifetimes: week}, "alice", url.Values{"expires": {"8760h0m0s"}}, notALifetime},
		{"last day", tokenpage.Config{Lifetimes: week}, "alice", url.Values{"expires": {"date"}, "date": {"2030-01-21"}}, ""},
		{"a day more", tokenpage.Config{Lifetimes: week}, "alice", url.Values{"expires": {"date"}, "date": {"2030-01-22"}},
			"Enter a day no later than 21 January 2030."},
		{"a date far off", tokenpage.Config{Lifetimes: week}, "akadmin", url.Values{"expires": {"date"}, "date": {"9999-12-31"}},
			"Enter a day no later than 21 January 2030."},
		{"never, beyond the list", tokenpage.Config{Lifetimes: week}, "akadmin", url.Values{"expires": {"never"}}, notALifetime},
		{"order of the list", tokenpage.Config{Lifetimes: []time.Duration{7 * day, day}}, "alice",
			url.Values{"expires": {"date"}, "date": {"2030-01-21"}}, ""},
		{"just a day", tokenpage.Config{Lifetimes: []time.Duration{day}}, "alice", url.Values{"expires": {"date"}, "date": {"2030-01-15"}}, ""},
		{"less than a day", tokenpage.Config{Lifetimes: []time.Duration{day - 1}}, "alice",
			url.Values{"expires": {"date"}, "date": {"2030-01-15"}}, notALifetime},
		{"date that is not chosen", tokenpage.Config{Lifetimes: week}, "alice", url.Values{"expires": {"24h0m0s"}, "date": {"9999-12-31"}}, ""},

		{"none to choose", tokenpage.Config{Lifetimes: []time.Duration{}}, "alice", nil, ""},
		{"none, a lifetime", tokenpage.Config{Lifetimes: []time.Duration{}}, "alice", url.Values{"expires": {"24h0m0s"}}, noLifetime},
		{"none, a date", tokenpage.Config{Lifetimes: []time.Duration{}}, "alice", url.Values{"expires": {"date"}, "date": {"2030-01-16"}}, noLifetime},
		{"none, only a date", tokenpage.Config{Lifetimes: []time.Duration{}}, "alice", url.Values{"date": {"2030-01-16"}}, noLifetime},
		{"none, never", tokenpage.Config{Lifetimes: []time.Duration{}}, "akadmin", url.Values{"expires": {"never"}}, noLifetime},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{UserIntents: authtoken.Intents()}, c.cfg)
			form := url.Values{"name": {"new"}}
			for field, values := range c.form {
				form[field] = values
			}
			w := s.do(t, c.user, "POST", "?do=new", form)
			if c.fault == "" {
				keyIn(t, w)
				return
			}
			require.Contains(t, says(t, w, http.StatusBadRequest), "There is something to correct "+c.fault)
			page := w.Body.String()
			require.Equal(t, "new", fields(page).Get("name"), "the form is there again")
			for _, part := range strings.Split(page, `href="#`)[1:] {
				id, _, _ := strings.Cut(part, `"`)
				require.Contains(t, page, `id="`+id+`"`, "a link leads somewhere")
			}
			made, err := s.svc.Page(t.Context(), authtoken.Filter{}, 1, 1)
			require.NoError(t, err)
			require.Zero(t, made.Count)
		})
	}
}

// What is offered is what is taken, at the last moment of a day too.
func TestWhatIsOffered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		lifetimes []time.Duration
		user      string
		want      string // of the choices
		last      string // day that can be chosen, where there is one
	}{
		{"default", nil, "alice", "After the usual time|After 1 day|After 7 days|After 30 days|After 90 days|After 1 year|On a day of your choice", ""},
		{"default, superuser", nil, "akadmin",
			"After the usual time|After 1 day|After 7 days|After 30 days|After 90 days|After 1 year|On a day of your choice|Never", ""},
		{"a list", []time.Duration{day, 30 * day}, "akadmin", "After the usual time|After 1 day|After 30 days|On a day of your choice", "2030-02-13"},
		{"short ones", []time.Duration{90 * time.Minute}, "alice", "After the usual time|After 90 minutes", ""},
		{"none", []time.Duration{}, "akadmin", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{Lifetimes: c.lifetimes})
			page := s.get(t, c.user, "?do=new")
			var offered []string
			for _, o := range options.FindAllStringSubmatch(page, -1) {
				offered = append(offered, o[3])
			}
			require.Equal(t, c.want, strings.Join(offered, "|"))
			require.Equal(t, strings.Contains(c.want, "On a day"), strings.Contains(page, `<input id="date"`))
			require.Equal(t, c.last != "", strings.Contains(page, ` max="`+c.last+`"`))
			if c.last == "" {
				return
			}
			for _, at := range []time.Duration{0, 12*time.Hour - time.Second, 12*time.Hour - 1, 12 * time.Hour, day - 1} {
				s.clock.Set(time.Date(2030, time.January, 15, 12, 0, 0, 0, time.UTC).Add(at))
				page := s.get(t, c.user, "?do=new")
				_, last, _ := strings.Cut(page, ` max="`)
				last, _, _ = strings.Cut(last, `"`)
				form := url.Values{"name": {"new"}, "expires": {"date"}, "date": {last}}
				token := s.made(t, s.do(t, c.user, "POST", "?do=new", form))
				latest := s.clock.Now().Add(c.lifetimes[len(c.lifetimes)-1])
				require.False(t, token.Expires.After(latest))
				require.True(t, token.Expires.Add(day).After(latest), "and no day is lost")
			}
		})
	}
}

// The forms about a token change what they show, and nothing else.
func TestOtherFormsTakeNothingElse(t *testing.T) {
	t.Parallel()
	form := func(revision string) url.Values {
		return url.Values{
			"name": {"new"}, "identifier": {"two"}, "description": {"newer"}, "overlap": {"0s"}, "revision": {revision},
			"intent": {"recovery"}, "expires": {"never"}, "date": {"9999-12-31"}, "expiring": {"false"}, "user": {"3"}, "managed": {"m"}, "key": {"k"},
		}
	}
	for _, user := range []string{"alice", "akadmin"} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			before, _ := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
			s.requireDone(t, user, s.do(t, user, "POST", "?do=edit&token=one", form(before.Revision())), "?")
			edited, err := s.svc.Get(t.Context(), "one")
			require.NoError(t, err)
			want := before
			want.Description, want.Version = "new", edited.Version
			require.Equal(t, want, edited)

			keyIn(t, s.do(t, user, "POST", "?do=rotate&token=one", form(edited.Revision())))
			rotated, err := s.svc.Get(t.Context(), "one")
			require.NoError(t, err)
			want.Version, want.RetiredUntil = rotated.Version, rotated.RetiredUntil
			require.Equal(t, want, rotated)
			require.False(t, rotated.RetiredUntil.After(s.clock.Now()))
		})
	}
}
