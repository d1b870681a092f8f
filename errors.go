package authtoken

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authtoken/authtoken/store"
)

// Errors to match with errors.Is.
var (
	// ErrNotFound says that there is no such token, or that the caller
	// may not know of it.
	ErrNotFound = store.ErrNotFound

	// ErrStale says that a [Condition] does not hold, or that others change the
	// token so fast that the change could not be made.
	ErrStale = store.ErrStale

	// ErrForbidden says that the actor sees the token but may not do this, or is
	// nobody.
	ErrForbidden = errors.New("not permitted")

	// ErrNoPage says that a list has no page of this number.
	ErrNoPage = errors.New("no such page")

	// ErrUserNotFound is what a [Directory] returns for a pk that no user has.
	ErrUserNotFound = errors.New("user not found")

	// ErrNoSealer says that nothing opens the key of a token, so that it can't be
	// shown again: it is kept as a digest only, or it was sealed with a secret that
	// the [Sealer] does not have. Configure a Sealer, and keep its older secrets, to
	// change that for keys made from then on.
	ErrNoSealer = errors.New("there is no sealer that opens the key")

	// ErrRefused is matched by all errors that say why a key was refused. The
	// reason is for the application: telling it to whoever presented the
	// key tells an attacker which keys exist.
	ErrRefused = errors.New("key refused")

	// The reasons. ErrUserInactive stands too for an owner who is not in the
	// directory any more, and is what [Service.As] gives a user who is not active.
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
	// Fields has at least one entry; those of one field stand together, the
	// fields in the order in which authentik reports them.
	Fields []FieldError
}

func (e *ValidationError) Error() string {
	var b strings.Builder
	b.WriteString("invalid input")
	for i, f := range e.Fields {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(f.Field + ": " + f.Message)
	}
	return b.String()
}

// Has reports whether the error says code about field.
func (e *ValidationError) Has(field string, code Code) bool {
	return slices.ContainsFunc(e.Fields, func(f FieldError) bool {
		return f.Field == field && f.Code == code
	})
}

// FieldError is one thing that is wrong with one field.
type FieldError struct {
	Field   string // as on the wire: "identifier", "expires", …
	Code    Code
	Message string // for people; the words of authentik where it has any
}

// Code is a kind of fault in a field, for programs to match.
type Code string

const (
	CodeRequired Code = "required"
	CodeNull     Code = "null"
	CodeBlank    Code = "blank"
	CodeInvalid  Code = "invalid"   // of the wrong type or form
	CodeTooLong  Code = "too_long"  // more characters or a longer life than allowed
	CodeTooShort Code = "too_short" // a key that is too easily guessed
	CodeChoice   Code = "choice"    // not one of the values there are
	CodeDenied   Code = "denied"    // a value that exists but that this caller may not choose
	CodeTaken    Code = "taken"     // another token has it
	CodeTooMany  Code = "too_many"  // tokens of a user, or words of a search
	CodeMissing  Code = "missing"   // names something that does not exist
)

// Messages that more than one place gives, in the words of Django REST framework.
const (
	msgRequired = "This field is required."
	msgBlank    = "This field may not be blank."
	msgNull     = "Null characters are not allowed."
	msgNotText  = "Not a valid string."
)

// fieldOrder is the order of authentik's serializer.
var fieldOrder = []string{
	"managed", "identifier", "intent", "user", "description", "expires", "expiring",
}

// faults collects what is wrong with a call's parameters.
type faults struct {
	fields []FieldError
}

func (f *faults) add(field string, code Code, message string) {
	f.fields = append(f.fields, FieldError{field, code, message})
}

func (f *faults) has(field string) bool {
	return slices.ContainsFunc(f.fields, func(e FieldError) bool { return e.Field == field })
}

// err returns nil if there were no faults.
func (f *faults) err() error {
	if len(f.fields) == 0 {
		return nil
	}
	rank := func(e FieldError) int {
		if i := slices.Index(fieldOrder, e.Field); i >= 0 {
			return i
		}
		return len(fieldOrder)
	}
	slices.SortStableFunc(f.fields, func(a, b FieldError) int { return rank(a) - rank(b) })
	return &ValidationError{Fields: f.fields}
}
