package httpadapter

import (
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
