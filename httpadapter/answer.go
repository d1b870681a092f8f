package httpadapter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/authtoken/authtoken"
)

// httpError is an error in a request that only HTTP knows.
type httpError struct {
	status int
	detail string
}

func (e *httpError) Error() string { return e.detail }

// status says how an error is answered.
type status struct {
	err    error
	code   int
	detail string
}

// In each list, the first that matches counts. What is in neither is a failure
// of ours.
var (
	credentialStatuses = []status{
		{errCrossOrigin, errCrossOrigin.status, errCrossOrigin.detail},
		{ErrNoCredentials, http.StatusForbidden, "Authentication credentials were not provided."},
		{ErrUnsupportedScheme, http.StatusForbidden, "Unsupported authentication type"},
		{authtoken.ErrRefused, http.StatusForbidden, "Token invalid/expired"},
		{authtoken.ErrUserNotFound, http.StatusForbidden, "Token invalid/expired"},
		{authtoken.ErrForbidden, http.StatusForbidden, "Authentication credentials were not provided."}, // nobody
	}
	callStatuses = []status{
		{authtoken.ErrRefused, http.StatusForbidden, "Token invalid/expired"}, // since it was checked
		{authtoken.ErrForbidden, http.StatusForbidden, "You do not have permission to perform this action."},
		{authtoken.ErrNotFound, http.StatusNotFound, "No Token matches the given query."},
		{authtoken.ErrNoPage, http.StatusNotFound, "Invalid page."},
		{authtoken.ErrNoSealer, http.StatusForbidden, "The key of this token can't be shown: only its digest is kept."},
		{authtoken.ErrStale, http.StatusConflict, "The token is being changed by others. Try again."},
	}
)

// failCall answers r, which can't be served because of err.
func (h *Handler) failCall(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[*authtoken.ValidationError](err); ok {
		writeFaults(w, e)
		return
	}
	if e, ok := errors.AsType[*httpError](err); ok {
		writeDetail(w, e.status, e.detail)
		return
	}
	h.fail(w, r, err, callStatuses)
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error, statuses []status) {
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			writeDetail(w, s.code, s.detail)
			return
		}
	}
	// A client that has gone away is no news.
	if !errors.Is(err, context.Canceled) || r.Context().Err() == nil {
		h.logError(r, "request failed", err)
	}
	writeDetail(w, http.StatusInternalServerError, "Internal server error.")
}

func (h *Handler) logError(r *http.Request, what string, err error) {
	h.log.ErrorContext(r.Context(), what, "method", r.Method, "path", r.URL.Path, "error", err)
}

func isValidation(err error) bool {
	_, ok := errors.AsType[*authtoken.ValidationError](err)
	return ok
}

func writeDetail(w http.ResponseWriter, status int, detail string) {
	_ = writeJSON(w, status, func(b []byte) ([]byte, error) {
		return append(appendString(append(b, `{"detail":`...), detail), '}'), nil
	})
}

// writeFaults lists the messages of each field; those of one field stand together.
func writeFaults(w http.ResponseWriter, e *authtoken.ValidationError) {
	_ = writeJSON(w, http.StatusBadRequest, func(b []byte) ([]byte, error) {
		field := ""
		b = append(b, '{')
		for i, f := range e.Fields {
			switch {
			case i > 0 && f.Field == field:
				b = append(b, ',')
			case i > 0:
				b = append(b, "],"...)
				fallthrough
			default:
				field = f.Field
				b = append(appendString(b, field), ":["...)
			}
			b = appendString(b, f.Message)
		}
		return append(b, "]}"...), nil
	})
}

var (
	buffers = sync.Pool{New: func() any { return new([]byte) }}

	// Shared between answers, and never written to.
	contentType  = []string{"application/json"}
	cacheControl = []string{"no-store"}
	nosniff      = []string{"nosniff"}
)

// writeJSON answers with what encode appends, unless that fails.
func writeJSON(w http.ResponseWriter, status int, encode func([]byte) ([]byte, error)) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b, err := encode((*buf)[:0])
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	const keep = 64 << 10 // one long page must not be held on to
	if cap(b) <= keep {
		*buf = b
	}
	header := w.Header()
	header["Content-Type"] = contentType
	header["Cache-Control"] = cacheControl
	if len(b) > 2048 { // shorter than that, net/http does it by itself
		header.Set("Content-Length", strconv.Itoa(len(b)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that has gone away
	return nil
}
