package tokenpage

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/authtoken/authtoken"
)

// Codes of faults that only forms have.
const (
	codeNotOffered authtoken.Code = "not_offered" // the form has other choices
	codeNoChoice   authtoken.Code = "no_choice"   // the form has no such choice
	codeBadDate    authtoken.Code = "bad_date"    // Value is an example
	codeOver       authtoken.Code = "over"        // the day is over
	codeTooFar     authtoken.Code = "too_far"     // Latest is the last day that can be chosen
)

const (
	unusableName   = "The name has a character that can't be used. Enter the name again."
	unusableSearch = "The search has a character that can't be used. Enter the search again."
	badLuck        = "The token could not be made this time. Try again." // the identifier or the key is random

	// unexpected is for any fault that is not in sentences.
	unexpected = "Something about this can't be accepted. Change it and try again."
)

// sentences are the messages for faults, in the order of the inputs in the forms. {limit},
// {time}, {day} and {value} stand for the fields of the fault.
var sentences = []struct {
	field string // of the service's parameters, or of a form
	input string // the id of its input; empty if it has none
	code  authtoken.Code
	words string
}{
	{"", "", authtoken.CodeTooMany, "You can't have more than {limit} tokens. Revoke one that you don't need."},
	{"identifier", "", authtoken.CodeTaken, badLuck},
	{"key", "", authtoken.CodeTaken, badLuck},

	{"description", "name", authtoken.CodeBlank, "Enter a name."},
	{"description", "name", authtoken.CodeTooLong, "Enter a name of up to {limit} characters."},
	{"description", "name", authtoken.CodeNotText, unusableName},
	{"description", "name", authtoken.CodeNullCharacter, unusableName},

	{"intent", "intent", codeNotOffered, "Choose one of the kinds."},
	{"intent", "intent", codeNoChoice, "You can't choose the kind of a token here."},
	{"intent", "intent", authtoken.CodeChoice, "Choose one of the kinds."},
	{"intent", "intent", authtoken.CodeDenied, "You can't make a token of this kind."},
	{"intent", "intent", authtoken.CodeBeyondKey, "You have signed in with a key. With it, you can't make a token of this kind."},

	{"expires", "expires", codeNotOffered, "Choose one of the lifetimes."},
	{"expires", "expires", codeNoChoice, "You can't choose when a token expires here."},
	{"expires", "expires", authtoken.CodeInvalid, "The token can't expire at this time. Choose another."},
	{"expires", "expires", authtoken.CodeTooLate, "Choose a time no later than {time}."},
	{"expires", "expires", authtoken.CodeBeyondKey, "Choose a time no later than {time}. The key that you have signed in with stops working then."},
	{"expiring", "expires", authtoken.CodeDenied, "This token has to expire. Choose when."},
	{"expiring", "expires", authtoken.CodeBeyondKey, "You have signed in with a key that stops working. A token that you make with it has to expire. Choose when."},

	{"date", "date", authtoken.CodeRequired, "Enter the last day on which the token is to work."},
	{"date", "date", codeBadDate, "Enter a day such as {value}."},
	{"date", "date", codeOver, "This day is over. Enter a later one."},
	{"date", "date", codeTooFar, "Enter a day no later than {day}."},

	{"scopes", "access", authtoken.CodeRequired, "Choose what the token may do."},
	{"scopes", "access", authtoken.CodeTooMany, "Choose at most {limit} things that the token may do."},
	{"scopes", "access", authtoken.CodeDenied, "You can't make a token that may do this. Choose less."},
	{"scopes", "access", authtoken.CodeChoice, "The token can't be limited to this. Choose again."},
	{"scopes", "access", authtoken.CodeInvalid, "Choose everything, or some things."},
	{"scopes", "access", authtoken.CodeBeyondKey, "The key that you have signed in with may not do all of this. Choose less."},
	{"networks", "networks", authtoken.CodeInvalid, "“{value}” is not an IP address or network, such as 192.0.2.7 or 192.0.2.0/24."},
	{"networks", "networks", authtoken.CodeTooMany, "Enter at most {limit} addresses and networks."},
	{"networks", "networks", authtoken.CodeBeyondKey, "Enter only networks from which the key that you have signed in with works."},

	{"overlap", "overlap", codeNotOffered, "Choose what happens to the present key."},

	{"words", "search", authtoken.CodeTooMany, "Search for at most {limit} words."},
	{"words", "search", authtoken.CodeTooLong, "Search for a shorter text, of up to {limit} characters."},
	{"words", "search", authtoken.CodeNotText, unusableSearch},
	{"words", "search", authtoken.CodeNullCharacter, unusableSearch},
}

// fault is one fault of a form, in the words of the page.
type fault struct {
	Input   string // the id of the input that has the fault; empty if there is none
	Message string
	place   int // of its sentence in sentences
}

// faultOf puts e into the words of the page.
func faultOf(e authtoken.FieldError) fault {
	f := fault{"", unexpected, len(sentences)}
	for i, s := range sentences {
		if s.field != e.Field {
			continue
		}
		f.Input, f.place = s.input, i
		if s.code == e.Code {
			f.Message = s.words
			break
		}
	}
	f.Message = strings.NewReplacer(
		"{limit}", strconv.Itoa(e.Limit),
		"{time}", exact(e.Latest),
		"{day}", e.Latest.UTC().Format("2 January 2006"),
		"{value}", e.Value,
	).Replace(f.Message)
	return f
}

// faults are the faults of a form, in the order of its inputs.
type faults []fault

// inputFaults is what is wrong with an input.
type inputFaults struct {
	ID       string // of the element that says so
	Messages []string
}

// Of returns what is wrong with an input, or nil if nothing is.
func (f faults) Of(input string) *inputFaults {
	of := inputFaults{ID: input + "-fault"}
	for _, one := range f {
		if one.Input == input {
			of.Messages = append(of.Messages, one.Message)
		}
	}
	if of.Messages == nil {
		return nil
	}
	return &of
}

// unlink removes the link to an input that the form does not have.
func (f faults) unlink(input string) {
	for i := range f {
		if f[i].Input == input {
			f[i].Input = ""
		}
	}
}

// refused adds the faults in err to the form, and returns the status for showing the form
// again. It returns 0 if err is not about the form.
func (f *form) refused(err error) int {
	if invalid, ok := errors.AsType[*authtoken.ValidationError](err); ok {
		for _, e := range invalid.Fields {
			f.Faults = append(f.Faults, faultOf(e))
		}
		slices.SortStableFunc(f.Faults, func(a, b fault) int { return cmp.Compare(a.place, b.place) })
		return http.StatusBadRequest
	}
	if errors.Is(err, authtoken.ErrStale) {
		f.Stale = true
		return http.StatusConflict
	}
	return 0
}
