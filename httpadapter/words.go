package httpadapter

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtoken/authtoken"
)

// Codes of faults that only requests have: values of the wrong type or form.
const (
	codeNull       authtoken.Code = "null"
	codeString     authtoken.Code = "string"
	codeSurrogate  authtoken.Code = "surrogate" // Value is the character
	codeBoolean    authtoken.Code = "boolean"
	codeDateTime   authtoken.Code = "date_time"
	codeUserType   authtoken.Code = "user_type" // Value is the type
	codeObject     authtoken.Code = "object"    // Value is the type
	codeNoData     authtoken.Code = "no_data"
	codeList       authtoken.Code = "list"       // Value is the type
	codeDictionary authtoken.Code = "dictionary" // Value is the type
	codeFilter     authtoken.Code = "filter"     // about the query of a list; Value is what it has
)

// about is a code and a field. The field "*" stands for every other field.
type about struct {
	code  authtoken.Code
	field string
}

const invalidSlug = `Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.`

// sentences are the messages for faults. They are those of Django REST framework, if it
// has that fault. {value}, {limit} and {latest} stand for the fields of the fault, and
// {end} for its latest time in the form of RFC 3339.
var sentences = map[about]string{
	{authtoken.CodeRequired, "*"}:         "This field is required.",
	{codeNull, "*"}:                       "This field may not be null.",
	{authtoken.CodeBlank, "*"}:            "This field may not be blank.",
	{codeString, "*"}:                     "Not a valid string.",
	{codeString, "identifier"}:            invalidSlug,
	{authtoken.CodeNotText, "*"}:          "Not a valid string.",
	{authtoken.CodeNotText, "identifier"}: invalidSlug,
	{authtoken.CodeNullCharacter, "*"}:    "Null characters are not allowed.",
	{codeSurrogate, "*"}:                  "Surrogate characters are not allowed: {value}.",
	{codeBoolean, "*"}:                    "Must be a valid boolean.",
	{codeDateTime, "*"}:                   "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].",
	{codeUserType, "*"}:                   "Incorrect type. Expected pk value, received {value}.",
	{codeObject, "*"}:                     "Invalid data. Expected a dictionary, but got {value}.",
	{codeNoData, "*"}:                     "No data provided",
	{codeList, "*"}:                       `Expected a list of items but got type "{value}".`,
	{codeDictionary, "*"}:                 `Expected a dictionary of items but got type "{value}".`,
	{authtoken.CodeBlank, "scopes"}:       "This list may not be empty.",
	{authtoken.CodeBlank, "networks"}:     "This list may not be empty.",
	{codeFilter, "expires"}:               "Enter a valid date/time.",
	{codeFilter, "intent"}:                "Select a valid choice. {value} is not one of the available choices.",

	{authtoken.CodeInvalid, "*"}:          "Enter a valid value.",
	{authtoken.CodeInvalid, "identifier"}: invalidSlug,
	{authtoken.CodeInvalid, "expires"}:    "Datetime value out of range.",
	{authtoken.CodeInvalid, "key"}:        "Ensure this field has no spaces and no control characters.",
	{authtoken.CodeInvalid, "overlap"}:    fmt.Sprintf("A whole number of seconds from 0 to %d is required.", maxOverlap/time.Second),
	{authtoken.CodeInvalid, "scopes"}:     `"{value}" can't be given together with other scopes.`,
	{authtoken.CodeInvalid, "networks"}:   `"{value}" is not an IP address or network.`,
	{authtoken.CodeTooLong, "metadata"}:   "Ensure this field has no more than {limit} bytes.",
	{authtoken.CodeTooMany, "scopes"}:     "Ensure this field has no more than {limit} elements.",
	{authtoken.CodeTooMany, "networks"}:   "Ensure this field has no more than {limit} elements.",
	{authtoken.CodeDenied, "scopes"}:      `Only administrators may give "{value}".`,
	{authtoken.CodeBeyondKey, "scopes"}:   "This key can't give scopes that it does not have.",
	{authtoken.CodeBeyondKey, "networks"}: "This key can't make or change tokens for other networks than its own.",
	{authtoken.CodeChecksum, "*"}:         "The checksum of this key is wrong.",
	{authtoken.CodeTooLong, "*"}:          "Ensure this field has no more than {limit} characters.",
	{authtoken.CodeTooShort, "*"}:         "Ensure this field has at least {limit} characters.",
	{authtoken.CodeTooLate, "*"}:          "Token expires exceeds maximum lifetime ({latest} UTC).",
	{authtoken.CodeTooMany, "*"}:          "User has reached the maximum of {limit} tokens.",
	{authtoken.CodeTooMany, "words"}:      "Search for at most {limit} words.",
	{authtoken.CodeChoice, "*"}:           `"{value}" is not a valid choice.`,
	{authtoken.CodeNotFound, "*"}:         `Invalid pk "{value}" - object does not exist.`,

	{authtoken.CodeTaken, "identifier"}: "Token with this identifier already exists.",
	{authtoken.CodeTaken, "managed"}:    "Token with this Managed by authentik already exists.",
	{authtoken.CodeTaken, "key"}:        "Token with this key already exists.",

	{authtoken.CodeDenied, "*"}:        "Only administrators may set or change this.",
	{authtoken.CodeDenied, "intent"}:   "Invalid intent {value}",
	{authtoken.CodeDenied, "user"}:     "User cannot be changed",
	{authtoken.CodeDenied, "expiring"}: "Token must expire, as there is a maximum lifetime.",
	{authtoken.CodeDenied, "username"}: "Users can't be looked up by name here.",

	{authtoken.CodeBeyondKey, "intent"}:   "This key can't make or change tokens of another intent.",
	{authtoken.CodeBeyondKey, "expires"}:  "This key can't make a token last longer than itself: {end}.",
	{authtoken.CodeBeyondKey, "expiring"}: "A key that expires can't make tokens that do not.",
}

// words returns the message for a fault.
func words(e authtoken.FieldError) string {
	sentence := cmp.Or(sentences[about{e.Code, e.Field}], sentences[about{e.Code, "*"}], sentences[about{authtoken.CodeInvalid, "*"}])
	return strings.NewReplacer(
		"{value}", e.Value,
		"{limit}", strconv.Itoa(e.Limit),
		"{latest}", e.Latest.Format("2006-01-02 15:04:05.000000-07:00"),
		"{end}", e.Latest.Format(time.RFC3339),
	).Replace(sentence)
}

// wireNames are the names on the wire of the fields that have another name there.
var wireNames = map[string]string{"": "non_field_errors", "username": "user__username", "words": "search", "networks": "allowed_ips"}

func wireName(field string) string { return cmp.Or(wireNames[field], field) }

// fieldRanks are the positions of fields in the answers of Django REST framework. All
// other fields come last.
var fieldRanks = map[string]int{
	"managed": 1, "identifier": 2, "intent": 3, "user": 4, "description": 5, "expires": 6, "expiring": 7,
	"scopes": 8, "networks": 9, "suspended": 10, "metadata": 11,
}

// inOrder returns faults in the order of Django REST framework.
func inOrder(faults []authtoken.FieldError) []authtoken.FieldError {
	rank := func(e authtoken.FieldError) int { return cmp.Or(fieldRanks[e.Field], len(fieldRanks)+1) }
	faults = slices.Clone(faults)
	slices.SortStableFunc(faults, func(a, b authtoken.FieldError) int { return rank(a) - rank(b) })
	return faults
}
