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

// Codes of faults that only a form can have.
const (
	codeNotOffered authtoken.Code = "not_offered" // not one of the choices of the form
	codeNoChoice   authtoken.Code = "no_choice"   // the form has no such choice
	codeBadDate    authtoken.Code = "bad_date"    // Value is an example
	codeOver       authtoken.Code = "over"        // a day that is over
	codeTooFar     authtoken.Code = "too_far"     // Latest is the last day there is
)

// sentences are the words for each code, by the field that it is about, in the order
// of the forms. In them, {limit}, {time}, {day} and {value} stand for what the
// fault says besides its code.
var sentences = []struct {
	field string // of the service's parameters, or of a form
	input string // the id of its input; empty if there is none
	words map[authtoken.Code]string
}{
	{"", "", map[authtoken.Code]string{
		authtoken.CodeTooMany: "You can't have more than {limit} tokens. Revoke one that you don't need.",
	}},
	{"identifier", "", map[authtoken.Code]string{
		authtoken.CodeTaken: "The token could not be made this time. Try again.", // nobody has chosen it
	}},
	{"key", "", map[authtoken.Code]string{
		authtoken.CodeTaken: "The token could not be made this time. Try again.",
	}},
	{"description", "name", map[authtoken.Code]string{
		authtoken.CodeBlank:         "Enter a name.",
		authtoken.CodeTooLong:       "Enter a name of up to {limit} characters.",
		authtoken.CodeNotText:       "The name has a character that can't be used. Enter the name again.",
		authtoken.CodeNullCharacter: "The name has a character that can't be used. Enter the name again.",
	}},
	{"intent", "intent", map[authtoken.Code]string{
		codeNotOffered:          "Choose one of the kinds.",
		codeNoChoice:            "You can't choose the kind of a token here.",
		authtoken.CodeChoice:    "Choose one of the kinds.",
		authtoken.CodeDenied:    "You can't make a token of this kind.",
		authtoken.CodeBeyondKey: "You have signed in with a key. With it, you can't make a token of this kind.",
	}},
	{"expires", "expires", map[authtoken.Code]string{
		codeNotOffered:          "Choose one of the lifetimes.",
		codeNoChoice:            "You can't choose when a token expires here.",
		authtoken.CodeInvalid:   "The token can't expire at this time. Choose another.",
		authtoken.CodeTooLate:   "Choose a time no later than {time}.",
		authtoken.CodeBeyondKey: "Choose a time no later than {time}. The key that you have signed in with stops working then.",
	}},
	{"expiring", "expires", map[authtoken.Code]string{
		authtoken.CodeDenied:    "This token has to expire. Choose when.",
		authtoken.CodeBeyondKey: "You have signed in with a key that stops working. A token that you make with it has to expire. Choose when.",
	}},
	{"date", "date", map[authtoken.Code]string{
		authtoken.CodeRequired: "Enter the last day on which the token is to work.",
		codeBadDate:            "Enter a day such as {value}.",
		codeOver:               "This day is over. Enter a later one.",
		codeTooFar:             "Enter a day no later than {day}.",
	}},
	{"overlap", "overlap", map[authtoken.Code]string{
		codeNotOffered: "Choose what becomes of the present key.",
	}},
	{"words", "search", map[authtoken.Code]string{
		authtoken.CodeTooMany:       "Search for at most {limit} words.",
		authtoken.CodeTooLong:       "Search for a shorter text, of up to {limit} characters.",
		authtoken.CodeNotText:       "The search has a character that can't be used. Enter the search again.",
		authtoken.CodeNullCharacter: "The search has a character that can't be used. Enter the search again.",
	}},
}

// fault is one thing that is wrong with a form.
type fault struct {
	Input   string // the id of the input that it is in; empty if there is none
	Message string
	place   int // in sentences
}

// unexpected is for a fault that the service can't have with a form of this page.
const unexpected = "Something about this can't be accepted. Change it and try again."

// faultOf puts a fault in the words of the page.
func faultOf(e authtoken.FieldError) fault {
	for i, s := range sentences {
		if s.field == e.Field {
			return fault{s.input, strings.NewReplacer(
				"{limit}", strconv.Itoa(e.Limit),
				"{time}", exact(e.Latest),
				"{day}", e.Latest.UTC().Format("2 January 2006"),
				"{value}", e.Value,
			).Replace(cmp.Or(s.words[e.Code], unexpected)), i}
		}
	}
	return fault{"", unexpected, len(sentences)}
}

// faults are what is wrong with a form, in the order of its inputs.
type faults []fault

// Of returns what is wrong in an input.
func (f faults) Of(input string) []string {
	var messages []string
	for _, one := range f {
		if one.Input == input {
			messages = append(messages, one.Message)
		}
	}
	return messages
}

// unlink notes that a form does not have this input.
func (f faults) unlink(input string) {
	for i := range f {
		if f[i].Input == input {
			f[i].Input = ""
		}
	}
}

// refused notes what err has against the form, which is to be shown again then.
// It returns the status to do so with, or zero for an error of another kind.
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
