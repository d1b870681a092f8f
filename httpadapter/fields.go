package httpadapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/authtoken/authtoken"
)

// decoder reads the fields of the JSON object that a request sends. Each method returns
// nil for a missing field. If a field has a fault, it also returns nil, and adds the
// fault to faults.
type decoder struct {
	h       *Handler
	ctx     context.Context //nolint:containedctx // of the request that is decoded
	object  map[string]json.RawMessage
	faults  []authtoken.FieldError
	failure error // the body is no such object, or a user could not be looked up
}

func (h *Handler) decode(r *http.Request) *decoder {
	object, err := h.readObject(r)
	return &decoder{h: h, ctx: r.Context(), object: object, failure: err}
}

func (d *decoder) fault(field string, code authtoken.Code, value string) {
	d.faults = append(d.faults, authtoken.FieldError{Field: field, Code: code, Value: value})
}

// err returns the failure, or else the faults. It is nil if there are none.
func (d *decoder) err() error {
	if d.failure != nil || len(d.faults) == 0 {
		return d.failure
	}
	return &authtoken.ValidationError{Fields: d.faults}
}

func (d *decoder) null(field string) bool { return string(d.object[field]) == "null" }

// get returns the value of a field that may not be null.
func (d *decoder) get(field string) (json.RawMessage, bool) {
	raw, ok := d.object[field]
	if string(raw) == "null" {
		d.fault(field, codeNull, "")
		return nil, false
	}
	return raw, ok
}

// require adds a fault if the field is missing.
func (d *decoder) require(field string) {
	if _, ok := d.object[field]; !ok {
		d.fault(field, authtoken.CodeRequired, "")
	}
}

// What a text may be besides a text.
const (
	mayBeNull  = 1 << iota // null is read as ""
	mayBeBlank             // empty, or only white space
)

// string reads a text. A number is read as the text that Python prints for it.
func (d *decoder) string(field string, may int) *string {
	if may&mayBeNull != 0 && d.null(field) {
		return new("")
	}
	raw, ok := d.get(field)
	if !ok {
		return nil
	}
	var text *string
	switch pythonType(raw) {
	case "str":
		if text = d.text(field, raw); text != nil {
			*text = trim(*text)
		}
	case "int", "float":
		text = new(pythonNumber(raw))
	default:
		d.fault(field, codeString, "")
	}
	if text != nil && *text == "" && may&mayBeBlank == 0 {
		d.fault(field, authtoken.CodeBlank, "")
		return nil
	}
	return text
}

// text decodes a JSON string.
func (d *decoder) text(field string, raw json.RawMessage) *string {
	if r, found := loneSurrogate(raw); found {
		d.fault(field, codeSurrogate, fmt.Sprintf("U+%04X", r))
		return nil
	}
	return new(unquote(raw))
}

func (d *decoder) intent() *authtoken.Intent {
	raw, ok := d.get("intent")
	if !ok {
		return nil
	}
	text := spell(raw)
	// To the service, an empty intent means none.
	if raw[0] != '"' || text == "" {
		d.fault("intent", authtoken.CodeChoice, text)
		return nil
	}
	return new(authtoken.Intent(text))
}

// user reads a user, in the form in which answers show users. If that is a number, a
// string or a float with the value of the number is also accepted.
func (d *decoder) user() *string {
	raw, ok := d.get("user")
	textIDs := d.h.cfg.TextUserIDs
	switch {
	case !ok:
		return nil
	case string(raw) == `""`:
		d.fault("user", codeNull, "")
		return nil
	case textIDs && raw[0] == '"':
		return d.text("user", raw)
	}
	n, malformed := userNumber(raw)
	if textIDs || errors.Is(malformed, strconv.ErrSyntax) {
		d.fault("user", codeUserType, pythonType(raw))
		return nil
	}
	id, err := "", authtoken.ErrUserNotFound // if the number is out of range
	if malformed == nil {
		id, err = d.h.userID(d.ctx, n)
	}
	switch {
	case err == nil:
		return &id
	case errors.Is(err, authtoken.ErrUserNotFound):
		d.fault("user", authtoken.CodeNotFound, spell(raw))
	default:
		d.failure = err
	}
	return nil
}

// userNumber returns the value of raw, which must be a whole number. Otherwise the error
// matches strconv.ErrSyntax. It matches strconv.ErrRange if the number is too large.
func userNumber(raw json.RawMessage) (int64, error) {
	text := string(raw)
	switch pythonType(raw) {
	case "float":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f != math.Trunc(f) {
			return 0, strconv.ErrSyntax
		}
		text = strconv.FormatFloat(f, 'f', -1, 64)
	case "str":
		text = trim(unquote(raw))
	}
	return strconv.ParseInt(text, 10, 64)
}

// asSent makes an error of the service name the user in the way in which the request
// did.
func (d *decoder) asSent(err error) error {
	if e, ok := errors.AsType[*authtoken.ValidationError](err); ok {
		for i, f := range e.Fields {
			if f.Field == "user" && f.Code == authtoken.CodeNotFound && d.object["user"] != nil {
				e.Fields[i].Value = spell(d.object["user"])
			}
		}
	}
	return err
}

func (d *decoder) expires() *time.Time {
	raw, ok := d.object["expires"]
	if !ok {
		return nil
	}
	if d.null("expires") {
		return new(time.Time)
	}
	t, ok := time.Time{}, false
	if raw[0] == '"' {
		t, ok = parseDateTime(unquote(raw))
	}
	switch year := t.Year(); {
	case !ok:
		d.fault("expires", codeDateTime, "")
	case year < 1 || year > 9999: // because of its offset
		d.fault("expires", authtoken.CodeInvalid, "")
	default:
		return &t
	}
	return nil
}

// trueValues and falseValues are the texts that stand for a boolean, in lower case.
var (
	trueValues  = []string{"true", "t", "yes", "y", "on", "1"}
	falseValues = []string{"false", "f", "no", "n", "off", "0"}
)

// boolean reads a boolean, a text that stands for one, or the number 0 or 1.
func (d *decoder) boolean(field string) *bool {
	raw, ok := d.get(field)
	if !ok {
		return nil
	}
	text := string(raw)
	switch pythonType(raw) {
	case "str":
		text = strings.ToLower(unquote(raw))
	case "float", "int":
		if f, _ := strconv.ParseFloat(text, 64); f == 0 || f == 1 {
			text = strconv.Itoa(int(f))
		}
	}
	switch {
	case slices.Contains(trueValues, text):
		return new(true)
	case slices.Contains(falseValues, text):
		return new(false)
	}
	d.fault(field, codeBoolean, "")
	return nil
}

// list reads a list of texts. It is empty, and not nil, for an empty list.
func (d *decoder) list(field string, raw json.RawMessage) []string {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		d.fault(field, codeList, pythonType(raw))
		return nil
	}
	texts := make([]string, len(items))
	for i, item := range items {
		text := d.item(field, item)
		if text == nil {
			return nil
		}
		texts[i] = trim(*text)
	}
	return texts
}

// item reads a text within a list or an object.
func (d *decoder) item(field string, raw json.RawMessage) *string {
	if raw[0] != '"' {
		d.fault(field, codeString, "")
		return nil
	}
	return d.text(field, raw)
}

func (d *decoder) scopes() []string {
	raw, ok := d.get("scopes")
	if !ok {
		return nil
	}
	return d.list("scopes", raw)
}

// networks reads addresses and networks. Null means anywhere.
func (d *decoder) networks() *[]netip.Prefix {
	raw, ok := d.object["allowed_ips"]
	if !ok {
		return nil
	}
	if d.null("allowed_ips") {
		return new([]netip.Prefix)
	}
	texts := d.list("networks", raw)
	if texts == nil {
		return nil
	}
	networks := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		var err error
		if networks[i], err = authtoken.ParseNetwork(text); err != nil {
			d.fault("networks", authtoken.CodeInvalid, text)
			return nil
		}
	}
	return &networks
}

// metadata reads an object of texts.
func (d *decoder) metadata() map[string]string {
	raw, ok := d.get("metadata")
	if !ok {
		return nil
	}
	var items map[string]json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		d.fault("metadata", codeDictionary, pythonType(raw))
		return nil
	}
	if d.text("metadata", raw) == nil { // of which it looks at the names, too
		return nil
	}
	metadata := make(map[string]string, len(items))
	for name, item := range items {
		text := d.item("metadata", item)
		if text == nil {
			return nil
		}
		metadata[name] = *text
	}
	return metadata
}

// pythonType returns the name of the Python type of a JSON value.
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

// spell returns a value as Python prints it, except that lists and objects stay JSON.
func spell(raw json.RawMessage) string {
	switch pythonType(raw) {
	case "str":
		return unquote(raw)
	case "bool":
		return strings.ToUpper(string(raw[:1])) + string(raw[1:])
	case "int", "float":
		return pythonNumber(raw)
	}
	return string(raw)
}

// pythonNumber returns a JSON number as Python prints it.
func pythonNumber(raw json.RawMessage) string {
	text := string(raw)
	if pythonType(raw) == "int" {
		if text == "-0" {
			return "0"
		}
		return text
	}
	f, _ := strconv.ParseFloat(text, 64) // infinite if it is out of range, as in Python
	text = strconv.FormatFloat(f, 'e', -1, 64)
	_, exponent, finite := strings.Cut(text, "e")
	if !finite {
		return strings.ToLower(strings.TrimPrefix(text, "+"))
	}
	if e, _ := strconv.Atoi(exponent); e < -4 || e >= 16 {
		return text
	}
	text = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// trim removes the white space around s, by Python's definition: it has four separators
// that unicode.IsSpace does not have.
func trim(s string) string { return strings.TrimFunc(s, isSpace) }

func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// unquote decodes raw, which must be a valid JSON string.
func unquote(raw json.RawMessage) string {
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text)
	}
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// loneSurrogate returns the first \u escape in raw that is only half of a surrogate pair.
// encoding/json would replace it without an error.
func loneSurrogate(raw []byte) (rune, bool) {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		first, ok := escapedRune(raw[i:])
		i++ // an escaped backslash does not begin an escape
		if !ok || !utf16.IsSurrogate(first) {
			continue
		}
		second, _ := escapedRune(raw[i+len("uXXXX"):])
		if utf16.DecodeRune(first, second) == unicode.ReplacementChar {
			return first, true
		}
		i += len(`uXXXX\uXXXX`) - 1
	}
	return 0, false
}

// escapedRune returns the rune of the \u escape at the beginning of raw. It reports
// false if there is none.
func escapedRune(raw []byte) (rune, bool) {
	if !bytes.HasPrefix(raw, []byte(`\u`)) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:6]), 16, 32)
	return rune(n), err == nil
}
