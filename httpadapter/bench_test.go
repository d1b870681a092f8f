package httpadapter_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkAdapter measures requests in process, over the memory store. "bare" is
// what the mux and the request itself cost.
func BenchmarkAdapter(b *testing.B) {
	users, err := authtoken.NewUserList(authtokentest.Users()...)
	if err != nil {
		b.Fatal(err)
	}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	if err != nil {
		b.Fatal(err)
	}
	h, err := httpadapter.New(svc, httpadapter.Config{})
	if err != nil {
		b.Fatal(err)
	}
	_, key, err := svc.Create(b.Context(), authtoken.CreateParams{Identifier: "one", User: "2", Expiring: new(false)})
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v3/", h)
	mux.HandleFunc("/bare/core/tokens/one/", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })

	run := func(name, method, path string, body func(i int) string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := &discard{http.Header{}}
			i := 0
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("Authorization", "Bearer "+key.Reveal())
			r.Header.Set("Content-Type", "application/json")
			for b.Loop() {
				i++
				if body != nil {
					text := body(i)
					r.Body = io.NopCloser(strings.NewReader(text))
					r.ContentLength = int64(len(text))
				}
				clear(w.header)
				mux.ServeHTTP(w, r)
			}
		})
	}
	n := 0
	run("bare", "GET", "/bare/core/tokens/one/", nil)
	run("get", "GET", "/api/v3/core/tokens/one/", nil)
	run("list", "GET", "/api/v3/core/tokens/?page_size=20", nil)
	run("put", "PUT", "/api/v3/core/tokens/one/", func(int) string { return `{"identifier":"one","description":"d"}` })
	run("post", "POST", "/api/v3/core/tokens/", func(int) string {
		n++
		return fmt.Sprintf(`{"identifier":"t%d","intent":"api","user":2,"description":"some text","expiring":true}`, n)
	})
}
