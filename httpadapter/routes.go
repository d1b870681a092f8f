package httpadapter

import (
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

// method answers one request. If it returns an error, it has not answered.
type method func(h *Handler, w http.ResponseWriter, r *http.Request, c call) error

// call is what the handler knows about a request when it calls the method.
type call struct {
	route      *route
	access     *authtoken.Access
	identifier string // from the path, if it has one
}

var (
	collection = route{"Token List", "GET, POST, HEAD, OPTIONS", map[string]method{
		http.MethodGet:  (*Handler).list,
		http.MethodPost: (*Handler).create,
	}}
	item = route{"Token Instance", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS", map[string]method{
		http.MethodGet:    (*Handler).get,
		http.MethodPut:    (*Handler).update,
		http.MethodPatch:  (*Handler).update,
		http.MethodDelete: (*Handler).delete,
	}}
	actions = map[string]*route{
		"view_key/":    {"View Key", "GET, HEAD, OPTIONS", map[string]method{http.MethodGet: (*Handler).viewKey}},
		"set_key/":     {"Set Key", "POST, OPTIONS", map[string]method{http.MethodPost: (*Handler).setKey}},
		"rotate/":      {"Rotate", "POST, OPTIONS", map[string]method{http.MethodPost: (*Handler).rotate}},
		"end_overlap/": {"End Overlap", "POST, OPTIONS", map[string]method{http.MethodPost: (*Handler).endOverlap}},
		"used_by/":     {"Used by", "GET, HEAD, OPTIONS", map[string]method{http.MethodGet: (*Handler).usedBy}},
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

// below returns the part of r's path after the base path, or "". The slash between them
// may be repeated, as it is in authentik's documentation.
func (h *Handler) below(r *http.Request) string {
	// In the escaped path, a slash in an identifier does not end it.
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), h.base)
	if !ok || !strings.HasPrefix(path, "/") {
		return ""
	}
	return strings.TrimLeft(path, "/")
}

// route returns the route for r's path, and the identifier in the path. The route is nil
// if there is none.
func (h *Handler) route(r *http.Request) (*route, string) {
	path, ok := strings.CutPrefix(h.below(r), "core/tokens/")
	if !ok {
		return nil, ""
	}
	if path == "" {
		return &collection, ""
	}
	identifier, action, slash := strings.Cut(path, "/")
	identifier, err := url.PathUnescape(identifier)
	// authentik's paths have no identifiers with dots.
	if !slash || err != nil || identifier == "" || strings.Contains(identifier, ".") {
		return nil, ""
	}
	if action == "" {
		return &item, identifier
	}
	return actions[action], identifier
}

// rendered reports whether the handler has the format that r's query asks for. That is
// JSON. A query can also ask for none.
func rendered(r *http.Request) bool {
	if !strings.Contains(r.URL.RawQuery, "format") { // spares most requests the parsing
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
	return errMethod(r)
}

func errMethod(r *http.Request) error {
	return &httpError{http.StatusMethodNotAllowed, fmt.Sprintf("Method \"%s\" not allowed.", r.Method)}
}
