package httpadapter

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

type document struct {
	OpenAPI string
	Servers []struct{ URL string }
	Paths   map[string]map[string]json.RawMessage
}

func newHandler(t *testing.T, cfg Config) *Handler {
	t.Helper()
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	require.NoError(t, err)
	h, err := New(svc, cfg)
	require.NoError(t, err)
	return h
}

func request(t *testing.T, h http.Handler, method, path string) *http.Response {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return rec.Result()
}

func readDocument(t *testing.T, r *http.Response) document {
	t.Helper()
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	var d document
	require.NoError(t, json.NewDecoder(r.Body).Decode(&d))
	require.Equal(t, "3.0.3", d.OpenAPI)
	return d
}

func TestSchemaIsServedWithoutCredentials(t *testing.T) {
	t.Parallel()
	h := newHandler(t, Config{})
	require.NotEmpty(t, readDocument(t, request(t, h, http.MethodGet, "/api/v3/schema/")).Paths)
	require.NotEmpty(t, readDocument(t, request(t, h, http.MethodGet, "/api/v3//schema/")).Paths)
	require.Equal(t, http.StatusNotFound, request(t, h, http.MethodGet, "/api/v3/schema").StatusCode)
	require.Equal(t, http.StatusNotFound, request(t, h, http.MethodGet, "/schema/").StatusCode)
}

func TestSchemaHead(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newHandler(t, Config{}))
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+"/api/v3/schema/", nil)
	require.NoError(t, err)
	answer, err := server.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.EqualValues(t, len(openAPI), answer.ContentLength)
}

func TestSchemaOtherMethods(t *testing.T) {
	t.Parallel()
	h := newHandler(t, Config{})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FETCH"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			answer := request(t, h, method, "/api/v3/schema/")
			require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode)
			require.Equal(t, "GET, HEAD", answer.Header.Get("Allow"))
			var body struct{ Detail string }
			require.NoError(t, json.NewDecoder(answer.Body).Decode(&body))
			require.Equal(t, `Method "`+method+`" not allowed.`, body.Detail)
		})
	}
}

func TestNoSchema(t *testing.T) {
	t.Parallel()
	h := newHandler(t, Config{NoSchema: true})
	require.Equal(t, http.StatusNotFound, request(t, h, http.MethodGet, "/api/v3/schema/").StatusCode)
}

func TestSchemaNamesTheBasePath(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]struct{ path, server string }{
		"":                   {"/api/v3/schema/", "/api/v3"},
		"/api/v3/":           {"/api/v3/schema/", "/api/v3"},
		"/":                  {"/schema/", "/"},
		"/of/tokens":         {"/of/tokens/schema/", "/of/tokens"},
		`/with "quotes" & ü`: {"/with%20%22quotes%22%20&%20%C3%BC/schema/", "/with%20%22quotes%22%20&%20%C3%BC"},
	} {
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			d := readDocument(t, request(t, newHandler(t, Config{BasePath: base}), http.MethodGet, want.path))
			require.Len(t, d.Servers, 1)
			require.Equal(t, want.server, d.Servers[0].URL)
		})
	}
}

func TestSchemaSaysWhatIsConfigured(t *testing.T) {
	t.Parallel()
	for _, part := range []string{defaultServer, mixedIDs, requestedIDs, ownFields} {
		require.Equal(t, 1, strings.Count(openAPI, part), part)
	}
	type schema struct {
		Ref   string `json:"$ref"`
		Type  string
		OneOf []schema
		AllOf []schema
	}
	type object struct {
		Required   []string
		Properties map[string]schema
	}
	const (
		text   = "string"
		number = "integer"
		either = "integer or string"
	)
	kind := func(s schema) string {
		if len(s.OneOf) == 2 {
			return s.OneOf[0].Type + " or " + s.OneOf[1].Type
		}
		return s.Type
	}
	for name, c := range map[string]struct {
		cfg               Config
		answered, request string
		own               bool
	}{
		"default": {Config{}, either, number, true},
		"text":    {Config{TextUserIDs: true}, text, text, true},
		"numbers": {Config{
			UserNumber: func(context.Context, string) (int64, error) { return 0, nil },
			UserID:     func(context.Context, int64) (string, error) { return "", nil },
		}, number, number, true},
		"authentik's fields":       {Config{AuthentikFieldsOnly: true}, either, number, false},
		"authentik's fields, text": {Config{AuthentikFieldsOnly: true, TextUserIDs: true}, text, text, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, prefix := range []string{"", "/behind"} { // where the document is made anew
				w := httptest.NewRecorder()
				http.StripPrefix(prefix, newHandler(t, c.cfg)).ServeHTTP(w,
					httptest.NewRequestWithContext(t.Context(), http.MethodGet, prefix+"/api/v3/schema/", nil))
				var d struct {
					Components struct{ Schemas map[string]json.RawMessage }
				}
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &d))
				read := func(name string, into any) {
					require.NoError(t, json.Unmarshal(d.Components.Schemas[name], into))
				}
				// What user and pk refer to.
				var token, user, sent, changed object
				read("Token", &token)
				read("User", &user)
				read("TokenRequest", &sent)
				read("PatchedTokenRequest", &changed)
				const refs = "#/components/schemas/"
				require.Equal(t, refs+"UserID", token.Properties["user"].Ref)
				require.Equal(t, refs+"UserID", user.Properties["pk"].Ref)
				require.Equal(t, refs+"UserIDRequest", sent.Properties["user"].AllOf[0].Ref)
				require.Equal(t, refs+"UserIDRequest", changed.Properties["user"].AllOf[0].Ref)
				var answered, request schema
				read("UserID", &answered)
				read("UserIDRequest", &request)
				require.Equal(t, c.answered, kind(answered))
				require.Equal(t, c.request, kind(request))
				require.Equal(t, c.own, slices.Contains(token.Required, "created"))
				require.Equal(t, c.own, slices.Contains(token.Required, "last_used"))
				require.Contains(t, token.Required, "expiring")
			}
		})
	}
}

// Generated clients take what authentik sends, which is more than is sent here.
func TestSchemaKnowsWhatAuthentikSends(t *testing.T) {
	t.Parallel()
	var d struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Nullable bool
					Enum     []string
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(openAPI), &d))
	schemas := d.Components.Schemas
	require.Contains(t, schemas["UsedBy"].Properties["action"].Enum, "left_dangling")
	require.Contains(t, schemas["ValidationError"].Properties, "code")
	require.Contains(t, schemas["Error"].Properties, "code")
	require.True(t, schemas["User"].Properties["groups_obj"].Nullable)
	require.True(t, schemas["User"].Properties["roles_obj"].Nullable)
}

// The document has exactly the paths and methods that there are routes for.
// HEAD and OPTIONS follow from the others, here as in the handler.
func TestSchemaHasAllRoutes(t *testing.T) {
	t.Parallel()
	served := map[string]*route{"/core/tokens/": &collection, "/core/tokens/{identifier}/": &item}
	for action, rt := range actions {
		served["/core/tokens/{identifier}/"+action] = rt
	}
	want := map[string][]string{"/schema/": {"get"}}
	for path, rt := range served {
		for method := range rt.methods {
			want[path] = append(want[path], strings.ToLower(method))
		}
		slices.Sort(want[path])

		derived := slices.Collect(maps.Keys(rt.methods))
		if rt.methods[http.MethodGet] != nil {
			derived = append(derived, http.MethodHead)
		}
		derived = append(derived, http.MethodOptions)
		require.ElementsMatch(t, derived, strings.Split(rt.allow, ", "), path)
	}

	var d document
	require.NoError(t, json.Unmarshal([]byte(openAPI), &d))
	got := make(map[string][]string)
	for path, operations := range d.Paths {
		delete(operations, "parameters")
		got[path] = slices.Sorted(maps.Keys(operations))
	}
	require.Equal(t, want, got)
}

// Every change of a token honours If-Match, and so says the document.
func TestSchemaOfIfMatch(t *testing.T) {
	t.Parallel()
	var d document
	require.NoError(t, json.Unmarshal([]byte(openAPI), &d))
	for path, operations := range d.Paths {
		for method, text := range operations {
			if method == "parameters" {
				continue
			}
			changes := strings.HasPrefix(path, "/core/tokens/{identifier}/") && method != "get"
			require.Equal(t, changes, strings.Contains(string(text), "#/components/parameters/IfMatch"), "%s %s", method, path)
			require.Equal(t, changes, strings.Contains(string(text), "#/components/responses/PreconditionFailed"), "%s %s", method, path)
		}
	}
}

func TestSchemaBehindStripPrefix(t *testing.T) {
	t.Parallel()
	h := newHandler(t, Config{BasePath: "/v3"})
	for path, want := range map[string]string{
		"/tokens/v3/schema/":      `"url": "/tokens/v3"`,
		"/tokens/v3/schema/?a=/b": `"url": "/tokens/v3"`,
		"/tokens/v3//schema/":     `"url": "/tokens/v3"`,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			http.StripPrefix("/tokens", h).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			require.Contains(t, w.Body.String(), want)
		})
	}
}
