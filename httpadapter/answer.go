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
		{authtoken.ErrNoSealer, http.StatusForbidden, "The key of this token can't be shown: only its digest is kept, or the secret it was sealed with is gone."},
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
		for i, f := range inOrder(e.Fields) {
			name := wireName(f.Field)
			switch {
			case i > 0 && name == field:
				b = append(b, ',')
			case i > 0:
				b = append(b, "],"...)
				fallthrough
			default:
				field = name
				b = append(appendString(b, field), ":["...)
			}
			b = appendString(b, words(f))
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

// keepSize is how large a buffer is kept for the next answer, and pieceSize how much
// of a long answer is put together before it is sent.
const (
	keepSize  = 64 << 10
	pieceSize = keepSize / 2
)

// writeJSON answers with what encode appends, unless that fails.
func writeJSON(w http.ResponseWriter, status int, encode func([]byte) ([]byte, error)) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b, err := encode((*buf)[:0])
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	keep(buf, b)
	writeHeader(w, status, len(b))
	_, _ = w.Write(b) // a client that has gone away
	return nil
}

// writeInPieces answers with what encode appends, as writeJSON does, but need not
// hold all of it. encode calls send with what there is between one token and the
// next, and goes on with what send returns; from the first time on it must not fail.
//
// If the client leaves or the request runs out of time, the answer is cut off, lest a
// part of a list look like the whole.
func writeInPieces(ctx context.Context, w http.ResponseWriter, encode func(b []byte, send func([]byte) []byte) ([]byte, error)) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	begun := false
	b, err := encode((*buf)[:0], func(b []byte) []byte {
		if len(b) < pieceSize {
			return b
		}
		if !begun {
			writeHeader(w, http.StatusOK, -1)
			begun = true
		}
		if _, err := w.Write(b); err != nil || ctx.Err() != nil {
			panic(http.ErrAbortHandler)
		}
		return b[:0]
	})
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	keep(buf, b)
	if !begun {
		writeHeader(w, http.StatusOK, len(b))
	}
	_, _ = w.Write(b)
	return nil
}

// keep has b used again, unless there was a long text in it.
func keep(buf *[]byte, b []byte) {
	if cap(b) <= keepSize {
		*buf = b
	}
}

// writeHeader begins an answer of so many bytes; -1 if that is not known.
func writeHeader(w http.ResponseWriter, status, length int) {
	header := w.Header()
	header["Content-Type"] = contentType
	header["Cache-Control"] = cacheControl
	if length > 2048 { // shorter than that, net/http does it by itself
		header.Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(status)
}
