package httpadapter

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtoken/authtoken"
)

// route is one of the paths that the handler serves.
type route struct {
	name    string // for OPTIONS
	allow   string // the Allow header
	methods map[string]method
}

// method answers one request, or returns why it can't.
type method func(h *Handler, w http.ResponseWriter, r *http.Request, c call) error

// call is what is known of a request when its method is called.
type call struct {
	route      *route
	access     *authtoken.Access
	identifier string // from the path, if it has one
}

var (
	collection = route{
		name:  "Token List",
		allow: "GET, POST, HEAD, OPTIONS",
		methods: map[string]method{
			http.MethodGet:  (*Handler).list,
			http.MethodPost: (*Handler).create,
		},
	}
	item = route{
		name:  "Token Instance",
		allow: "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
		methods: map[string]method{
			http.MethodGet:    (*Handler).get,
			http.MethodPut:    (*Handler).update,
			http.MethodPatch:  (*Handler).update,
			http.MethodDelete: (*Handler).delete,
		},
	}
	actions = map[string]*route{
		"view_key/": {
			name:    "View Key",
			allow:   "GET, HEAD, OPTIONS",
			methods: map[string]method{http.MethodGet: (*Handler).viewKey},
		},
		"set_key/": {
			name:    "Set Key",
			allow:   "POST, OPTIONS",
			methods: map[string]method{http.MethodPost: (*Handler).setKey},
		},
		"rotate/": {
			name:    "Rotate",
			allow:   "POST, OPTIONS",
			methods: map[string]method{http.MethodPost: (*Handler).rotate},
		},
		"used_by/": {
			name:    "Used by",
			allow:   "GET, HEAD, OPTIONS",
			methods: map[string]method{http.MethodGet: (*Handler).usedBy},
		},
	}
)

func (rt *route) method(name string) method {
	if name == http.MethodHead {
		name = http.MethodGet // net/http sends no body then
	}
	if m := rt.methods[name]; m != nil {
		return m
	}
	if name == http.MethodOptions {
		return (*Handler).options
	}
	return (*Handler).notAllowed
}

// below returns what follows the base path in r's path, or "". Slashes in
// between may be doubled, as they are in the documentation of authentik.
func (h *Handler) below(r *http.Request) string {
	// The escaped path, lest an escaped slash in an identifier lead elsewhere.
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), h.base)
	if !ok || !strings.HasPrefix(path, "/") {
		return ""
	}
	return strings.TrimLeft(path, "/")
}

// route returns what r's path leads to, and the identifier in it.
func (h *Handler) route(r *http.Request) (*route, string) {
	path, ok := strings.CutPrefix(h.below(r), "core/tokens/")
	if !ok {
		return nil, ""
	}
	if path == "" {
		return &collection, ""
	}
	identifier, action, ok := strings.Cut(path, "/")
	if !ok || identifier == "" {
		return nil, ""
	}
	identifier, err := url.PathUnescape(identifier)
	if err != nil || strings.Contains(identifier, ".") { // which authentik's paths do not have
		return nil, ""
	}
	if action == "" {
		return &item, identifier
	}
	return actions[action], identifier
}

// rendered reports whether the answer that r asks for can be had in the format that
// its query names, if it names one.
func rendered(r *http.Request) bool {
	if !strings.Contains(r.URL.RawQuery, "format") { // or each request would pay for it
		return true
	}
	format := last(parseQuery(r.URL.RawQuery), "format")
	return format == "" || format == "json"
}

func (h *Handler) options(w http.ResponseWriter, _ *http.Request, c call) error {
	w.Header().Set("Allow", c.route.allow)
	a := newAnswer()
	a.b = appendString(a.b, `{"name":`, c.route.name)
	a.b = append(a.b, `,"description":"Token Viewset","renders":["application/json"],"parses":["application/json"]}`...)
	a.send(w, http.StatusOK)
	return nil
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
	a := newAnswer()
	a.b = append(appendString(a.b, `{"key":`, key.Reveal()), '}')
	a.send(w, http.StatusOK)
	return nil
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
	// The change is made, and there may be a key that will never be seen again:
	// better to show less of the owner than to say that nothing has happened.
	h.logError(r, "owner of the token can't be shown", err)
	shown := *h
	shown.cfg.UserNumber = nil // which may be what has failed
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
