package httpadapter

import (
	"fmt"
	"slices"
	"time"

	"github.com/authtoken/authtoken"
)

// Codes of faults that only a request can have: values of the wrong type or form.
const (
	codeNull      authtoken.Code = "null"
	codeString    authtoken.Code = "string"
	codeSurrogate authtoken.Code = "surrogate" // Value is the character
	codeBoolean   authtoken.Code = "boolean"
	codeDateTime  authtoken.Code = "date_time"
	codeUserType  authtoken.Code = "user_type" // Value is the type
	codeObject    authtoken.Code = "object"    // Value is the type
	codeNoData    authtoken.Code = "no_data"
	codeFilter    authtoken.Code = "filter" // of an intent or a time in a list's query; Value is it
)

// words returns what the API says of a fault: the words of Django REST framework
// where it has any.
func words(e authtoken.FieldError) string {
	switch e.Code {
	case authtoken.CodeRequired:
		return "This field is required."
	case codeNull:
		return "This field may not be null."
	case authtoken.CodeBlank:
		return "This field may not be blank."
	case codeString, authtoken.CodeNotText:
		if e.Field == "identifier" {
			return slugWords
		}
		return "Not a valid string."
	case codeSurrogate:
		return "Surrogate characters are not allowed: " + e.Value + "."
	case codeBoolean:
		return "Must be a valid boolean."
	case codeDateTime:
		return "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
	case codeUserType:
		return "Incorrect type. Expected pk value, received " + e.Value + "."
	case codeObject:
		return "Invalid data. Expected a dictionary, but got " + e.Value + "."
	case codeNoData:
		return "No data provided"
	case authtoken.CodeNullCharacter:
		return "Null characters are not allowed."
	case authtoken.CodeTooLong:
		return fmt.Sprintf("Ensure this field has no more than %d characters.", e.Limit)
	case authtoken.CodeTooShort:
		return fmt.Sprintf("Ensure this field has at least %d characters.", e.Limit)
	case authtoken.CodeTooLate:
		return "Token expires exceeds maximum lifetime (" + e.Latest.Format("2006-01-02 15:04:05.000000-07:00") + " UTC)."
	case authtoken.CodeTooMany:
		if e.Field == "words" {
			return fmt.Sprintf("Search for at most %d words.", e.Limit)
		}
		return fmt.Sprintf("User has reached the maximum of %d tokens.", e.Limit)
	case authtoken.CodeChoice:
		return `"` + e.Value + `" is not a valid choice.`
	case codeFilter:
		if e.Field == "expires" {
			return "Enter a valid date/time."
		}
		return "Select a valid choice. " + e.Value + " is not one of the available choices."
	case authtoken.CodeNotFound:
		return `Invalid pk "` + e.Value + `" - object does not exist.`
	case authtoken.CodeTaken:
		return "Token with this " + takenNames[e.Field] + " already exists."
	case authtoken.CodeChecksum:
		return "The checksum of this key is wrong."
	case authtoken.CodeDenied:
		return deniedWords(e)
	case authtoken.CodeBeyondKey:
		return beyondWords(e)
	default:
		return invalidWords(e)
	}
}

const slugWords = `Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.`

var takenNames = map[string]string{"identifier": "identifier", "managed": "Managed by authentik", "key": "key"}

func deniedWords(e authtoken.FieldError) string {
	switch e.Field {
	case "intent":
		return "Invalid intent " + e.Value
	case "user":
		return "User cannot be changed"
	case "expiring":
		return "Token must expire, as there is a maximum lifetime."
	case "username":
		return "Users can't be looked up by name here."
	default:
		return "Only administrators may set or change this."
	}
}

func beyondWords(e authtoken.FieldError) string {
	switch e.Field {
	case "intent":
		return "This key can't make or change tokens of another intent."
	case "expires":
		return "This key can't make a token last longer than itself: " + e.Latest.Format(time.RFC3339) + "."
	default:
		return "A key that expires can't make tokens that do not."
	}
}

func invalidWords(e authtoken.FieldError) string {
	switch e.Field {
	case "identifier":
		return slugWords
	case "expires":
		return "Datetime value out of range."
	case "key":
		return "Ensure this field has no spaces and no control characters."
	case "overlap":
		return fmt.Sprintf("A whole number of seconds from 0 to %d is required.", maxOverlap/time.Second)
	default:
		return "Enter a valid value."
	}
}

// wireFields are the fields in the order in which the framework reports them.
var wireFields = []string{"managed", "identifier", "intent", "user", "description", "expires", "expiring"}

// wireName returns what requests call a field.
func wireName(field string) string {
	switch field {
	case "":
		return "non_field_errors"
	case "username":
		return "user__username"
	case "words":
		return "search"
	}
	return field
}

// inOrder returns faults in the order in which the framework reports them.
func inOrder(faults []authtoken.FieldError) []authtoken.FieldError {
	rank := func(e authtoken.FieldError) int {
		if i := slices.Index(wireFields, e.Field); i >= 0 {
			return i
		}
		return len(wireFields)
	}
	faults = slices.Clone(faults)
	slices.SortStableFunc(faults, func(a, b authtoken.FieldError) int { return rank(a) - rank(b) })
	return faults
}
