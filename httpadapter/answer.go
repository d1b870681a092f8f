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

// httpError is an error in a request that only HTTP knows.
type httpError struct {
	status int
	detail string
}

func (e *httpError) Error() string { return e.detail }

var errPrecondition = &httpError{http.StatusPreconditionFailed, "The token has changed: it has another ETag now."}

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
	if errors.Is(err, authtoken.ErrStale) && ifMatch(r) != nil {
		err = errPrecondition
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
		logFailure(h.cfg.Logger, r, "request failed", err)
	}
	writeDetail(w, http.StatusInternalServerError, "Internal server error.")
}

func logFailure(log *slog.Logger, r *http.Request, what string, err error) {
	log.ErrorContext(r.Context(), what, "method", r.Method, "path", r.URL.Path, "error", err)
}

func writeDetail(w http.ResponseWriter, status int, detail string) {
	writeText(w, status, "detail", detail)
}

// writeText answers with an object that has one text in it.
func writeText(w http.ResponseWriter, status int, name, text string) {
	a := newAnswer()
	a.b = appendString(append(a.b, '{'), "", name)
	a.b = append(appendString(a.b, ":", text), '}')
	a.send(w, status)
}

// writeFaults lists the messages of each field; those of one field stand together.
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

// answer is the JSON of an answer, in a buffer that is used for others later.
type answer struct {
	b     []byte
	begun bool // a part of it is sent
}

var answers = sync.Pool{New: func() any { return new(answer) }}

func newAnswer() *answer { return answers.Get().(*answer) }

// keepSize is how large a buffer is kept for the next answer, and pieceSize how much
// of a long answer is put together before it is sent.
const (
	keepSize  = 64 << 10
	pieceSize = keepSize / 2
)

// send sends what has not been sent. The answer can't be used after that.
func (a *answer) send(w http.ResponseWriter, status int) {
	if !a.begun {
		writeHeader(w, status, len(a.b))
	}
	_, _ = w.Write(a.b) // a client that has gone away
	a.free()
}

// free has the buffer used for another answer, unless it is large.
func (a *answer) free() {
	if cap(a.b) <= keepSize {
		*a = answer{b: a.b[:0]}
		answers.Put(a)
	}
}

// sendLong sends b, the answer so far, if it is long, and returns what is to be
// appended to. A long answer need not be held in memory that way. Once a piece is
// sent, nothing must fail.
//
// If the client leaves or the request runs out of time, the answer is cut off: a part
// of a list must not look like the whole.
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

// Shared between answers, and never written to.
var (
	contentType  = []string{"application/json"}
	cacheControl = []string{"no-store"}
	nosniff      = []string{"nosniff"}
)

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
