package tokenpage

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/authtoken/authtoken"
)

// form has the values in a form: those that were sent, or those that it starts with.
type form struct {
	Name     string // on one line
	Intent   authtoken.Intent
	Expires  string // "" for the default, "never", "date" or a lifetime
	Date     string
	Overlap  string
	Revision string // of the token, when the form was shown

	// What the token may do, and where its key may come from. Nil if the form does not say.
	Access   *string
	Scopes   []string
	Networks *string // one on each line

	Faults faults
	Stale  bool // the token has another revision by now
}

func formOf(r *http.Request) *form {
	get := r.PostForm.Get
	optional := func(field string) *string {
		if !r.PostForm.Has(field) {
			return nil
		}
		return new(get(field))
	}
	return &form{
		Access:   optional("access"),
		Scopes:   r.PostForm["scope"],
		Networks: optional("networks"),
		Name:     oneLine(get("name")),
		Intent:   authtoken.Intent(get("intent")),
		Expires:  get("expires"),
		Date:     get("date"),
		Overlap:  get("overlap"),
		Revision: get("revision"),
	}
}

// formFor returns a form with the present values of a token.
func formFor(t authtoken.Token) *form {
	return &form{Name: nameOf(t), Overlap: time.Hour.String(), Revision: t.Revision()}
}

// checkName returns a fault if there is no name. The service does not require one.
func (f *form) checkName() []authtoken.FieldError {
	if f.Name != "" {
		return nil
	}
	return []authtoken.FieldError{{Field: "description", Code: authtoken.CodeBlank}}
}

// choice is one of the values that a field of a form offers.
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

// offers reports whether one of the choices has this value.
func offers(choices []choice, value string) bool {
	return slices.ContainsFunc(choices, func(c choice) bool { return c.Value == value })
}

// newForm is the data of the page that makes a token.
type newForm struct {
	boundsForm
	Intents   []choice // empty if there is no choice
	Lifetimes []choice
	Dates     bool   // the user can choose a day
	LastDay   string // the last day that can be chosen; empty if there is none
}

func (h *Handler) showNew(w http.ResponseWriter, r *http.Request, c call) error {
	return h.renderNew(w, r, http.StatusOK, c, &form{Intent: h.cfg.Intents[0]})
}

func (h *Handler) renderNew(w http.ResponseWriter, r *http.Request, status int, c call, f *form) error {
	n := newForm{boundsForm: h.bounds(r, c, f, ""), Lifetimes: h.lifetimes.choices(c.seesAll)}
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

// checkIntent adds a fault to p if the form does not offer its intent.
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
	h.lifetimes.setExpiry(&p, f, c.seesAll, c.now)
	if f.Access == nil {
		f.Access = new("") // a new token says what it may do
	}
	p.Scopes = f.scopes(h.scopesOffered(c, ""), &p.Invalid)
	if networks := f.networks(&p.Invalid); networks != nil {
		p.Networks = *networks
	}
	token, key, err := c.access.Create(r.Context(), p)
	if err != nil {
		return h.again(w, r, c, f, err)
	}
	return h.renderKey(w, r, c, token, key)
}

// about is the data of a page about one token.
type about struct {
	boundsForm
	Is       details // the present token
	Overlaps []choice
	Renews   bool // a new key comes with a new lifetime
}

// titles are those of the pages about one token. %s is its name.
var titles = map[string]string{"edit": "Token %s", "rotate": "New key for “%s”", "revoke": "Revoke “%s”"}

// showToken answers with a page about a token.
func (h *Handler) showToken(w http.ResponseWriter, r *http.Request, c call) error {
	token, err := c.access.Get(r.Context(), c.Token)
	if err != nil {
		return err
	}
	return h.renderToken(w, r, http.StatusOK, c, formFor(token), token)
}

// renderToken answers with a page about a token.
func (h *Handler) renderToken(w http.ResponseWriter, r *http.Request, status int, c call, f *form, token authtoken.Token) error {
	f.setBounds(token)
	if f.Stale {
		f.Revision = token.Revision() // the page shows this one, and the user may send the form again
	}
	is := h.details(r, c, token)[0]
	return h.render(w, status, c, c.Do, fmt.Sprintf(titles[c.Do], is.Name), about{
		boundsForm: h.bounds(r, c, f, token.Scopes), Is: is, Overlaps: overlaps,
		Renews: token.Intent == authtoken.IntentAPI && h.policy.FixedAPILifetime,
	})
}

// again shows the form again if err is about it. Otherwise it returns err.
func (h *Handler) again(w http.ResponseWriter, r *http.Request, c call, f *form, err error) error {
	status := f.refused(err)
	if status == 0 {
		return err
	}
	if c.Do == "new" {
		return h.renderNew(w, r, status, c, f)
	}
	token, err := c.access.Get(r.Context(), c.Token)
	if err != nil {
		return err
	}
	return h.renderToken(w, r, status, c, f, token)
}

// unchanged returns the condition that the token has not changed since the form was shown.
// It does not hold for a form without a revision, which is not from this page.
func (f *form) unchanged() authtoken.Condition { return authtoken.IfRevision(f.Revision) }

func (h *Handler) update(w http.ResponseWriter, r *http.Request, c call) error {
	f := formOf(r)
	token, err := c.access.Get(r.Context(), c.Token)
	if err != nil {
		return err
	}
	p := authtoken.UpdateParams{Invalid: f.checkName()}
	p.Scopes = f.scopes(h.scopesOffered(c, token.Scopes), &p.Invalid)
	p.Networks = f.networks(&p.Invalid)
	if f.Name != nameOf(token) { // otherwise the description keeps its lines
		p.Description = &f.Name
	}
	if _, err := c.access.Update(r.Context(), c.Token, p, f.unchanged()); err != nil {
		return h.again(w, r, c, f, err)
	}
	return redirectDone(w, c)
}

// overlaps are the choices for the present key when a token gets a new one. Their values
// are durations.
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
	return redirectDone(w, c)
}

// toEdit answers a GET of what only a form can do.
func (h *Handler) toEdit(w http.ResponseWriter, _ *http.Request, c call) error {
	return redirect(w, c.To("edit", c.Token))
}

// suspend suspends or resumes a token.
func (h *Handler) suspend(w http.ResponseWriter, r *http.Request, c call) error {
	suspended := c.Do == "suspend"
	_, err := c.access.Update(r.Context(), c.Token, authtoken.UpdateParams{Suspended: &suspended}, formOf(r).unchanged())
	return h.done(w, r, c, err)
}

// stop stops the previous key of a token.
func (h *Handler) stop(w http.ResponseWriter, r *http.Request, c call) error {
	_, err := c.access.EndOverlap(r.Context(), c.Token, formOf(r).unchanged())
	return h.done(w, r, c, err)
}

// done redirects to the list after a button of the page about a token, or shows that page
// again if the token has changed.
func (h *Handler) done(w http.ResponseWriter, r *http.Request, c call, err error) error {
	if err == nil {
		return redirectDone(w, c)
	}
	token, failure := c.access.Get(r.Context(), c.Token)
	if failure != nil {
		return failure
	}
	f := formFor(token)
	status := f.refused(err)
	if status == 0 {
		return err
	}
	c.Do = "edit"
	return h.renderToken(w, r, status, c, f, token)
}

// renderKey answers with a key. No other answer shows it.
func (h *Handler) renderKey(w http.ResponseWriter, r *http.Request, c call, t authtoken.Token, key authtoken.Key) error {
	is := h.details(r, c, t)[0]
	return h.render(w, http.StatusOK, c, "key", "Key of “"+is.Name+"”", struct {
		Is  details
		Key string
	}{is, key.Reveal()})
}
