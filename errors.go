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
	// ErrNotFound means that no such token exists, or that the actor may not see it.
	ErrNotFound = store.ErrNotFound

	// ErrStale means that a [Condition] does not hold. It can also mean that others
	// changed the token again and again, so that this change had no chance.
	ErrStale = store.ErrStale

	// ErrForbidden means that the actor may see the token but not do this to it, or that
	// the actor is nobody.
	ErrForbidden = errors.New("not permitted")

	// ErrNoPage means that a list has no page with this number.
	ErrNoPage = errors.New("no such page")

	// ErrUserNotFound is what a [Directory] returns for an ID that no user has.
	ErrUserNotFound = errors.New("user not found")

	// ErrNoSealer means that nobody can reveal the key of a token. Either the store has
	// only its digest, or the [Sealer] does not have the secret that sealed it.
	ErrNoSealer = errors.New("no sealer can open the key")

	// ErrRefused is matched by every error that says why a key was refused. The reason is
	// for the application. Do not tell the client: the reason would tell an attacker
	// which keys exist.
	ErrRefused = errors.New("key refused")

	// The reasons for ErrRefused. ErrKeyUser also means that the token is older than its
	// owner: see Created of [User]. ErrUserInactive also means that the owner is not in
	// the directory any more. It is the error of [Service.As] too, for an inactive user.
	ErrKeyUnknown   = fmt.Errorf("%w: no token has it", ErrRefused)
	ErrKeyExpired   = fmt.Errorf("%w: its token has expired", ErrRefused)
	ErrKeyRetired   = fmt.Errorf("%w: it has been replaced", ErrRefused)
	ErrKeyIntent    = fmt.Errorf("%w: its token has another intent", ErrRefused)
	ErrKeyUser      = fmt.Errorf("%w: it is not that user's", ErrRefused)
	ErrKeySuspended = fmt.Errorf("%w: its token is suspended", ErrRefused)
	ErrKeyAddress   = fmt.Errorf("%w: its token may not be used from this address", ErrRefused)
	ErrKeyScope     = fmt.Errorf("%w: its token lacks a scope", ErrRefused)
	ErrUserInactive = fmt.Errorf("%w: the user is not active", ErrRefused)
)

// ValidationError names faults in the parameters of a call: all those of single fields.
// If there are none, it names values that another token has; if there are none either, all
// faults against rules about several fields. The call has changed nothing.
type ValidationError struct {
	// Fields has at least one entry. The faults of one field stand together.
	Fields []FieldError
}

// Error lists all faults, separated by semicolons.
func (e *ValidationError) Error() string {
	faults := make([]string, len(e.Fields))
	for i := range e.Fields {
		faults[i] = e.Fields[i].Error()
	}
	return "invalid input: " + strings.Join(faults, "; ")
}

// Has reports whether field has a fault with this code.
func (e *ValidationError) Has(field string, code Code) bool {
	return slices.ContainsFunc(e.Fields, func(f FieldError) bool {
		return f.Field == field && f.Code == code
	})
}

// FieldError is one fault of one field. Field and Code say what is wrong. The other fields
// are for a program that writes messages of its own.
type FieldError struct {
	Field string // such as "identifier" or "expires"; empty for the token as a whole
	Code  Code

	Value  string    // the value at fault, or the one of several; empty if the field says it all
	Limit  int       // the limit, with CodeTooLong, CodeTooShort and CodeTooMany
	Latest time.Time // the latest time allowed, with CodeTooLate, and with CodeBeyondKey of "expires"
}

// Code says what kind of fault a field has, for programs to match.
type Code string

const (
	CodeRequired      Code = "required"       // missing
	CodeBlank         Code = "blank"          // empty or only white space
	CodeInvalid       Code = "invalid"        // has the wrong form
	CodeNotText       Code = "not_text"       // not UTF-8
	CodeNullCharacter Code = "null_character" // contains a null character
	CodeChecksum      Code = "checksum"       // a key of our form that is mistyped
	CodeTooLong       Code = "too_long"       // more than Limit characters; for a key and metadata, bytes
	CodeTooShort      Code = "too_short"      // a key of fewer than Limit bytes
	CodeTooLate       Code = "too_late"       // after Latest, which the owner's longest lifetime allows
	CodeTooMany       Code = "too_many"       // more than Limit
	CodeChoice        Code = "choice"         // not one of the possible values
	CodeDenied        Code = "denied"         // a value that this actor may not choose
	CodeBeyondKey     Code = "beyond_key"     // beyond the limits of the acting key: see [Service.For]
	CodeNotFound      Code = "not_found"      // names something that does not exist
	CodeTaken         Code = "taken"          // another token has the value
)

// Error says what is wrong in plain words, such as "identifier is taken".
func (e FieldError) Error() string {
	text, ok := words[e.Code]
	switch {
	case !ok:
		text = words[CodeInvalid]
	case e.Code == CodeTooLong && (e.Field == "key" || e.Field == "metadata"):
		text = "is longer than LIMIT bytes"
	case e.Code == CodeTooMany && e.Field == "":
		text = "the owner has reached the limit of LIMIT tokens"
	case e.Code == CodeBeyondKey && !e.Latest.IsZero():
		text = "is after the acting key ends: LATEST"
	}
	text = strings.NewReplacer(
		"LIMIT", strconv.Itoa(e.Limit), "VALUE", strconv.Quote(e.Value), "LATEST", e.Latest.Format(time.RFC3339Nano),
	).Replace(text)
	if e.Value != "" && (e.Field == "scopes" || e.Field == "networks") && e.Code != CodeChoice {
		text = strconv.Quote(e.Value) + " " + text // which one of several
	}
	return strings.TrimSpace(e.Field + " " + text)
}

// words has the message of each code. LIMIT, VALUE and LATEST stand for the fields of a
// FieldError.
var words = map[Code]string{
	CodeRequired:      "is required",
	CodeBlank:         "must not be blank",
	CodeInvalid:       "is invalid",
	CodeNotText:       "is not valid UTF-8",
	CodeNullCharacter: "has a null character",
	CodeChecksum:      "has a wrong checksum",
	CodeTooLong:       "is longer than LIMIT characters",
	CodeTooShort:      "is shorter than LIMIT bytes",
	CodeTooLate:       "is after the latest time allowed: LATEST",
	CodeTooMany:       "has more than LIMIT",
	CodeChoice:        "VALUE is not one of the choices",
	CodeDenied:        "may not be chosen or changed by this user",
	CodeBeyondKey:     "is beyond the limits of the acting key",
	CodeNotFound:      "VALUE does not exist",
	CodeTaken:         "is taken",
}

// fieldOrder is the order in which faults are reported. Other fields come last.
var fieldOrder = []string{"identifier", "user", "intent", "description", "managed", "expires", "expiring",
	"scopes", "networks", "suspended", "metadata"}

// faults collects the faults of a call's parameters.
type faults []FieldError

func (f *faults) add(e FieldError) { *f = append(*f, e) }

// addCode adds a fault that needs no more than a code.
func (f *faults) addCode(field string, code Code) { f.add(FieldError{Field: field, Code: code}) }

func (f faults) has(field string) bool {
	return slices.ContainsFunc(f, func(e FieldError) bool { return e.Field == field })
}

// err returns a ValidationError with all faults, in their order, or nil if there are none.
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

// fault returns a ValidationError with one fault.
func fault(e FieldError) error { return faults{e}.err() }
