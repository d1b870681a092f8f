package tokenpage

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/authtoken/authtoken"
)

// form is what a form holds: what was sent, or what it starts with.
type form struct {
	Name     string // on one line
	Intent   authtoken.Intent
	Expires  string // "" for the default, "never", "date" or a lifetime
	Date     string
	Overlap  string
	Revision string // of the token, when the form was shown

	Faults faults
	Stale  bool // the token has another revision now
}

func formOf(r *http.Request) *form {
	get := r.PostForm.Get
	return &form{
		Name:     oneLine(get("name")),
		Intent:   authtoken.Intent(get("intent")),
		Expires:  get("expires"),
		Date:     get("date"),
		Overlap:  get("overlap"),
		Revision: get("revision"),
	}
}

// formFor is a form about a token as it is.
func formFor(t authtoken.Token) *form {
	return &form{Name: nameOf(t), Overlap: time.Hour.String(), Revision: t.Revision()}
}

// checkName returns what is wrong with the name, as far as the service does not
// say so: it does without one.
func (f *form) checkName() []authtoken.FieldError {
	if f.Name != "" {
		return nil
	}
	return []authtoken.FieldError{{Field: "description", Code: authtoken.CodeBlank}}
}

// choice is one of several values of a field.
type choice struct {
	Value, Label, Hint string
}

// kinds are the intents in the words of the page.
var kinds = map[authtoken.Intent]choice{
	authtoken.IntentAPI:          {string(authtoken.IntentAPI), "API access", "For a program that calls the API in your name."},
	authtoken.IntentAppPassword:  {string(authtoken.IntentAppPassword), "App password", "For an app that asks for your username and password."},
	authtoken.IntentVerification: {string(authtoken.IntentVerification), "Verification", "Confirms something once, such as an email address."},
	authtoken.IntentRecovery:     {string(authtoken.IntentRecovery), "Recovery", "Gets back into your account."},
}

// offers reports whether one of choices has this value.
func offers(choices []choice, value string) bool {
	return slices.ContainsFunc(choices, func(c choice) bool { return c.Value == value })
}

// newForm is what the page to make a token shows.
type newForm struct {
	*form
	Intents   []choice // none if there is no choice
	Lifetimes []choice
	Dates     bool   // can be chosen
	LastDay   string // that can be, if not any
}

func (h *Handler) showNew(w http.ResponseWriter, _ *http.Request, c call) error {
	return h.renderNew(w, http.StatusOK, c, &form{Intent: h.cfg.Intents[0]})
}

func (h *Handler) renderNew(w http.ResponseWriter, status int, c call, f *form) error {
	n := newForm{form: f, Lifetimes: h.lifetimes.choices(c.user.Superuser)}
	n.Dates = offers(n.Lifetimes, "date")
	if last := h.lifetimes.lastDay(c.now); n.Dates && !last.IsZero() {
		n.LastDay = last.Format(time.DateOnly)
	}
	if len(h.cfg.Intents) > 1 {
		for _, i := range h.cfg.Intents {
			n.Intents = append(n.Intents, kinds[i])
		}
	}
	if len(n.Intents) == 0 {
		f.Faults.unlink("intent")
	}
	if len(n.Lifetimes) == 0 {
		f.Faults.unlink("expires")
	}
	return h.render(w, status, c, "new", "New token", n)
}

// checkIntent notes in p if its intent is none that the form offers.
func (h *Handler) checkIntent(p *authtoken.CreateParams) {
	if slices.Contains(h.cfg.Intents, p.Intent) {
		return
	}
	fault := authtoken.FieldError{Field: "intent", Code: codeNotOffered}
	if len(h.cfg.Intents) == 1 { // the form has no such field
		fault.Code = codeNoChoice
		p.Intent = h.cfg.Intents[0]
	}
	p.Invalid = append(p.Invalid, fault)
}

func (h *Handler) create(w http.ResponseWriter, r *http.Request, c call) error {
	f := formOf(r)
	f.Intent = cmp.Or(f.Intent, h.cfg.Intents[0])
	p := authtoken.CreateParams{Description: f.Name, Intent: f.Intent, Invalid: f.checkName()}
	h.checkIntent(&p)
	h.lifetimes.setExpiry(&p, f, c.user.Superuser, c.now)
	token, key, err := c.access.Create(r.Context(), p)
	if err != nil {
		return h.again(w, r, c, f, err)
	}
	return h.renderKey(w, r, c, token, key)
}

// about is what a page about one token shows.
type about struct {
	*form
	Is       details // the token as it is
	Overlaps []choice
}

// titles of the pages about one token, whose name they contain.
var titles = map[string]string{"edit": "Token %s", "rotate": "New key for “%s”", "revoke": "Revoke “%s”"}

// showToken answers with a page about a token.
func (h *Handler) showToken(w http.ResponseWriter, r *http.Request, c call) error {
	return h.renderToken(w, r, c, http.StatusOK, nil)
}

// renderToken answers with a page about a token. f is nil for a form that starts with
// what the token is.
func (h *Handler) renderToken(w http.ResponseWriter, r *http.Request, c call, status int, f *form) error {
	token, err := c.access.Get(r.Context(), c.Token)
	if err != nil {
		return err
	}
	if f == nil {
		f = formFor(token)
	}
	if f.Stale {
		f.Revision = token.Revision() // whoever sends it again has seen this one
	}
	is := h.details(r, c, token)[0]
	return h.render(w, status, c, c.Do, fmt.Sprintf(titles[c.Do], is.Name), about{f, is, overlaps})
}

// again shows the form once more if err is something against it.
func (h *Handler) again(w http.ResponseWriter, r *http.Request, c call, f *form, err error) error {
	switch status := f.refused(err); {
	case status == 0:
		return err
	case c.Do == "new":
		return h.renderNew(w, status, c, f)
	default:
		return h.renderToken(w, r, c, status, f)
	}
}

// unchanged returns the condition that the token is as it was when the form was
// shown. A form without a revision is not from this page, and is answered as one
// that is out of date.
func (f *form) unchanged() authtoken.Condition { return authtoken.IfRevision(f.Revision) }

func (h *Handler) update(w http.ResponseWriter, r *http.Request, c call) error {
	f := formOf(r)
	token, err := c.access.Get(r.Context(), c.Token)
	if err != nil {
		return err
	}
	p := authtoken.UpdateParams{Invalid: f.checkName()}
	if f.Name != nameOf(token) { // else a description of several lines would become one
		p.Description = &f.Name
	}
	if _, err := c.access.Update(r.Context(), c.Token, p, f.unchanged()); err != nil {
		return h.again(w, r, c, f, err)
	}
	return redirectDone(w, c, "saved")
}

// overlaps are what can become of the present key when a token gets another one. The
// values are durations.
var overlaps = []choice{
	{"0s", "Stop it at once", "If somebody else may have it."},
	{"1h0m0s", "Keep it for another hour", ""},
	{"24h0m0s", "Keep it for another day", ""},
	{"168h0m0s", "Keep it for another 7 days", ""},
}

func (h *Handler) rotate(w http.ResponseWriter, r *http.Request, c call) error {
	f := formOf(r)
	overlap, err := time.ParseDuration(f.Overlap)
	if err != nil || !offers(overlaps, f.Overlap) {
		return h.again(w, r, c, f, &authtoken.ValidationError{Fields: []authtoken.FieldError{
			{Field: "overlap", Code: codeNotOffered}}})
	}
	token, key, err := c.access.Rotate(r.Context(), c.Token, overlap, f.unchanged())
	if err != nil {
		return h.again(w, r, c, f, err)
	}
	return h.renderKey(w, r, c, token, key)
}

func (h *Handler) revoke(w http.ResponseWriter, r *http.Request, c call) error {
	f := formOf(r)
	if err := c.access.Delete(r.Context(), c.Token, f.unchanged()); err != nil {
		return h.again(w, r, c, f, err)
	}
	return redirectDone(w, c, "revoked")
}

// renderKey answers with a key, which nobody sees again.
func (h *Handler) renderKey(w http.ResponseWriter, r *http.Request, c call, t authtoken.Token, key authtoken.Key) error {
	is := h.details(r, c, t)[0]
	return h.render(w, http.StatusOK, c, "key", "Key of “"+is.Name+"”", struct {
		Is  details
		Key string
	}{is, key.Reveal()})
}
