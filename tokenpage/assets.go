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

// parseTemplates can't fail: the templates are embedded, and every test parses them.
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

// contentTypes are not taken from the system, since some systems have others.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// serve answers with the asset of this name. Anybody may see it: all of it is public.
func (a *assets) serve(w http.ResponseWriter, r *http.Request, name string) {
	header := w.Header()
	body, ok := a.files[name]
	if !ok {
		// It may be an asset of another version, which another process serves.
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
