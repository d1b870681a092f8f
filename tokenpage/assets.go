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

func parseTemplates() (map[string]*template.Template, error) {
	base, err := template.ParseFS(files, "templates/base.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	templates := make(map[string]*template.Template)
	for _, name := range []string{"list", "new", "edit", "rotate", "revoke", "key", "message"} {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(files, "templates/"+name+".html")
		}
		if err != nil {
			return nil, err
		}
		templates[name] = t
	}
	return templates, nil
}

// assets are the files that pages link to. What their URLs say changes with their
// content, so that they can be kept for good.
type assets struct {
	Style, Script, Icon string // URLs, as queries
	files               map[string][]byte
}

func loadAssets() (*assets, error) {
	a := &assets{files: make(map[string][]byte)}
	for name, url := range map[string]*string{"style.css": &a.Style, "page.js": &a.Script, "icon.svg": &a.Icon} {
		body, err := files.ReadFile("assets/" + name)
		if err != nil {
			return nil, err
		}
		ext := path.Ext(name)
		name = fmt.Sprintf("%s-%.6x%s", strings.TrimSuffix(name, ext), sha256.Sum256(body), ext)
		a.files[name] = body
		*url = "?asset=" + name
	}
	return a, nil
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
