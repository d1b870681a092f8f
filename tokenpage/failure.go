package tokenpage

import (
	"context"
	"errors"
	"net/http"

	"github.com/authtoken/authtoken"
)

// pageError is an error with the page that reports it.
type pageError struct {
	status         int
	title, message string
}

func (e *pageError) Error() string { return e.message }

var (
	errCrossOrigin = &pageError{http.StatusForbidden, "Not allowed", "This request came from another site, so nothing was done."}
	errSignedOut   = &pageError{http.StatusForbidden, "Not signed in", "Sign in to see your tokens."}
	errInactive    = &pageError{http.StatusForbidden, "Not allowed", "Your account is not active."}
	errForbidden   = &pageError{http.StatusForbidden, "Not allowed", "You may not do this with this token."}
	errNoPage      = &pageError{http.StatusNotFound, "Not found", "There is no such page."}
	errNoToken     = &pageError{http.StatusNotFound, "Not found", "There is no such token. It may have been revoked."}
	errMethod      = &pageError{http.StatusMethodNotAllowed, "Not allowed", "This page can't be used like that."}
	errTooLarge    = &pageError{http.StatusRequestEntityTooLarge, "Too long", "What you have sent is too long."}
	errBadForm     = &pageError{http.StatusBadRequest, "Not understood", "What you have sent can't be read."}
	errInternal    = &pageError{http.StatusInternalServerError, "Something went wrong", "Your request could not be served. Try again in a while."}
)

// fail answers r, which can't be served because of err.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, c call, err error) {
	answer, known := errors.AsType[*pageError](err)
	switch {
	case known:
	case errors.Is(err, authtoken.ErrNotFound):
		answer = errNoToken
	case errors.Is(err, authtoken.ErrForbidden):
		answer = errForbidden
	case errors.Is(err, authtoken.ErrRefused): // the key was valid at the sign-in
		answer = errSignedOut
	default:
		answer = h.internal(r, err)
	}
	main := map[string]any{"Message": answer.message, "SignedIn": c.access != nil}
	if err := h.render(w, answer.status, c, "message", answer.title, main); err != nil {
		h.logError(r, "page failed", err)
		http.Error(w, answer.message, answer.status)
	}
}

// internal logs err, which is a failure of the application whatever it matches. It
// returns the page that reports it.
func (h *Handler) internal(r *http.Request, err error) *pageError {
	// A client that has gone away is not worth a line in the log.
	if !errors.Is(err, context.Canceled) || r.Context().Err() == nil {
		h.logError(r, "request failed", err)
	}
	return errInternal
}

func (h *Handler) logError(r *http.Request, what string, err error) {
	h.cfg.Logger.ErrorContext(r.Context(), what, "method", r.Method, "path", r.URL.Path, "error", err)
}
