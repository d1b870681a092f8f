package httpadapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/authtoken/authtoken"
)

// readObject reads the body of r, which must be a JSON object or empty. If a name
// occurs twice, the last one wins.
func (h *Handler) readObject(r *http.Request) (map[string]json.RawMessage, error) {
	if r.Body == nil { // a server never gets such a request, but a test may make one
		return nil, nil
	}
	var body []byte
	var err error
	if r.ContentLength <= h.cfg.MaxBodyBytes {
		body, err = io.ReadAll(io.LimitReader(r.Body, h.cfg.MaxBodyBytes+1))
	}
	switch {
	case err != nil:
		return nil, &httpError{http.StatusBadRequest, "The request body could not be read."}
	case max(int64(len(body)), r.ContentLength) > h.cfg.MaxBodyBytes:
		return nil, &httpError{http.StatusRequestEntityTooLarge,
			fmt.Sprintf("Request body exceeds the limit of %d bytes.", h.cfg.MaxBodyBytes)}
	case len(body) == 0:
		return nil, nil
	}
	if contentType := r.Header.Get("Content-Type"); !isJSON(contentType) {
		return nil, &httpError{http.StatusUnsupportedMediaType,
			fmt.Sprintf("Unsupported media type \"%s\" in request.", contentType)}
	}
	return parseObject(body)
}

// isJSON reports whether contentType is JSON, or a pattern such as */* that matches it.
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, _ := mime.ParseMediaType(contentType)
	kind, form, _ := strings.Cut(media, "/")
	return (kind == "application" || kind == "*") && (form == "json" || form == "*")
}

func parseObject(body []byte) (object map[string]json.RawMessage, err error) {
	if err = json.Unmarshal(body, &object); !utf8.Valid(body) {
		err = errors.New("invalid UTF-8")
	}
	_, another := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case another:
		return nil, wholeFault(codeObject, pythonType(bytes.TrimSpace(body)))
	case err != nil:
		return nil, &httpError{http.StatusBadRequest, "JSON parse error - " + err.Error()}
	case object == nil:
		return nil, wholeFault(codeNoData, "")
	}
	return object, nil
}

// wholeFault is the error for a body that is not an object.
func wholeFault(code authtoken.Code, value string) error {
	return &authtoken.ValidationError{Fields: []authtoken.FieldError{{Code: code, Value: value}}}
}

// createParams returns the token that a request asks for. Invalid has the faults of
// single fields: the service reports them together with those that it finds.
func (d *decoder) createParams() authtoken.CreateParams {
	u := d.updateParams(true) // must have an identifier, too: the service would make one up
	return authtoken.CreateParams{
		Identifier:  value(u.Identifier),
		Intent:      value(u.Intent),
		User:        value(u.User),
		Description: value(u.Description),
		Managed:     value(u.Managed),
		Expires:     value(u.Expires),
		Expiring:    u.Expiring,
		Scopes:      u.Scopes,
		Networks:    value(u.Networks),
		Suspended:   value(u.Suspended),
		Metadata:    u.Metadata,
		Invalid:     u.Invalid,
	}
}

// updateParams returns the change that a request asks for, with its faults as in
// createParams. A PUT must have an identifier. Without an intent, it sets the default
// intent.
func (d *decoder) updateParams(put bool) (p authtoken.UpdateParams) {
	if put {
		d.require("identifier")
	}
	p.Managed = d.string("managed", mayBeNull)
	p.Identifier = d.string("identifier", 0)
	if p.Intent = d.intent(); p.Intent == nil && put {
		p.Intent = new(authtoken.IntentAPI)
	}
	p.User = d.user()
	p.Description = d.string("description", mayBeBlank)
	p.Expires = d.expires()
	p.Expiring = d.boolean("expiring")
	p.Scopes = d.scopes()
	p.Networks = d.networks()
	p.Suspended = d.boolean("suspended")
	p.Metadata = d.metadata()
	p.Invalid = d.faults
	return p
}

// key returns the key that a request sets.
func (d *decoder) key() (string, error) {
	d.require("key")
	return value(d.string("key", mayBeBlank)), d.err()
}

// maxOverlap is the longest overlap that a request may ask for: 10 years.
const maxOverlap = 10 * 365 * 24 * time.Hour

// overlap returns how long the old key stays valid. A request gives it in whole seconds.
// It is 0 if the request does not.
func (d *decoder) overlap() (time.Duration, error) {
	raw, ok := d.get("overlap")
	if !ok {
		return 0, d.err()
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < 0 || n > int64(maxOverlap/time.Second) {
		d.fault("overlap", authtoken.CodeInvalid, "")
	}
	return time.Duration(n) * time.Second, d.err()
}

func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}
