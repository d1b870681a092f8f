package httpadapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/authtoken/authtoken"
)

// The words of Django REST framework for values of the wrong type or form.
const (
	msgRequired = "This field is required."
	msgNull     = "This field may not be null."
	msgBlank    = "This field may not be blank."
	msgString   = "Not a valid string."
	msgSlug     = `Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.`
	msgBoolean  = "Must be a valid boolean."
	msgDateTime = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)

// readObject reads the body of r, which must be a JSON object or empty.
// Of a name that occurs twice in it, the last counts.
func (h *Handler) readObject(r *http.Request) (map[string]json.RawMessage, error) {
	if r.Body == nil { // as in a request that was made for a test
		return nil, nil
	}
	if r.ContentLength > h.maxBody {
		return nil, h.tooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, h.maxBody+1))
	switch {
	case err != nil:
		return nil, &httpError{http.StatusBadRequest, "The request body could not be read."}
	case int64(len(body)) > h.maxBody:
		return nil, h.tooLarge()
	case len(body) == 0:
		return nil, nil
	}
	contentType := r.Header.Get("Content-Type")
	if media, _, _ := mime.ParseMediaType(contentType); contentType != "application/json" && media != "application/json" {
		return nil, &httpError{http.StatusUnsupportedMediaType,
			fmt.Sprintf("Unsupported media type \"%s\" in request.", contentType)}
	}
	return parseObject(body)
}

func (h *Handler) tooLarge() error {
	return &httpError{http.StatusRequestEntityTooLarge,
		fmt.Sprintf("Request body exceeds the limit of %d bytes.", h.maxBody)}
}

func parseObject(body []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, parseError(errors.New("invalid UTF-8"))
	}
	var object map[string]json.RawMessage
	err := json.Unmarshal(body, &object)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, nonField("Invalid data. Expected a dictionary, but got " + pythonType(bytes.TrimSpace(body)) + ".")
	}
	if err != nil {
		return nil, parseError(err)
	}
	if object == nil {
		return nil, nonField("No data provided")
	}
	return object, nil
}

func parseError(err error) error {
	return &httpError{http.StatusBadRequest, "JSON parse error - " + err.Error()}
}

func nonField(message string) error {
	return &authtoken.ValidationError{Fields: []authtoken.FieldError{
		{Field: "non_field_errors", Code: authtoken.CodeInvalid, Message: message},
	}}
}

// pythonType names the type of a JSON value the way the original does.
func pythonType(raw []byte) string {
	switch raw[0] {
	case '{':
		return "dict"
	case '[':
		return "list"
	case '"':
		return "str"
	case 't', 'f':
		return "bool"
	case 'n':
		return "NoneType"
	}
	if bytes.ContainsAny(raw, ".eE") {
		return "float"
	}
	return "int"
}

// readParams reads what a request wants of a token. Faults in single fields are
// noted in the params, for the service to report with its own.
func (h *Handler) readParams(r *http.Request) (authtoken.UpdateParams, error) {
	object, err := h.readObject(r)
	if err != nil {
		return authtoken.UpdateParams{}, err
	}
	d := decoder{object: object}
	d.p.Managed = d.string("managed", msgString, true)
	if d.p.Managed != nil && *d.p.Managed == "" && !d.null("managed") {
		d.fault("managed", authtoken.CodeBlank, msgBlank)
	}
	d.p.Identifier = d.string("identifier", msgSlug, false)
	d.p.Intent = d.intent()
	d.p.User = d.user()
	d.p.Description = d.string("description", msgString, false)
	d.p.Expires = d.expires()
	d.p.Expiring = d.expiring()
	return d.p, nil
}

// createParams turns p into what makes a new token.
func createParams(p authtoken.UpdateParams) authtoken.CreateParams {
	c := authtoken.CreateParams{
		Identifier:  value(p.Identifier),
		Intent:      value(p.Intent),
		User:        value(p.User),
		Description: value(p.Description),
		Managed:     value(p.Managed),
		Expires:     value(p.Expires),
		Expiring:    p.Expiring,
		Invalid:     p.Invalid,
	}
	if p.Identifier == nil && !names(p.Invalid, "identifier") {
		c.Invalid = append(c.Invalid, authtoken.FieldError{
			Field: "identifier", Code: authtoken.CodeRequired, Message: msgRequired})
	}
	return c
}

// readKey reads the key that a request sets.
func (h *Handler) readKey(r *http.Request) (string, error) {
	object, err := h.readObject(r)
	if err != nil {
		return "", err
	}
	d := decoder{object: object}
	key := d.string("key", msgString, false)
	if key == nil && len(d.p.Invalid) == 0 {
		d.fault("key", authtoken.CodeRequired, msgRequired)
	}
	if len(d.p.Invalid) > 0 {
		return "", &authtoken.ValidationError{Fields: d.p.Invalid}
	}
	return *key, nil
}

// maxOverlap is what a request may ask for at the most: 10 years.
const maxOverlap = 10 * 365 * 24 * time.Hour

// readOverlap reads for how long the old key stays good, in whole seconds.
func (h *Handler) readOverlap(r *http.Request) (time.Duration, error) {
	object, err := h.readObject(r)
	if err != nil {
		return 0, err
	}
	d := decoder{object: object}
	raw, ok := d.get("overlap")
	if ok {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err == nil && n >= 0 && n <= int64(maxOverlap/time.Second) {
			return time.Duration(n) * time.Second, nil
		}
		d.fault("overlap", authtoken.CodeInvalid,
			fmt.Sprintf("A whole number of seconds from 0 to %d is required.", maxOverlap/time.Second))
	}
	if len(d.p.Invalid) > 0 {
		return 0, &authtoken.ValidationError{Fields: d.p.Invalid}
	}
	return 0, nil
}

func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

func names(faults []authtoken.FieldError, field string) bool {
	for _, f := range faults {
		if f.Field == field {
			return true
		}
	}
	return false
}

// decoder takes the fields out of a JSON object. Types are taken as they are:
// "2" is no number. Each method returns nil for a field that is not there,
// or that has a fault, which it notes.
type decoder struct {
	object map[string]json.RawMessage
	p      authtoken.UpdateParams
}

func (d *decoder) fault(field string, code authtoken.Code, message string) {
	d.p.Invalid = append(d.p.Invalid, authtoken.FieldError{Field: field, Code: code, Message: message})
}

func (d *decoder) null(field string) bool { return string(d.object[field]) == "null" }

// get returns the value of a field that may not be null.
func (d *decoder) get(field string) (json.RawMessage, bool) {
	raw, ok := d.object[field]
	if ok && d.null(field) {
		d.fault(field, authtoken.CodeNull, msgNull)
		return nil, false
	}
	return raw, ok
}

// string takes a text. If it may be null, null is "".
func (d *decoder) string(field, wrongType string, nullable bool) *string {
	if nullable && d.null(field) {
		return new("")
	}
	raw, ok := d.get(field)
	if !ok {
		return nil
	}
	if raw[0] != '"' {
		d.fault(field, authtoken.CodeInvalid, wrongType)
		return nil
	}
	if r, found := loneSurrogate(raw); found {
		d.fault(field, authtoken.CodeInvalid, fmt.Sprintf("Surrogate characters are not allowed: U+%04X.", r))
		return nil
	}
	return new(unquote(raw))
}

func (d *decoder) intent() *authtoken.Intent {
	raw, ok := d.get("intent")
	if !ok {
		return nil
	}
	var text string
	switch {
	case raw[0] == '"':
		text = unquote(raw)
	case string(raw) == "true":
		text = "True"
	case string(raw) == "false":
		text = "False"
	default:
		text = string(raw)
	}
	// The service takes an empty intent for one that was not given.
	if raw[0] != '"' || text == "" {
		d.fault("intent", authtoken.CodeChoice, fmt.Sprintf(`"%s" is not a valid choice.`, text))
		return nil
	}
	return new(authtoken.Intent(text))
}

func (d *decoder) user() *int64 {
	raw, ok := d.get("user")
	if !ok {
		return nil
	}
	if t := pythonType(raw); t != "int" {
		d.fault("user", authtoken.CodeInvalid, "Incorrect type. Expected pk value, received "+t+".")
		return nil
	}
	pk, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || pk <= 0 { // out of range either way: a pk is positive
		d.fault("user", authtoken.CodeMissing, fmt.Sprintf(`Invalid pk "%s" - object does not exist.`, raw))
		return nil
	}
	return &pk
}

func (d *decoder) expires() *time.Time {
	raw, ok := d.object["expires"]
	if !ok {
		return nil
	}
	if d.null("expires") {
		return new(time.Time)
	}
	var t time.Time
	if raw[0] == '"' {
		t, ok = parseDateTime(unquote(raw))
	}
	if raw[0] != '"' || !ok {
		d.fault("expires", authtoken.CodeInvalid, msgDateTime)
		return nil
	}
	return &t
}

func (d *decoder) expiring() *bool {
	raw, ok := d.get("expiring")
	if !ok {
		return nil
	}
	b, err := strconv.ParseBool(string(raw))
	if err != nil || raw[0] != 't' && raw[0] != 'f' {
		d.fault("expiring", authtoken.CodeInvalid, msgBoolean)
		return nil
	}
	return &b
}

// unquote decodes a JSON string that is known to be one.
func unquote(raw json.RawMessage) string {
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text)
	}
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// loneSurrogate returns a \u escape in raw that is half of a pair, which
// encoding/json would silently replace.
func loneSurrogate(raw []byte) (rune, bool) {
	var high rune // that waits for its other half
	for i := 0; i < len(raw); i++ {
		var r rune
		if raw[i] == '\\' {
			i++
			if raw[i] == 'u' {
				n, _ := strconv.ParseUint(string(raw[i+1:i+5]), 16, 32)
				r = rune(n)
				i += 4
			}
		}
		switch {
		case high != 0 && (r < 0xdc00 || r > 0xdfff):
			return high, true
		case high != 0:
			high = 0
		case utf16.IsSurrogate(r) && r >= 0xdc00:
			return r, true
		case utf16.IsSurrogate(r):
			high = r
		}
	}
	return 0, false
}

// dateTime is what Django takes for a date and time, and a little of RFC 3339
// that it does not: t and z in lower case.
var dateTime = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})[Tt ](\d{1,2}):(\d{1,2})` +
	`(?::(\d{1,2})(?:[.,](\d{1,6})\d{0,6})?)?\s*(?:([Zz])|([+-])(\d{2})(?::?(\d{2}))?)?$`)

// parseDateTime reads a date and time, to the microsecond. Without an offset,
// it is in UTC.
func parseDateTime(s string) (time.Time, bool) {
	m := dateTime.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, false
	}
	n := func(i int) int { v, _ := strconv.Atoi(m[i]); return v }
	micros := n(7) * int(math.Pow10(6-len(m[7])))
	year, month, day, hour, minute, second := n(1), n(2), n(3), n(4), n(5), n(6)
	offset := n(10)*60 + n(11)
	if n(10) > 23 || n(11) > 59 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	if m[9] == "-" {
		offset = -offset
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, micros*1000, time.UTC)
	if year < 1 || t.Month() != time.Month(month) || t.Day() != day {
		return time.Time{}, false
	}
	t = t.Add(-time.Duration(offset) * time.Minute)
	return t, !t.IsZero() // which would be taken for none
}
