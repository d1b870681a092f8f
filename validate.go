package authtoken

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/authtoken/authtoken/store"
)

const maxIdentifierLength = 255 // characters

// apply checks p and changes r as p asks, on behalf of by. If the version of r is 0, the
// token is being created.
//
// apply reads other tokens only if p has faults, to report taken names as well. Otherwise
// the store says whether a name is taken, when it writes.
func (s *Service) apply(ctx context.Context, r *store.Record, p *UpdateParams, by *actor, now time.Time) error {
	before, f := *r, faults(slices.Clone(p.Invalid))
	s.setTexts(r, p, by, &f)
	f.setIntent(r, p)
	s.checkExpires(r, p, by, &f)
	s.setScopes(r, p.Scopes, by, &f)
	f.setNetworks(r, p.Networks, by)
	f.setMetadata(r, p.Metadata, by)
	owner, err := s.setOwner(ctx, r, p.User, by, &f)
	if err != nil {
		return err
	}
	if err := by.setState(r, p.Suspended); err != nil {
		return err
	}
	if len(f) > 0 {
		return s.addTaken(ctx, r, f)
	}

	// Rules about several fields come second. They are not checked if a single field is
	// wrong.
	if p.Intent != nil && !s.policy.allowed(by, *p.Intent) {
		f.add(FieldError{Field: "intent", Code: CodeDenied, Value: r.Intent})
	}
	expiry{&s.policy, by, &owner, &before}.set(r, p, &f, now)
	if len(f) > 0 {
		if taken := s.addTaken(ctx, r, nil); taken != nil {
			return taken
		}
	}
	return f.err()
}

// setTexts sets the fields that are text. Like all functions here that take f, it adds
// what is wrong to f, and leaves alone a field that f already names.
func (s *Service) setTexts(r *store.Record, p *UpdateParams, by *actor, f *faults) {
	if p.Identifier != nil && !f.has("identifier") {
		r.Identifier = f.identifier(*p.Identifier)
	}
	if p.Description != nil && !f.has("description") {
		r.Description = f.text("description", *p.Description, r.Description, s.policy.MaxTextLength)
	}
	if p.Managed != nil && !f.has("managed") {
		before := r.Managed
		r.Managed = f.text("managed", *p.Managed, before, s.policy.MaxTextLength)
		switch {
		case f.has("managed"):
		case r.Managed == "" && *p.Managed != "":
			f.addCode("managed", CodeBlank)
		case r.Managed != before && !by.seesAll() && !s.policy.UsersSetManaged:
			f.addCode("managed", CodeDenied)
		}
	}
}

func (f *faults) setIntent(r *store.Record, p *UpdateParams) {
	if p.Intent != nil && !f.has("intent") {
		if !p.Intent.Valid() {
			f.add(FieldError{Field: "intent", Code: CodeChoice, Value: string(*p.Intent)})
		}
		r.Intent = string(*p.Intent)
	}
}

// checkExpires checks the time by itself. If the policy will overwrite it, no store needs to
// be able to hold it. r already has its new intent.
func (s *Service) checkExpires(r *store.Record, p *UpdateParams, by *actor, f *faults) {
	overwritten := s.policy.fixesExpiry(r) && !by.trusted
	if p.Expires != nil && !f.has("expires") && !overwritten && !storable(*p.Expires) {
		f.addCode("expires", CodeInvalid)
	}
}

// setOwner returns the owner of r. If the token is being created, it sets the owner.
// asked is the ID that the parameters name, or nil.
func (s *Service) setOwner(ctx context.Context, r *store.Record, asked *string, by *actor, f *faults) (owner User, err error) {
	creating := r.Version == 0
	switch {
	case f.has("user"):
		return User{}, nil
	case asked != nil:
		owner, err = s.namedOwner(ctx, r, *asked, by, f)
	case !creating:
		owner, err = s.owner(ctx, r.User, by)
	case by.trusted:
		f.addCode("user", CodeRequired)
	default:
		owner = by.user
	}
	if creating && err == nil && owner.ID != "" {
		r.User = owner.ID
		// The user may have been made by a clock that is ahead of ours.
		if made := toMicrosecond(owner.Created); r.Created.Before(made) {
			r.Created = made
		}
	}
	return owner, err
}

// namedOwner returns the owner if the parameters name the user with this ID as owner.
func (s *Service) namedOwner(ctx context.Context, r *store.Record, id string, by *actor, f *faults) (User, error) {
	named, err := s.user(ctx, id, by)
	switch {
	case errors.Is(err, ErrUserNotFound):
		f.add(FieldError{Field: "user", Code: CodeNotFound, Value: id})
		return User{}, nil
	case err != nil:
		return User{}, err
	case r.Version != 0 && id != r.User: // a token never changes owner
		f.add(FieldError{Field: "user", Code: CodeDenied, Value: id})
		return User{}, nil
	case r.Version == 0 && !by.seesAll():
		return by.user, nil
	}
	return named, nil
}

// addTaken adds a fault to f for each unique field of r whose value another token has,
// and returns f as an error.
func (s *Service) addTaken(ctx context.Context, r *store.Record, f faults) error {
	if r.Identifier != "" && !f.has("identifier") {
		other, err := s.store.Get(ctx, r.Identifier)
		switch {
		case err == nil && other.PK != r.PK:
			f.addCode("identifier", CodeTaken)
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	if r.Managed != "" && !f.has("managed") {
		others, err := s.store.List(ctx, store.Query{Managed: r.Managed, Limit: 1})
		if err != nil {
			return err
		}
		if len(others) > 0 && others[0].PK != r.PK {
			f.addCode("managed", CodeTaken)
		}
	}
	return f.err()
}

// explainTaken turns a store's error about one taken value into a ValidationError about
// all taken values of r. It returns any other error as it is.
func (s *Service) explainTaken(ctx context.Context, r *store.Record, err error) error {
	taken, ok := errors.AsType[*store.TakenError](err)
	if !ok {
		return err
	}
	field := string(taken.Field)
	if taken.Field == store.FieldDigest {
		field = "key"
	}
	return s.addTaken(ctx, r, faults{{Field: field, Code: CodeTaken}})
}

// identifier returns v without white space at its ends, and adds what is wrong with it.
func (f *faults) identifier(v string) string {
	v = strings.TrimSpace(v)
	if v == "" {
		f.addCode("identifier", CodeBlank)
		return ""
	}
	f.checkLength("identifier", v, maxIdentifierLength)
	if strings.ContainsRune(v, 0) {
		f.addCode("identifier", CodeNullCharacter)
	}
	if !consistsOf(v, digits+"_-") {
		f.addCode("identifier", CodeInvalid)
	}
	return v
}

// text does the same for any other text of up to limit characters. The text before, which
// the field has now, may be longer, since clients send back what they received.
func (f *faults) text(field, v, before string, limit int) string {
	if !utf8.ValidString(v) {
		f.addCode(field, CodeNotText)
	}
	v = strings.TrimSpace(v)
	if v != strings.TrimSpace(before) {
		f.checkLength(field, v, limit)
	}
	if strings.ContainsRune(v, 0) {
		f.addCode(field, CodeNullCharacter)
	}
	return v
}

func (f *faults) checkLength(field, v string, limit int) {
	if length(v) > limit {
		f.add(FieldError{Field: field, Code: CodeTooLong, Limit: limit})
	}
}

// length returns how many characters s has.
func length(s string) int { return utf8.RuneCountInString(s) }

// isText reports whether s is a text as package store requires it.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
