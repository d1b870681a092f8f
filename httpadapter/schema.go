package httpadapter

import (
	_ "embed"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// openAPI describes what the handler serves under its default base path.
//
//go:embed openapi.json
var openAPI string

// The parts of openAPI that depend on the configuration. Each occurs once in it.
const (
	defaultServer = `"/api/v3"`

	// The IDs of users. In answers, an ID that is not a number is a string.
	mixedIDs = `"UserID": {
        "oneOf": [
          {"type": "integer", "format": "int64"},
          {"type": "string", "pattern": "[^0-9]|^0[0-9]|^[0-9]{19}"}
        ]`
	requestedIDs = `"UserIDRequest": {
        "type": "integer",
        "format": "int64"`

	// The fields of a token that authentik does not have, in the list of required
	// fields.
	ownFields = `,
          "created",
          "last_used",
          "scopes",
          "allowed_ips",
          "suspended",
          "locked",
          "metadata",
          "via"`
)

// schemaFor returns openAPI for this base path and the configuration of h.
func (h *Handler) schemaFor(base string) string {
	if base == "" {
		base = "/" // the URL of a server must not be empty
	}
	const text = `"type": "string", "minLength": 1, "maxLength": 255`
	changes := []string{defaultServer, string(appendString(nil, "", base))}
	switch {
	case h.cfg.TextUserIDs:
		changes = append(changes, mixedIDs, `"UserID": {`+text, requestedIDs, `"UserIDRequest": {`+text)
	case h.cfg.UserNumber != nil:
		changes = append(changes, mixedIDs, `"UserID": {"type": "integer", "format": "int64"`)
	}
	if h.cfg.AuthentikFieldsOnly {
		changes = append(changes, ownFields, "")
	}
	return strings.NewReplacer(changes...).Replace(openAPI)
}

// serveSchema answers with the OpenAPI document. Its media type is that of JSON. Tools do
// not agree on one for OpenAPI, and a browser shows JSON instead of saving it.
func (h *Handler) serveSchema(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.fail(w, r, errMethod(r), nil)
		return
	}
	schema := h.schema
	// Behind http.StripPrefix, clients use a longer base path than the handler gets. Only
	// RequestURI still has it.
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if seen, ok := strings.CutSuffix(path, "/schema/"); ok && strings.HasPrefix(path, "/") {
		if seen = strings.TrimRight(seen, "/"); seen != h.base {
			schema = h.schemaFor(seen)
		}
	}
	header := w.Header()
	header["Content-Type"] = contentType
	header.Set("Content-Length", strconv.Itoa(len(schema)))
	_, _ = io.WriteString(w, schema)
}
