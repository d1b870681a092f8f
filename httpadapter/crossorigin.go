package httpadapter

import "net/http"

var errCrossOrigin = &httpError{http.StatusForbidden, "This request came from another site, so nothing was done."}

// admit returns an error if r is refused before anybody looks at its credentials.
func (h *Handler) admit(r *http.Request) error {
	if len(r.Header["Authorization"]) > 1 {
		return errRepeated
	}
	if h.cfg.CrossOrigin.Check(r) == nil {
		return nil
	}
	// Any site can make a browser send cookies, and credentials of the schemes that the
	// browser knows. It does not know bearer tokens.
	if _, bearer := credentials(r, "Bearer"); !bearer {
		return errCrossOrigin
	}
	return nil
}
