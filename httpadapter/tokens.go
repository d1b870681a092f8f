package httpadapter

import (
	"errors"
	"net/http"
	"strings"

	"github.com/authtoken/authtoken"
)

func (h *Handler) create(w http.ResponseWriter, r *http.Request, c call) error {
	sent := h.decode(r)
	p := sent.createParams()
	if sent.failure != nil {
		return sent.failure
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
	sent := h.decode(r)
	p := sent.updateParams(r.Method == http.MethodPut)
	if sent.failure != nil {
		return c.absentOr(r, sent.failure)
	}
	token, err := c.access.Update(r.Context(), c.identifier, p, ifMatch(r)...)
	if err != nil {
		return sent.asSent(err)
	}
	return h.writeToken(w, r, c, http.StatusOK, token, authtoken.Key{})
}

// absentOr returns err, which is about the body of a request. If the token does not
// exist, it returns that error instead: authentik looks for the token first.
func (c call) absentOr(r *http.Request, err error) error {
	if _, absent := c.access.Get(r.Context(), c.identifier); absent != nil {
		return absent
	}
	return err
}

func (h *Handler) delete(w http.ResponseWriter, r *http.Request, c call) error {
	if err := c.access.Delete(r.Context(), c.identifier, ifMatch(r)...); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) viewKey(w http.ResponseWriter, r *http.Request, c call) error {
	key, err := c.access.Reveal(r.Context(), c.identifier)
	if err != nil {
		return err
	}
	writeText(w, http.StatusOK, "key", key.Reveal())
	return nil
}

func (h *Handler) setKey(w http.ResponseWriter, r *http.Request, c call) error {
	key, err := h.decode(r).key()
	if err != nil {
		// The right to set a key is checked first. The service checks it, and changes
		// nothing since an empty key is not valid.
		denied := c.access.SetKey(r.Context(), c.identifier, "")
		if _, ok := errors.AsType[*authtoken.ValidationError](denied); !ok {
			return denied
		}
		return err
	}
	if err := c.access.SetKey(r.Context(), c.identifier, key, ifMatch(r)...); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// rotate answers with the token and its new key, even if view_key/ can show keys.
func (h *Handler) rotate(w http.ResponseWriter, r *http.Request, c call) error {
	overlap, err := h.decode(r).overlap()
	if err != nil {
		return c.absentOr(r, err)
	}
	token, key, err := c.access.Rotate(r.Context(), c.identifier, overlap, ifMatch(r)...)
	if err != nil {
		return err
	}
	return h.writeToken(w, r, c, http.StatusOK, token, key)
}

// endOverlap stops the previous key, and answers with the token.
func (h *Handler) endOverlap(w http.ResponseWriter, r *http.Request, c call) error {
	token, err := c.access.EndOverlap(r.Context(), c.identifier, ifMatch(r)...)
	if err != nil {
		return err
	}
	return h.writeToken(w, r, c, http.StatusOK, token, authtoken.Key{})
}

// usedBy answers with an empty list: nothing refers to tokens.
func (h *Handler) usedBy(w http.ResponseWriter, r *http.Request, c call) error {
	if _, err := c.access.Get(r.Context(), c.identifier); err != nil {
		return err
	}
	a := newAnswer()
	a.b = append(a.b, "[]"...)
	a.send(w, http.StatusOK)
	return nil
}

func (h *Handler) writeToken(w http.ResponseWriter, r *http.Request, c call, status int, t authtoken.Token, key authtoken.Key) error {
	owner, err := h.profile(r.Context(), c.access, t)
	if err == nil {
		err = h.writeOwned(w, r, status, &t, &owner, key)
	}
	if err == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return err
	}
	// The change is made, and this may be the only answer that shows the key. So answer
	// with less about the owner, instead of with an error.
	logFailure(h.cfg.Logger, r, "owner of the token can't be shown", err)
	shown := *h
	shown.cfg.UserNumber = nil // it may have caused the error
	return shown.writeOwned(w, r, status, &t, &Profile{ID: t.User}, key)
}

func (h *Handler) writeOwned(w http.ResponseWriter, r *http.Request, status int, t *authtoken.Token, owner *Profile, key authtoken.Key) error {
	a := newAnswer()
	b, err := h.appendOwner(r.Context(), appendBeforeOwner(a.b, t), owner)
	if err != nil {
		return err
	}
	a.b = h.appendAfterOwner(b, t, key)
	w.Header()["Etag"] = []string{`"` + t.Revision() + `"`}
	a.send(w, status)
	return nil
}

// ifMatch returns the condition in r's If-Match header (RFC 9110, section 13.1.1). It is
// nil if there is none.
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
