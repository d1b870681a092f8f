package authtoken

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authtoken/authtoken/store"
)

// Scope is something that a token may be limited to, such as "notes:read". Scopes of
// [Policy] is the catalogue of them.
type Scope struct {
	// Name consists of 1 to 64 lower-case letters, digits, ":", ".", "_", "/" and "-".
	Name string

	// Title is what people read. Defaults to Name.
	Title string

	// Implies names the scopes that come with this one, and with them what they
	// imply. Tokens do not store them: they are looked up at each check.
	Implies []string

	// Superuser lets only superusers and trusted code give the scope. It counts only
	// while the owner of the token is a superuser.
	Superuser bool
}

// ScopeAll is the scope of a token that may do all that its owner may do. There is
// no other wildcard.
const ScopeAll = "*"

// Scopes are the scopes of a token: their names, sorted and separated by spaces, as
// RFC 6749, section 3.3, writes them. The zero Scopes permit nothing.
type Scopes string

// Names returns the names, or nil for none.
func (s Scopes) Names() []string { return strings.Fields(string(s)) }

// Limited reports whether the token may do less than its owner. It is false for
// [ScopeAll] alone.
func (s Scopes) Limited() bool { return s != ScopeAll }

func (s Scopes) has(name string) bool {
	for n := range strings.FieldsSeq(string(s)) {
		if n == name {
			return true
		}
	}
	return false
}

const (
	maxScopes          = 50
	maxScopeNameLength = 64
)

// catalogue is the scopes of a policy, by name.
type catalogue map[string]catalogued

type catalogued struct {
	superuser bool
	from      []string // the scopes that come with this one: itself, and those that imply it
}

// newCatalogue returns the catalogue of scopes that checkScopes finds nothing wrong with.
func newCatalogue(scopes []Scope) catalogue {
	c := make(catalogue, len(scopes))
	byName := make(map[string]Scope, len(scopes))
	for _, s := range scopes {
		c[s.Name] = catalogued{superuser: s.Superuser}
		byName[s.Name] = s
	}
	for _, s := range scopes {
		seen := map[string]bool{}
		var follow func(name string)
		follow = func(name string) {
			if seen[name] {
				return
			}
			seen[name] = true
			e := c[name]
			e.from = append(e.from, s.Name)
			c[name] = e
			for _, implied := range byName[name].Implies {
				follow(implied)
			}
		}
		follow(s.Name)
	}
	return c
}

// permits reports whether a token with the scopes held permits what scope is for, while
// its owner is a superuser or is not. A scope that is not in the catalogue permits
// nothing and is never permitted.
func (c catalogue) permits(held Scopes, scope string, superuser bool) bool {
	if scope == ScopeAll {
		return !held.Limited()
	}
	wanted, ok := c[scope]
	if !ok || wanted.superuser && !superuser {
		return false
	}
	if !held.Limited() {
		return true
	}
	for name := range strings.FieldsSeq(string(held)) {
		if slices.Contains(wanted.from, name) && (superuser || !c[name].superuser) {
			return true
		}
	}
	return false
}

// permitsAll reports whether held permits all of scopes. No scopes at all need
// [ScopeAll].
func (c catalogue) permitsAll(held Scopes, scopes []string, superuser bool) bool {
	if len(scopes) == 0 {
		return !held.Limited()
	}
	for _, s := range scopes {
		if !c.permits(held, s, superuser) {
			return false
		}
	}
	return true
}

// within reports whether a token with the scopes inner permits no more than one of
// the same owner with the scopes outer. A name that is not in the catalogue may come back,
// so outer must have it as well.
func (c catalogue) within(inner, outer Scopes, superuser bool) bool {
	if !outer.Limited() {
		return true
	}
	for name := range strings.FieldsSeq(string(inner)) {
		if !outer.has(name) && !c.permits(outer, name, superuser) {
			return false
		}
	}
	return true
}

// checkCatalogue returns all faults of the scopes of p.
func (p *Policy) checkCatalogue() (errs []error) {
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf("Config.Policy."+format, args...)) }
	names := make(map[string]Scope, len(p.Scopes))
	for _, s := range p.Scopes {
		if !isScopeName(s.Name) {
			fault("Scopes: %q is not 1 to %d lower-case letters, digits, and \":._/-\"", s.Name, maxScopeNameLength)
		}
		if _, twice := names[s.Name]; twice {
			fault("Scopes: %q occurs twice", s.Name)
		}
		names[s.Name] = s
	}
	for _, s := range p.Scopes {
		for _, implied := range s.Implies {
			of, ok := names[implied]
			if !ok {
				fault("Scopes: %q implies %q, which is not among them", s.Name, implied)
			}
			if of.Superuser && !s.Superuser {
				fault("Scopes: %q implies %q, which is for superusers, and so must be for them too", s.Name, implied)
			}
		}
	}
	if _, ok := names[p.ManageScope]; p.ManageScope != "" && !ok {
		fault("ManageScope: %q is not among Scopes", p.ManageScope)
	}
	if p.MustLimit && len(p.Scopes) == 0 {
		fault("MustLimit: there are no Scopes to limit tokens to")
	}
	if err := p.checkDefaultScopes(names); err != nil {
		fault("DefaultScopes: %w", err)
	}
	return errs
}

func (p *Policy) checkDefaultScopes(names map[string]Scope) error {
	switch {
	case p.DefaultScopes == nil:
		return nil
	case len(p.DefaultScopes) == 0:
		return errors.New("empty scopes permit nothing; nil is for none by default")
	case len(p.DefaultScopes) > maxScopes:
		return fmt.Errorf("more than %d", maxScopes)
	case slices.Equal(p.DefaultScopes, []string{ScopeAll}):
		if p.MustLimit {
			return fmt.Errorf("%q is not for users under MustLimit", ScopeAll)
		}
		return nil
	}
	for _, name := range p.DefaultScopes {
		if s, ok := names[name]; !ok {
			return fmt.Errorf("%q is not among Scopes", name)
		} else if s.Superuser {
			return fmt.Errorf("%q is for superusers", name)
		}
	}
	return nil
}

// copyScopes returns a copy of scopes in which each has a title.
func copyScopes(scopes []Scope) []Scope {
	scopes = slices.Clone(scopes)
	for i := range scopes {
		s := &scopes[i]
		s.Title, s.Implies = cmp.Or(s.Title, s.Name), slices.Clone(s.Implies)
	}
	return scopes
}

// shortened returns a text that is no scope, for an error message.
func shortened(name string) string {
	if len(name) <= maxScopeNameLength {
		return name
	}
	return strings.ToValidUTF8(name[:maxScopeNameLength], "") + "…"
}

func isScopeName(name string) bool {
	return name != "" && len(name) <= maxScopeNameLength && consistsOf(name, "abcdefghijklmnopqrstuvwxyz0123456789:._/-")
}

// scopesOf returns names in the form that is stored.
func scopesOf(names []string) Scopes {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	return Scopes(strings.Join(names, " "))
}

// setScopes sets the scopes of r. asked is nil if none were named.
func (s *Service) setScopes(r *store.Record, asked []string, by *actor, f *faults) {
	switch {
	case f.has("scopes"):
	case asked != nil:
		s.checkScopes(r, asked, by, f)
		r.Scopes = string(scopesOf(asked))
	case r.Version != 0: // they stay
	case by.isLimited():
		s.copyKeysScopes(r, by, f)
	case s.policy.DefaultScopes != nil:
		r.Scopes = string(scopesOf(s.policy.DefaultScopes))
	case len(s.policy.catalogue) == 0:
		r.Scopes = ScopeAll
	default:
		f.addCode("scopes", CodeRequired)
	}
}

// copyKeysScopes gives r the scopes of the acting key, except those that it may not give.
func (s *Service) copyKeysScopes(r *store.Record, by *actor, f *faults) {
	names := slices.DeleteFunc(by.scopes.Names(), func(name string) bool {
		scope, known := s.policy.catalogue[name]
		return !known || scope.superuser
	})
	if len(names) == 0 {
		f.addCode("scopes", CodeRequired)
	}
	r.Scopes = string(scopesOf(names))
}

// checkScopes notes what is wrong with the scopes that were asked for. What r has already
// may stay.
func (s *Service) checkScopes(r *store.Record, asked []string, by *actor, f *faults) {
	if len(asked) == 0 {
		f.addCode("scopes", CodeBlank)
	}
	if len(asked) > maxScopes {
		f.add(FieldError{Field: "scopes", Code: CodeTooMany, Limit: maxScopes})
		return
	}
	for _, name := range asked {
		scope, known := s.policy.catalogue[name]
		switch {
		case name == ScopeAll && len(asked) > 1:
			f.add(FieldError{Field: "scopes", Code: CodeInvalid, Value: name})
		case Scopes(r.Scopes).has(name):
		case name == ScopeAll:
			if s.policy.MustLimit && !by.seesAll() {
				f.add(FieldError{Field: "scopes", Code: CodeDenied, Value: name})
			}
		case !known:
			f.add(FieldError{Field: "scopes", Code: CodeChoice, Value: shortened(name)})
		case scope.superuser && !by.seesAll():
			f.add(FieldError{Field: "scopes", Code: CodeDenied, Value: name})
		}
	}
}
