package authtoken

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Errors to match with errors.Is.
var (
	// ErrNotFound means that there is no such token, or that the actor may not
	// know of it.
	ErrNotFound = store.ErrNotFound

	// ErrStale means that a [Condition] does not hold, or that others change the
	// token so fast that the change could not be made.
	ErrStale = store.ErrStale

	// ErrForbidden means that the actor sees the token but may not do this, or is
	// nobody.
	ErrForbidden = errors.New("not permitted")

	// ErrNoPage means that a list has no page of this number.
	ErrNoPage = errors.New("no such page")

	// ErrUserNotFound is what a [Directory] returns for an ID that no user has.
	ErrUserNotFound = errors.New("user not found")

	// ErrNoSealer means that the key of a token can't be shown again: it is kept as a
	// digest only, or it was sealed with a secret that the [Sealer] does not have. A
	// Sealer that keeps its older secrets changes that for keys made from then on.
	ErrNoSealer = errors.New("there is no sealer that opens the key")

	// ErrRefused is matched by all errors that say why a key was refused. The
	// reason is for the application. Whoever presented the key must not learn it:
	// it tells an attacker which keys exist.
	ErrRefused = errors.New("key refused")

	// The reasons. ErrUserInactive also means that the owner is not in the
	// directory any more, and is what [Service.As] returns for a user who is not
	// active. ErrKeyUser also means that the token is older than its owner: see
	// Created of [User].
	ErrKeyUnknown   = fmt.Errorf("%w: no token has it", ErrRefused)
	ErrKeyExpired   = fmt.Errorf("%w: its token has expired", ErrRefused)
	ErrKeyRetired   = fmt.Errorf("%w: it has been replaced", ErrRefused)
	ErrKeyIntent    = fmt.Errorf("%w: its token is for something else", ErrRefused)
	ErrKeyUser      = fmt.Errorf("%w: it is not that user's", ErrRefused)
	ErrUserInactive = fmt.Errorf("%w: the user is not active", ErrRefused)
)

// ValidationError says everything that is wrong with the parameters of a call.
// Nothing was stored.
type ValidationError struct {
	// Fields has at least one entry. Those of one field stand together.
	Fields []FieldError
}

// Error lists all faults.
func (e *ValidationError) Error() string {
	faults := make([]string, len(e.Fields))
	for i := range e.Fields {
		faults[i] = e.Fields[i].Error()
	}
	return "invalid input: " + strings.Join(faults, "; ")
}

// Has reports whether the error says code about field.
func (e *ValidationError) Has(field string, code Code) bool {
	return slices.ContainsFunc(e.Fields, func(f FieldError) bool {
		return f.Field == field && f.Code == code
	})
}

// FieldError is one thing that is wrong with one field. Field and Code say what.
// The rest is there for whoever writes a message in other words than Error does.
type FieldError struct {
	Field string // such as "identifier" or "expires"; empty for the token as a whole
	Code  Code

	Value  string    // what was given, with CodeChoice, CodeDenied, CodeBeyondKey and CodeNotFound
	Limit  int       // how many are allowed, with CodeTooLong, CodeTooShort and CodeTooMany
	Latest time.Time // the last time that is allowed, with CodeTooLate, and with CodeBeyondKey about "expires"
}

// Code is a kind of fault in a field, for programs to match.
type Code string

const (
	CodeRequired      Code = "required"       // not given
	CodeBlank         Code = "blank"          // nothing but white space
	CodeInvalid       Code = "invalid"        // of the wrong form
	CodeNotText       Code = "not_text"       // not UTF-8
	CodeNullCharacter Code = "null_character" // has a null character
	CodeChecksum      Code = "checksum"       // a key of our form with a slip in it
	CodeTooLong       Code = "too_long"       // more than Limit characters, or bytes of a key
	CodeTooShort      Code = "too_short"      // a key of fewer than Limit bytes
	CodeTooLate       Code = "too_late"       // after Latest: longer than the owner's tokens may live
	CodeTooMany       Code = "too_many"       // more than Limit
	CodeChoice        Code = "choice"         // not one of the values there are
	CodeDenied        Code = "denied"         // a value that this actor may not choose
	CodeBeyondKey     Code = "beyond_key"     // more than the key of the actor is good for: see [Service.For]
	CodeNotFound      Code = "not_found"      // names something that does not exist
	CodeTaken         Code = "taken"          // another token has it
)

// Error says what is wrong in plain words, such as "identifier is taken".
func (e FieldError) Error() string {
	text, ok := words[e.Code]
	switch {
	case !ok:
		text = words[CodeInvalid]
	case e.Code == CodeTooLong && e.Field == "key":
		text = "is longer than LIMIT bytes"
	case e.Code == CodeTooMany && e.Field == "":
		text = "the owner has as many tokens as they may have: LIMIT"
	case e.Code == CodeBeyondKey && !e.Latest.IsZero():
		text = "is later than the end of the key that is used: LATEST"
	}
	text = strings.NewReplacer(
		"LIMIT", strconv.Itoa(e.Limit), "VALUE", strconv.Quote(e.Value), "LATEST", e.Latest.Format(time.RFC3339Nano),
	).Replace(text)
	return strings.TrimSpace(e.Field + " " + text)
}

// words are what Error says about each code. Words in capitals stand for what else a
// FieldError has.
var words = map[Code]string{
	CodeRequired:      "is required",
	CodeBlank:         "must not be blank",
	CodeInvalid:       "is invalid",
	CodeNotText:       "is not valid UTF-8",
	CodeNullCharacter: "has a null character",
	CodeChecksum:      "has a wrong checksum",
	CodeTooLong:       "is longer than LIMIT characters",
	CodeTooShort:      "is shorter than LIMIT bytes",
	CodeTooLate:       "is later than the owner's tokens may live: LATEST",
	CodeTooMany:       "has more than LIMIT",
	CodeChoice:        "VALUE is not one of the choices",
	CodeDenied:        "may not be chosen or changed by this user",
	CodeBeyondKey:     "is more than the key that is used is good for",
	CodeNotFound:      "VALUE does not exist",
	CodeTaken:         "is taken",
}

// fieldOrder is the order in which faults are reported.
var fieldOrder = []string{"identifier", "user", "intent", "description", "managed", "expires", "expiring"}

// faults collects what is wrong with a call's parameters.
type faults []FieldError

func (f *faults) add(e FieldError) { *f = append(*f, e) }

// addCode is add for a fault that a code says all about.
func (f *faults) addCode(field string, code Code) { f.add(FieldError{Field: field, Code: code}) }

func (f faults) has(field string) bool {
	return slices.ContainsFunc(f, func(e FieldError) bool { return e.Field == field })
}

// err returns nil if there were no faults.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	rank := func(e FieldError) int {
		if i := slices.Index(fieldOrder, e.Field); i >= 0 {
			return i
		}
		return len(fieldOrder)
	}
	slices.SortStableFunc(f, func(a, b FieldError) int { return rank(a) - rank(b) })
	return &ValidationError{Fields: f}
}

// fault is the error of a single fault.
func fault(e FieldError) error { return faults{e}.err() }
