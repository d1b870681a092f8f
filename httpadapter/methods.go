package httpadapter

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/authtoken/authtoken"
)

func (h *Handler) options(w http.ResponseWriter, _ *http.Request, c call) error {
	w.Header().Set("Allow", c.route.allow)
	return writeJSON(w, http.StatusOK, func(b []byte) ([]byte, error) {
		b = append(b, `{"name":`...)
		b = appendString(b, c.route.name)
		return append(b, `,"description":"Token Viewset","renders":["application/json"],"parses":["application/json"]}`...), nil
	})
}

func (h *Handler) notAllowed(w http.ResponseWriter, r *http.Request, c call) error {
	w.Header().Set("Allow", c.route.allow)
	return &httpError{http.StatusMethodNotAllowed, fmt.Sprintf("Method \"%s\" not allowed.", r.Method)}
}

func (h *Handler) create(w http.ResponseWriter, r *http.Request, c call) error {
	p, sent, err := h.readCreate(r)
	if err != nil {
		return err
	}
	token, key, err := c.access.Create(r.Context(), p)
	if err != nil {
		return sent.asSent(err)
	}
	if h.svc.Reveals() {
		key = authtoken.Key{}
	}
	return h.writeToken(w, r, c, http.StatusCreated, token, key)
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, c call) error {
	token, err := c.access.Get(r.Context(), c.identifier)
	if err != nil {
		return err
	}
	return h.writeToken(w, r, c, http.StatusOK, token, authtoken.Key{})
}

// update answers PUT and PATCH.
func (h *Handler) update(w http.ResponseWriter, r *http.Request, c call) error {
	p, sent, err := h.readUpdate(r)
	if err != nil {
		return c.absentOr(r, err)
	}
	conditions := ifMatch(r)
	token, err := c.access.Update(r.Context(), c.identifier, p, conditions...)
	if err != nil {
		return preconditionFailed(conditions, sent.asSent(err))
	}
	return h.writeToken(w, r, c, http.StatusOK, token, authtoken.Key{})
}

// absentOr returns err, which is about the body of a request, unless the token
// that the request is about is not there, which comes first.
func (c call) absentOr(r *http.Request, err error) error {
	if _, absent := c.access.Get(r.Context(), c.identifier); absent != nil {
		return absent
	}
	return err
}

func (h *Handler) delete(w http.ResponseWriter, r *http.Request, c call) error {
	conditions := ifMatch(r)
	if err := c.access.Delete(r.Context(), c.identifier, conditions...); err != nil {
		return preconditionFailed(conditions, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) viewKey(w http.ResponseWriter, r *http.Request, c call) error {
	key, err := c.access.Reveal(r.Context(), c.identifier)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, func(b []byte) ([]byte, error) {
		return append(appendString(append(b, `{"key":`...), key.Reveal()), '}'), nil
	})
}

func (h *Handler) setKey(w http.ResponseWriter, r *http.Request, c call) error {
	key, err := h.readKey(r)
	if err != nil {
		// Whether the caller may do this at all comes first, and the service
		// knows: an empty key changes nothing.
		if denied := c.access.SetKey(r.Context(), c.identifier, ""); !isValidation(denied) {
			return denied
		}
		return err
	}
	conditions := ifMatch(r)
	if err := c.access.SetKey(r.Context(), c.identifier, key, conditions...); err != nil {
		return preconditionFailed(conditions, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// rotate answers with the token and its new key, even if keys can be viewed.
func (h *Handler) rotate(w http.ResponseWriter, r *http.Request, c call) error {
	overlap, err := h.readOverlap(r)
	if err != nil {
		return c.absentOr(r, err)
	}
	conditions := ifMatch(r)
	token, key, err := c.access.Rotate(r.Context(), c.identifier, overlap, conditions...)
	if err != nil {
		return preconditionFailed(conditions, err)
	}
	return h.writeToken(w, r, c, http.StatusOK, token, key)
}

// usedBy answers with nothing: here, nothing refers to tokens.
func (h *Handler) usedBy(w http.ResponseWriter, r *http.Request, c call) error {
	if _, err := c.access.Get(r.Context(), c.identifier); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, func(b []byte) ([]byte, error) { return append(b, "[]"...), nil })
}

func (h *Handler) writeToken(w http.ResponseWriter, r *http.Request, c call, status int, t authtoken.Token, key authtoken.Key) error {
	owner, err := h.profile(r.Context(), c.access, t)
	if err == nil {
		err = h.writeOwned(w, r, status, &t, &owner, key)
	}
	if err == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return err
	}
	// The change is made, and there may be a key that will never be seen again:
	// better to show less of the owner than to say that nothing has happened.
	h.logError(r, "owner of the token can't be shown", err)
	shown := *h
	shown.userNumber = nil // which may be what has failed
	return shown.writeOwned(w, r, status, &t, &Profile{ID: t.User}, key)
}

func (h *Handler) writeOwned(w http.ResponseWriter, r *http.Request, status int, t *authtoken.Token, owner *Profile, key authtoken.Key) error {
	return writeJSON(w, status, func(b []byte) ([]byte, error) {
		b, err := h.appendToken(r.Context(), b, t, owner, key)
		if err == nil {
			w.Header()["Etag"] = []string{`"` + t.Revision() + `"`}
		}
		return b, err
	})
}

// ifMatch returns the condition that r sets in its header If-Match, or none
// (RFC 9110, section 13.1.1).
func ifMatch(r *http.Request) []authtoken.Condition {
	values := r.Header["If-Match"]
	header := strings.Join(values, ",")
	if len(values) == 0 || strings.TrimSpace(header) == "*" {
		return nil
	}
	var revisions []string
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if n := len(tag); n > 2 && tag[0] == '"' && tag[n-1] == '"' {
			revisions = append(revisions, tag[1:n-1])
		}
	}
	return []authtoken.Condition{authtoken.IfRevision(revisions...)}
}

var errPrecondition = &httpError{http.StatusPreconditionFailed, "The token has changed: it has another ETag now."}

func preconditionFailed(conditions []authtoken.Condition, err error) error {
	if len(conditions) > 0 && errors.Is(err, authtoken.ErrStale) {
		return errPrecondition
	}
	return err
}
