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

// apply checks p and makes r what p asks for, on behalf of by. A record of version 0
// is in the making.
//
// Other tokens are not looked at unless something is wrong with p. Whether names
// are taken is for the store to say, at the moment of writing.
func (s *Service) apply(ctx context.Context, r *store.Record, p *UpdateParams, by *actor, now time.Time) error {
	before, f := *r, faults(slices.Clone(p.Invalid))
	s.setTexts(r, p, by, &f)
	s.setIntent(r, p, by, &f)
	owner, err := s.setOwner(ctx, r, p.User, by, &f)
	if err != nil {
		return err
	}
	if len(f) > 0 {
		return s.addTaken(ctx, r, f)
	}

	// Rules that look at several fields come second. Whoever has a field wrong is
	// not told about them.
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

// setTexts sets the fields that are text.
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

func (s *Service) setIntent(r *store.Record, p *UpdateParams, by *actor, f *faults) {
	if p.Intent != nil && !f.has("intent") {
		if !p.Intent.Valid() {
			f.add(FieldError{Field: "intent", Code: CodeChoice, Value: string(*p.Intent)})
		}
		r.Intent = string(*p.Intent)
	}
	// A time that the policy overwrites need not fit into a store.
	overwritten := s.policy.fixesExpiry(r) && !by.trusted
	if p.Expires != nil && !f.has("expires") && !overwritten && !storable(*p.Expires) {
		f.addCode("expires", CodeInvalid)
	}
}

// setOwner returns the user that r belongs to or, if it is in the making, will belong
// to. asked is the ID that was named.
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
		// The clock of whoever made the user may be ahead of this one.
		if made := toMicrosecond(owner.Created); r.Created.Before(made) {
			r.Created = made
		}
	}
	return owner, err
}

// namedOwner looks up the user that was named as the owner.
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

// addTaken adds to f which of r's names another token has, and returns what
// f has come to.
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

// explainTaken turns a store's error about a value that another token has into a
// ValidationError about all such values.
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

// identifier returns v without the white space around it, after noting what is
// wrong with it.
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

// text does the same for any other text, of up to limit characters. What the field
// has already may be longer, since clients send back what they have got.
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

// isText reports whether a store can be asked for s: see package store.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
