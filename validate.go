package authtoken

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/authtoken/authtoken/store"
)

const maxIdentifierLength = 255 // characters

// apply checks p and makes r what p asks for, on behalf of by. A record of version 0 is one in the making. Other
// tokens are not looked at unless something is wrong with p: whether names are
// taken is for the store to say, at the moment of writing.
func (s *Service) apply(ctx context.Context, r *store.Record, p *UpdateParams, by *actor, now time.Time) error {
	f := faults{slices.Clone(p.Invalid)}
	before := *r

	if p.Managed != nil && !f.has("managed") {
		r.Managed = f.text("managed", *p.Managed, before.Managed, s.policy.MaxTextLength)
		switch {
		case f.has("managed"):
		case r.Managed == "" && *p.Managed != "":
			f.add("managed", CodeBlank, msgBlank)
		case r.Managed != before.Managed && !by.seesAll() && !s.policy.UsersSetManaged:
			f.add("managed", CodeDenied, "Only administrators may set or change this.")
		}
	}
	if p.Identifier != nil && !f.has("identifier") {
		r.Identifier = f.identifier(*p.Identifier)
	}
	if p.Intent != nil && !f.has("intent") {
		if !p.Intent.Valid() {
			f.add("intent", CodeChoice, fmt.Sprintf(`"%s" is not a valid choice.`, *p.Intent))
		}
		r.Intent = string(*p.Intent)
	}
	owner, err := s.ownerFor(ctx, r, p.User, by, &f)
	if err != nil {
		return err
	}
	if p.Description != nil && !f.has("description") {
		r.Description = f.text("description", *p.Description, before.Description, s.policy.MaxTextLength)
	}
	if p.Expires != nil && !f.has("expires") && !p.Expires.IsZero() {
		if y := p.Expires.UTC().Year(); y < 1 || y > 9999 || p.Expires.Truncate(time.Microsecond).IsZero() {
			f.add("expires", CodeInvalid, "Datetime value out of range.")
		}
	}
	if len(f.fields) > 0 {
		return s.addTaken(ctx, r, f)
	}

	// What depends on several fields comes second, as it does in authentik: a
	// caller who has a field wrong is not told about these.
	chosen := p.Expiring != nil && by.seesAll()
	switch {
	case chosen:
		r.Expiring = *p.Expiring
	case r.Version == 0:
		r.Expiring = by.seesAll() || by.user.makesExpiring() || !by.ends.IsZero()
	}
	if p.Intent != nil && !s.policy.allowed(by, *p.Intent) {
		f.add("intent", CodeDenied, "Invalid intent "+r.Intent)
	}
	if chosen && !r.Expiring && !s.policy.OptionalExpiry && owner.makesExpiring() &&
		!s.policy.latest(Intent(r.Intent), &owner, now).IsZero() {
		f.add("expiring", CodeDenied, "Token must expire, as there is a maximum lifetime.")
	}
	if fault := s.policy.setExpiry(r, &before, p.Expires, by, &owner, now); fault != nil {
		f.fields = append(f.fields, *fault)
	}
	by.confine(r, p, &f)
	if len(f.fields) > 0 {
		taken := s.addTaken(ctx, r, faults{})
		if taken != nil {
			return taken
		}
	}
	return f.err()
}

// ownerFor returns the user that r belongs to or, if it is in the making,
// will belong to. asked is the pk that the caller named, nil for none.
func (s *Service) ownerFor(ctx context.Context, r *store.Record, asked *int64, by *actor, f *faults) (User, error) {
	creating := r.Version == 0
	if asked != nil && !f.has("user") {
		named, err := s.user(ctx, *asked, by)
		switch {
		case errors.Is(err, ErrUserNotFound):
			f.add("user", CodeMissing, fmt.Sprintf(`Invalid pk "%d" - object does not exist.`, *asked))
			return User{}, nil
		case err != nil:
			return User{}, err
		case !creating && *asked != r.User:
			f.add("user", CodeDenied, "User cannot be changed")
			return User{}, nil
		case !creating:
			return named, nil
		case by.seesAll():
			r.User = *asked
			return named, nil
		}
	}
	switch {
	case f.has("user"):
		return User{}, nil
	case creating && by.trusted:
		f.add("user", CodeRequired, msgRequired)
		return User{}, nil
	case creating:
		r.User = by.user.PK
		return by.user, nil
	}
	return s.owner(ctx, r.User, by)
}

// addTaken adds to f which of r's names another token has, and returns what
// f has come to.
func (s *Service) addTaken(ctx context.Context, r *store.Record, f faults) error {
	if r.Identifier != "" && !f.has("identifier") {
		other, err := s.store.Get(ctx, r.Identifier)
		switch {
		case err == nil && other.PK != r.PK:
			f.addTaken(store.FieldIdentifier)
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
			f.addTaken(store.FieldManaged)
		}
	}
	return f.err()
}

func (f *faults) addTaken(field store.Field) {
	switch field {
	case store.FieldManaged:
		f.add("managed", CodeTaken, "Token with this Managed by authentik already exists.")
	case store.FieldDigest:
		f.add("key", CodeTaken, "Token with this key already exists.")
	default:
		f.add("identifier", CodeTaken, "Token with this identifier already exists.")
	}
}

// identifier returns what is left of v when it is trimmed, after noting what is
// wrong with it.
func (f *faults) identifier(v string) string {
	v = trim(v)
	if v == "" {
		f.add("identifier", CodeBlank, msgBlank)
		return ""
	}
	if utf8.RuneCountInString(v) > maxIdentifierLength {
		f.add("identifier", CodeTooLong, fmt.Sprintf("Ensure this field has no more than %d characters.", maxIdentifierLength))
	}
	if strings.ContainsRune(v, 0) {
		f.add("identifier", CodeInvalid, msgNull)
	}
	if !consistsOf(v, digits+"_-") {
		f.add("identifier", CodeInvalid, `Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.`)
	}
	return v
}

// text does the same for any other text, of up to maxLength characters. What the
// field has already may be longer, since clients send back what they have got.
func (f *faults) text(field, v, before string, maxLength int) string {
	if !utf8.ValidString(v) {
		f.add(field, CodeInvalid, msgNotText)
	}
	v = trim(v)
	if utf8.RuneCountInString(v) > maxLength && v != trim(before) {
		f.add(field, CodeTooLong, fmt.Sprintf("Ensure this field has no more than %d characters.", maxLength))
	}
	if strings.ContainsRune(v, 0) {
		f.add(field, CodeInvalid, msgNull)
	}
	return v
}

// isText reports whether a store can be asked for s: see package store.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// trim removes the white space around s.
func trim(s string) string { return strings.TrimFunc(s, isSpace) }

// isSpace is what Python's str.strip and str.split take for white space: they
// know four separators more than unicode.IsSpace.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }
