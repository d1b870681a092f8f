package httpadapter

import (
	"net/http"
	"strings"
)

var errCrossOrigin = &httpError{http.StatusForbidden, "This request came from another site, so nothing was done."}

// admit returns why r is refused, whoever has sent it.
func (h *Handler) admit(r *http.Request) error {
	scheme, key, err := authorization(r)
	if err != nil {
		return err
	}
	// A browser sends cookies, and the credentials of schemes that it knows
	// itself, whichever site asks it to. It knows nothing of bearer tokens.
	bearer := key != "" && strings.EqualFold(scheme, "Bearer")
	if !bearer && h.crossOrigin.Check(r) != nil {
		return errCrossOrigin
	}
	return nil
}
