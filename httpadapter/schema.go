package httpadapter

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// openAPI describes what the handler serves under its default base path.
//
//go:embed openapi.json
var openAPI string

// defaultServer is how openAPI names the base path. It occurs nowhere else in it.
const defaultServer = `"/api/v3"`

// schemaFor returns openAPI for another base path.
func schemaFor(base string) string {
	if base == "" {
		base = "/" // as OpenAPI writes it: paths are appended all the same
	}
	return strings.Replace(openAPI, defaultServer, string(appendString(nil, base)), 1)
}

// serveSchema answers with the OpenAPI document. It is declared as plain JSON,
// like everything else here: there is no media type for OpenAPI that tools agree
// on, and a browser shows this one instead of saving it.
func (h *Handler) serveSchema(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		writeDetail(w, http.StatusMethodNotAllowed, fmt.Sprintf("Method \"%s\" not allowed.", r.Method))
		return
	}
	schema := h.schema
	// Behind http.StripPrefix, clients know the handler by a longer path than
	// it does itself, and only this has kept it.
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if seen, ok := strings.CutSuffix(path, "/schema/"); ok && strings.HasPrefix(path, "/") {
		if seen = strings.TrimRight(seen, "/"); seen != h.base {
			schema = schemaFor(seen)
		}
	}
	header := w.Header()
	header["Content-Type"] = contentType
	header.Set("Content-Length", strconv.Itoa(len(schema)))
	_, _ = io.WriteString(w, schema)
}
