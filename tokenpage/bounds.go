package tokenpage

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/authtoken/authtoken"
)

// What a form says about what a token may do: everything, or some of the scopes.
const (
	accessAll  = "all"
	accessSome = "some"
)

// scopesOffered is what a user can choose that a token may do. Without any choice, the form
// does not ask.
type scopesOffered struct {
	All     bool     // the user can choose everything
	Offered []choice // scopes
}

// Scoped reports whether there is a choice.
func (o scopesOffered) Scoped() bool { return o.All || len(o.Offered) > 0 }

// scopesOffered returns what the user can choose for a token that has these scopes already.
// There is no choice if the policy has no catalogue.
func (h *Handler) scopesOffered(c call, has authtoken.Scopes) scopesOffered {
	var o scopesOffered
	if len(h.policy.Scopes) == 0 {
		return o
	}
	o.All = !h.policy.MustLimit || c.seesAll || has == authtoken.ScopeAll
	kept := has.Names()
	for _, s := range h.policy.Scopes {
		if slices.Contains(kept, s.Name) || !s.Superuser || c.seesAll {
			o.Offered = append(o.Offered, choice{Value: s.Name, Label: s.Title})
		}
	}
	for _, name := range kept {
		if name != authtoken.ScopeAll && !offers(o.Offered, name) {
			o.Offered = append(o.Offered, choice{name, name, "This does not exist any more."})
		}
	}
	return o
}

// boundsForm is the data of the part of a form that limits a token.
type boundsForm struct {
	*form
	scopesOffered
	From string // where the user comes from; empty if that is not known
}

// bounds returns the part of a form that limits a token, which has these scopes already.
func (h *Handler) bounds(r *http.Request, c call, f *form, has authtoken.Scopes) boundsForm {
	b := boundsForm{form: f, scopesOffered: h.scopesOffered(c, has)}
	if !b.Scoped() {
		f.Faults.unlink("access")
	}
	if from := h.from(r); from.IsValid() {
		b.From = from.String()
	}
	return b
}

// Chosen reports whether the form has chosen a scope.
func (f *form) Chosen(scope string) bool { return slices.Contains(f.Scopes, scope) }

// scopes returns the scopes that the form asks for, as UpdateParams has them. Nil means that
// the form has no such part.
func (f *form) scopes(offered scopesOffered, invalid *[]authtoken.FieldError) []string {
	switch {
	case !offered.Scoped(), f.Access == nil:
		return nil
	case *f.Access == accessAll:
		return []string{authtoken.ScopeAll}
	case *f.Access == accessSome && len(f.Scopes) > 0:
		return f.Scopes
	}
	*invalid = append(*invalid, authtoken.FieldError{Field: "scopes", Code: authtoken.CodeRequired})
	return nil
}

// networks returns the networks that the form asks for, as UpdateParams has them. Nil means
// that the form has no such part.
func (f *form) networks(invalid *[]authtoken.FieldError) *[]netip.Prefix {
	if f.Networks == nil {
		return nil
	}
	var networks []netip.Prefix
	for _, text := range strings.FieldsFunc(*f.Networks, func(r rune) bool { return r == ',' || r <= ' ' }) {
		n, err := authtoken.ParseNetwork(text)
		if err != nil {
			*invalid = append(*invalid, authtoken.FieldError{Field: "networks", Code: authtoken.CodeInvalid, Value: text})
			return nil
		}
		networks = append(networks, n)
	}
	return &networks
}

// NetworksText returns the networks for the form.
func (f *form) NetworksText() string {
	if f.Networks == nil {
		return ""
	}
	return *f.Networks
}

// AccessIs reports whether the form has chosen this.
func (f *form) AccessIs(access string) bool { return f.Access != nil && *f.Access == access }

// setBounds sets what the form does not say to what a token has. Otherwise, a form that
// comes again would show a token without limits.
func (f *form) setBounds(t authtoken.Token) {
	if f.Networks == nil {
		f.Networks = new(strings.Join(networkTexts(t), "\n"))
	}
	switch {
	case f.Access != nil:
	case t.Scopes.Limited():
		f.Access, f.Scopes = new(accessSome), t.Scopes.Names()
	default:
		f.Access = new(accessAll)
	}
}

func networkTexts(t authtoken.Token) []string {
	var texts []string
	for _, n := range t.Networks {
		text := n.String()
		if n.IsSingleIP() {
			text = n.Addr().String()
		}
		texts = append(texts, text)
	}
	return texts
}

// from returns the address that r comes from. It is zero if that is not known.
func (h *Handler) from(r *http.Request) netip.Addr { return authtoken.ParseFrom(h.cfg.From(r)) }

// elsewhere reports whether the key of t does not work from this address.
func elsewhere(t authtoken.Token, from netip.Addr) bool {
	return t.Networks != nil && from.IsValid() &&
		!slices.ContainsFunc(t.Networks, func(n netip.Prefix) bool { return n.Contains(from) })
}

// scopeTitles returns what a limited token may do, in the words of the catalogue.
func (h *Handler) scopeTitles(t authtoken.Token) []string {
	if !t.Scopes.Limited() {
		return nil
	}
	titles := t.Scopes.Names()
	for _, s := range h.policy.Scopes {
		if i := slices.Index(titles, s.Name); i >= 0 {
			titles[i] = s.Title
		}
	}
	return titles
}
