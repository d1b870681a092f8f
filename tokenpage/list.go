package tokenpage

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/authtoken/authtoken"
)

const pageSize = 20

// details are a token as a page shows it.
type details struct {
	authtoken.Token
	Name    string // shortened
	Full    string // the description, if Name does not show all of it
	Lines   bool   // the description has several
	Kind    string
	Owner   string // for superusers
	Expiry  moment
	LastUse moment
	Made    moment
	OldKey  moment // until when the key before stays good; zero if it does not
	Expired bool
	Soon    bool // it expires soon
}

func (h *Handler) details(r *http.Request, c call, t authtoken.Token) details {
	d := details{
		Token:   t,
		Name:    shorten(nameOf(t)),
		Lines:   strings.ContainsAny(t.Description, "\r\n"),
		Kind:    intentChoice(t.Intent).Label,
		Expiry:  expiry(t, c.now),
		LastUse: lastUse(t, c.now),
		Made:    moment{ago(c.now.Sub(t.Created)), t.Created},
		Expired: t.Expired(c.now),
		Soon:    t.Expired(c.now.Add(soon)),
	}
	if line := oneLine(t.Description); line != "" && (d.Lines || d.Name != line) {
		d.Full = t.Description
	}
	until := t.RetiredUntil
	if t.Expired(until) {
		until = t.Expires
	}
	if c.now.Before(until) {
		d.OldKey = moment{"for " + span(until.Sub(c.now)), until}
	}
	if c.user.Superuser {
		d.Owner = h.owner(r, c, t)
	}
	return d
}

// owner returns what to call the owner of t.
func (h *Handler) owner(r *http.Request, c call, t authtoken.Token) string {
	if _, ok := c.owners[t.User]; !ok {
		h.nameOwners(r, c, []authtoken.Token{t})
	}
	return c.owners[t.User]
}

// nameOwners notes what to call the owners of tokens. The page does without the
// directory if need be: a key that it shows must not get lost.
func (h *Handler) nameOwners(r *http.Request, c call, tokens []authtoken.Token) {
	owners, err := c.access.Owners(r.Context(), tokens)
	if err != nil {
		h.logError(r, "owners of tokens can't be shown", err)
	}
	for _, t := range tokens {
		u := owners[t.User]
		c.owners[t.User] = cmp.Or(u.Username, "user "+t.User)
	}
}

// listing is what the list shows.
type listing struct {
	Notice string
	Rows   []details
	Count  int
	Number int
	Pages  int
	Before *place // the page before this one, if there is one
	After  *place
	Faults faults
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, c call) error {
	// Primary keys are in the order in which tokens were made, and need no sorting.
	f := authtoken.Filter{Words: strings.Fields(c.Search), Order: []authtoken.Order{{Field: "pk", Desc: true}}}
	if c.ByName { // those that are called by their identifier come first
		f.Order = []authtoken.Order{{Field: "description"}, {Field: "identifier"}}
	}
	page, err := c.access.Page(r.Context(), f, c.Page, pageSize)
	if errors.Is(err, authtoken.ErrNoPage) {
		return redirect(w, c.At(1)) // what was on it is gone
	}
	l := listing{Count: page.Count, Number: page.Number, Pages: page.Pages}
	status := http.StatusOK
	if err != nil {
		var refused form
		if status = refused.refused(err); status == 0 {
			return err
		}
		l.Faults = refused.Faults
	}
	l.Notice = takeNotice(w, r)
	if c.Page > 1 {
		l.Before = new(c.At(c.Page - 1))
	}
	if c.Page < page.Pages {
		l.After = new(c.At(c.Page + 1))
	}
	if c.user.Superuser {
		h.nameOwners(r, c, page.Tokens)
	}
	for _, t := range page.Tokens {
		l.Rows = append(l.Rows, h.details(r, c, t))
	}
	v := h.view(c, "Access tokens")
	v.Main = l
	return h.render(w, status, "list", v)
}
