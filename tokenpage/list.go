package tokenpage

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/authtoken/authtoken"
)

const pageSize = 20

// details are what a page shows of a token.
type details struct {
	authtoken.Token
	Name    string // shortened
	Full    string // the description, if Name does not show all of it
	Lines   bool   // the description has several lines
	Kind    string
	Owner   string // for whoever sees the tokens of all
	Expiry  moment
	LastUse moment
	Made    moment
	OldKey  moment // when the old key stops working; zero if it has
	Expired bool
	Soon    bool // it expires soon
	Open    bool // no lock keeps the user from changing it

	Limits    string // what a limited token may do; empty if it is not limited
	Where     string // where the key may come from; empty for anywhere
	Elsewhere bool   // the key does not work from where the user is
}

// details returns what a page shows of tokens. If the directory fails, it shows the IDs of
// owners, so that a key is shown all the same.
func (h *Handler) details(r *http.Request, c call, tokens ...authtoken.Token) []details {
	from, list := h.from(r), make([]details, len(tokens))
	for i, t := range tokens {
		list[i] = detailsOf(t, c.now)
		list[i].Open = !t.Locked || c.seesAll
		list[i].Limits = strings.Join(h.scopeTitles(t), ", ")
		list[i].Where, list[i].Elsewhere = strings.Join(networkTexts(t), ", "), elsewhere(t, from)
	}
	if !c.seesAll {
		return list
	}
	owners, err := c.access.Owners(r.Context(), tokens)
	if err != nil {
		h.logError(r, "owners of tokens can't be shown", err)
	}
	for i, t := range tokens {
		list[i].Owner = cmp.Or(owners[t.User].Username, "user "+t.User)
	}
	return list
}

func detailsOf(t authtoken.Token, now time.Time) details {
	d := details{
		Token:   t,
		Name:    shorten(nameOf(t)),
		Lines:   strings.ContainsAny(t.Description, "\r\n"),
		Kind:    kinds[t.Intent].Label,
		Expiry:  expiry(t, now),
		LastUse: lastUse(t, now),
		Made:    moment{ago(now.Sub(t.Created)), t.Created},
		Expired: t.Expired(now),
		Soon:    t.Expired(now.Add(soon)),
	}
	if line := oneLine(t.Description); line != "" && (d.Lines || d.Name != line) {
		d.Full = t.Description
	}
	until := t.RetiredUntil
	if t.Expired(until) {
		until = t.Expires
	}
	if now.Before(until) {
		d.OldKey = moment{"for " + span(until.Sub(now)), until}
	}
	return d
}

// listing is the data of the list.
type listing struct {
	authtoken.Page
	Notice string
	Rows   []details
	Before *place // the page before this one; nil if there is none
	After  *place
	Faults faults
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, c call) error {
	// Primary keys are in the order in which tokens were made. Stores need not sort them.
	f := authtoken.Filter{Words: strings.Fields(c.Search), Order: []authtoken.Order{{Field: "pk", Desc: true}}}
	if c.ByName { // tokens without a description come first
		f.Order = []authtoken.Order{{Field: "description"}, {Field: "identifier"}}
	}
	page, err := c.access.Page(r.Context(), f, c.Page, pageSize)
	if errors.Is(err, authtoken.ErrNoPage) {
		return redirect(w, c.At(1)) // its tokens are gone
	}
	l := listing{Page: page}
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
	l.Rows = h.details(r, c, page.Tokens...)
	return h.render(w, status, c, "list", "Access tokens", l)
}
