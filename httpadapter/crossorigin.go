package httpadapter

import (
	"net/http"
	"strings"
)

var errCrossOrigin = &httpError{http.StatusForbidden, "This request came from another site, so nothing was done."}

// admit returns an error if r is refused before anybody looks at its credentials.
func (h *Handler) admit(r *http.Request) error {
	scheme, key, err := authorization(r)
	// Any site can make a browser send cookies, and credentials of the schemes that the
	// browser knows. It does not know bearer tokens.
	bearer := key != "" && strings.EqualFold(scheme, "Bearer")
	if err == nil && !bearer && h.cfg.CrossOrigin.Check(r) != nil {
		return errCrossOrigin
	}
	return err
}
