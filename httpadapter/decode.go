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
	if r.Body == nil { // as in a request that was made for a test
		return nil, nil
	}
	if r.ContentLength > h.cfg.MaxBodyBytes {
		return nil, h.tooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, h.cfg.MaxBodyBytes+1))
	switch {
	case err != nil:
		return nil, &httpError{http.StatusBadRequest, "The request body could not be read."}
	case int64(len(body)) > h.cfg.MaxBodyBytes:
		return nil, h.tooLarge()
	case len(body) == 0:
		return nil, nil
	}
	if contentType := r.Header.Get("Content-Type"); !isJSON(contentType) {
		return nil, &httpError{http.StatusUnsupportedMediaType,
			fmt.Sprintf("Unsupported media type \"%s\" in request.", contentType)}
	}
	return parseObject(body)
}

// isJSON reports whether contentType is that of JSON, or a pattern that fits it.
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, _ := mime.ParseMediaType(contentType)
	kind, form, _ := strings.Cut(media, "/")
	return (kind == "application" || kind == "*") && (form == "json" || form == "*")
}

func (h *Handler) tooLarge() error {
	return &httpError{http.StatusRequestEntityTooLarge,
		fmt.Sprintf("Request body exceeds the limit of %d bytes.", h.cfg.MaxBodyBytes)}
}

func parseObject(body []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, parseError(errors.New("invalid UTF-8"))
	}
	var object map[string]json.RawMessage
	err := json.Unmarshal(body, &object)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, wholeFault(codeObject, pythonType(bytes.TrimSpace(body)))
	}
	if err != nil {
		return nil, parseError(err)
	}
	if object == nil {
		return nil, wholeFault(codeNoData, "")
	}
	return object, nil
}

func parseError(err error) error {
	return &httpError{http.StatusBadRequest, "JSON parse error - " + err.Error()}
}

// wholeFault is the error of a body that is no object.
func wholeFault(code authtoken.Code, value string) error {
	return &authtoken.ValidationError{Fields: []authtoken.FieldError{{Code: code, Value: value}}}
}

// readCreate reads what token a request asks for. Faults in single fields are noted
// in the params, for the service to report with its own.
func (h *Handler) readCreate(r *http.Request) (p authtoken.CreateParams, d *decoder, err error) {
	d, err = h.readFields(r)
	if err != nil {
		return p, d, err
	}
	p.Managed = value(d.managed())
	p.Identifier = value(d.identifier(true))
	p.Intent = value(d.intent())
	p.User = value(d.user())
	p.Description = value(d.string("description", false))
	p.Expires = value(d.expires())
	p.Expiring = d.expiring()
	p.Invalid = d.faults
	return p, d, d.failure
}

// readUpdate reads what a request wants to change, as readCreate does. A PUT must
// name the identifier, and an intent that it does not name becomes the default.
func (h *Handler) readUpdate(r *http.Request) (p authtoken.UpdateParams, d *decoder, err error) {
	d, err = h.readFields(r)
	if err != nil {
		return p, d, err
	}
	put := r.Method == http.MethodPut
	p.Managed = d.managed()
	p.Identifier = d.identifier(put)
	if p.Intent = d.intent(); p.Intent == nil && put {
		p.Intent = new(authtoken.IntentAPI)
	}
	p.User = d.user()
	p.Description = d.string("description", false)
	p.Expires = d.expires()
	p.Expiring = d.expiring()
	p.Invalid = d.faults
	return p, d, d.failure
}

func (h *Handler) readFields(r *http.Request) (*decoder, error) {
	object, err := h.readObject(r)
	return &decoder{h: h, ctx: r.Context(), object: object}, err
}

// readKey reads the key that a request sets.
func (h *Handler) readKey(r *http.Request) (string, error) {
	d, err := h.readFields(r)
	if err != nil {
		return "", err
	}
	key := d.string("key", false)
	if key == nil && len(d.faults) == 0 {
		d.fault("key", authtoken.CodeRequired, "")
	}
	return value(key), d.err()
}

// maxOverlap is the longest overlap that a request may ask for: 10 years.
const maxOverlap = 10 * 365 * 24 * time.Hour

// readOverlap reads for how long the old key stays good, in whole seconds.
func (h *Handler) readOverlap(r *http.Request) (time.Duration, error) {
	d, err := h.readFields(r)
	if err != nil {
		return 0, err
	}
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
