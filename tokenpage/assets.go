package tokenpage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed templates assets
var files embed.FS

// parseTemplates does not fail: the templates are embedded, and every test parses them.
func parseTemplates() map[string]*template.Template {
	templates := make(map[string]*template.Template)
	for _, name := range []string{"list", "new", "edit", "rotate", "revoke", "key", "message"} {
		templates[name] = template.Must(template.ParseFS(files,
			"templates/base.html", "templates/parts.html", "templates/"+name+".html"))
	}
	return templates
}

// assets are the files that pages link to. Their URLs change with their content, so
// that browsers can keep them for good.
type assets struct {
	Style, Script, Icon string // URLs, as queries
	files               map[string][]byte
}

func loadAssets() *assets {
	a := &assets{files: make(map[string][]byte)}
	for name, url := range map[string]*string{"style.css": &a.Style, "page.js": &a.Script, "icon.svg": &a.Icon} {
		body, _ := files.ReadFile("assets/" + name) // embedded
		ext := path.Ext(name)
		name = fmt.Sprintf("%s-%.6x%s", strings.TrimSuffix(name, ext), sha256.Sum256(body), ext)
		a.files[name] = body
		*url = "?asset=" + name
	}
	return a
}

// contentTypes are spelled out since some systems have their own idea of them.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// serve answers with the asset of this name, to anybody: there is nothing in it
// that is not in the library.
func (a *assets) serve(w http.ResponseWriter, r *http.Request, name string) {
	header := w.Header()
	body, ok := a.files[name]
	if !ok {
		// One of another version, which may be back in a moment.
		header.Set("Cache-Control", "no-store")
		http.Error(w, "There is no such asset.", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "Method not allowed.", http.StatusMethodNotAllowed)
		return
	}
	header.Set("Cache-Control", "private, max-age=31536000, immutable")
	header.Set("Content-Security-Policy", "default-src 'none'")
	header.Set("Content-Type", contentTypes[path.Ext(name)])
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
}
