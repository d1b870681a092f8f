package httpadapter

import "net/http"

var errCrossOrigin = &httpError{http.StatusForbidden, "This request came from another site, so nothing was done."}

// admit returns why r is refused, whoever sent it.
func (h *Handler) admit(r *http.Request) error {
	if len(r.Header["Authorization"]) > 1 {
		return errRepeated
	}
	if h.cfg.CrossOrigin.Check(r) == nil {
		return nil
	}
	// A browser sends cookies, and the credentials of schemes that it knows, whichever
	// site asks it to. It knows nothing of bearer tokens.
	if _, bearer := credentials(r, "Bearer"); !bearer {
		return errCrossOrigin
	}
	return nil
}
