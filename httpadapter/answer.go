package httpadapter

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"github.com/authtoken/authtoken"
)

// httpError is an error that only HTTP has, with its status.
type httpError struct {
	status int
	detail string
}

func (e *httpError) Error() string { return e.detail }

var errPrecondition = &httpError{http.StatusPreconditionFailed, "The token has changed: it has another ETag now."}

// status is the answer to an error.
type status struct {
	err    error
	code   int
	detail string
}

// The first entry that an error matches counts. An error that matches none is a failure
// of the server's.
var (
	credentialStatuses = []status{
		{ErrNoCredentials, http.StatusForbidden, "Authentication credentials were not provided."},
		{ErrUnsupportedScheme, http.StatusForbidden, "Unsupported authentication type"},
		{authtoken.ErrRefused, http.StatusForbidden, "Token invalid/expired"},
		{authtoken.ErrUserNotFound, http.StatusForbidden, "Token invalid/expired"},
		{authtoken.ErrForbidden, http.StatusForbidden, "Authentication credentials were not provided."}, // the principal is nobody
	}
	callStatuses = []status{
		{authtoken.ErrRefused, http.StatusForbidden, "Token invalid/expired"}, // the key was valid when it was checked
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
	if errors.Is(err, authtoken.ErrStale) && ifMatch(r) != nil {
		err = errPrecondition
	}
	h.fail(w, r, err, callStatuses)
}

// fail answers with what an httpError says, or the first of statuses that err matches.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error, statuses []status) {
	if e, ok := errors.AsType[*httpError](err); ok {
		writeDetail(w, e.status, e.detail)
		return
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			writeDetail(w, s.code, s.detail)
			return
		}
	}
	logFailure(h.cfg.Logger, r, "request failed", err)
	writeDetail(w, http.StatusInternalServerError, "Internal server error.")
}

// logFailure logs err, unless the client has gone away, which is not worth a line in the log.
func logFailure(log *slog.Logger, r *http.Request, what string, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return
	}
	log.ErrorContext(r.Context(), what, "method", r.Method, "path", r.URL.Path, "error", err)
}

func writeDetail(w http.ResponseWriter, status int, detail string) {
	writeText(w, status, "detail", detail)
}

// writeText answers with a JSON object that has one field.
func writeText(w http.ResponseWriter, status int, name, text string) {
	a := newAnswer()
	a.b = appendString(append(a.b, '{'), "", name)
	a.b = append(appendString(a.b, ":", text), '}')
	a.send(w, status)
}

// writeFaults answers with the messages about each field. The faults of one field must
// stand together.
func writeFaults(w http.ResponseWriter, invalid *authtoken.ValidationError) {
	a := newAnswer()
	field, beforeField := "", "{"
	for i, f := range inOrder(invalid.Fields) {
		before := ","
		if name := wireName(f.Field); i == 0 || name != field {
			a.b = appendString(a.b, beforeField, name)
			field, beforeField, before = name, "],", ":["
		}
		a.b = appendString(a.b, before, words(f))
	}
	a.b = append(a.b, "]}"...)
	a.send(w, http.StatusBadRequest)
}

// answer is the JSON of one answer. Its buffer is used again for other answers.
type answer struct {
	b     []byte
	begun bool // the header and a part of the body are sent
}

var answers = sync.Pool{New: func() any { return new(answer) }}

func newAnswer() *answer { return answers.Get().(*answer) }

const (
	keepSize  = 64 << 10     // the largest buffer that is used again
	pieceSize = keepSize / 2 // a long answer is sent in pieces of about this size
)

// send sends the rest of the answer. The answer can't be used after that.
func (a *answer) send(w http.ResponseWriter, status int) {
	if !a.begun {
		writeHeader(w, status, len(a.b))
	}
	_, _ = w.Write(a.b) // fails if the client has gone away
	a.free()
}

// free keeps the buffer for another answer, unless it is large.
func (a *answer) free() {
	if cap(a.b) <= keepSize {
		*a = answer{b: a.b[:0]}
		answers.Put(a)
	}
}

// sendLong sends b, the answer so far, if it has the size of a piece. It returns the
// slice to append the rest to. A long answer is not held in memory that way. After the
// first piece, nothing may fail any more.
//
// If the client leaves or the request runs out of time, sendLong cuts off the answer,
// so that a part of a list does not look like the whole list.
func (a *answer) sendLong(ctx context.Context, w http.ResponseWriter, b []byte) []byte {
	if len(b) < pieceSize {
		return b
	}
	if !a.begun {
		writeHeader(w, http.StatusOK, -1)
		a.begun = true
	}
	if _, err := w.Write(b); err != nil || ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
	return b[:0]
}

// Header values that all answers share. Nothing writes to them.
var (
	contentType  = []string{"application/json"}
	cacheControl = []string{"no-store"}
	nosniff      = []string{"nosniff"}
)

// writeHeader sends the header of an answer. length is that of the body, or -1 if it is
// not known.
func writeHeader(w http.ResponseWriter, status, length int) {
	header := w.Header()
	header["Content-Type"] = contentType
	header["Cache-Control"] = cacheControl
	if length > 2048 { // net/http sets it for shorter bodies
		header.Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(status)
}
