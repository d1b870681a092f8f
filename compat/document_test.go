package compat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

// exchange is a request and its answer.
type exchange struct {
	request *http.Request // its body has been read
	sent    []byte
	status  int
	header  http.Header
	body    []byte
}

// document is an OpenAPI document that exchanges are checked against.
type document struct {
	*openapi3.T
	router routers.Router
}

var options = &openapi3filter.Options{
	IncludeResponseStatus: true,
	MultiError:            true,
	SkipSettingDefaults:   true,
	AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
	SchemaValidationOptions: []openapi3.SchemaValidationOption{
		openapi3.WithStringFormatValidator("uuid",
			openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC9562)),
	},
}

func newDocument(doc *openapi3.T, err error) (*document, error) {
	if err != nil {
		return nil, err
	}
	router, err := gorillamux.NewRouter(doc)
	return &document{doc, router}, err
}

// ours returns the document that a handler serves.
var ours = sync.OnceValues(func() (*document, error) {
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	if err != nil {
		return nil, err
	}
	h, err := httpadapter.New(svc, httpadapter.Config{})
	if err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/v3/schema/", nil))
	return newDocument(openapi3.NewLoader().LoadFromData(rec.Body.Bytes()))
})

func our(t *testing.T) *document {
	t.Helper()
	doc, err := ours()
	require.NoError(t, err)
	return doc
}

// find returns the operation that x is about, nil if the document has the path
// but not the method, and an error if it has no such path.
func (d *document) find(x *exchange) (*openapi3filter.RequestValidationInput, error) {
	r := x.request.Clone(x.request.Context())
	r.Body = io.NopCloser(bytes.NewReader(x.sent))
	for strings.Contains(r.URL.Path, "//") { // which are served like one
		r.URL.Path = strings.ReplaceAll(r.URL.Path, "//", "/")
	}
	if r.Method == http.MethodHead {
		r.Method = http.MethodGet
	}
	route, params, err := d.router.FindRoute(r)
	if errors.Is(err, routers.ErrMethodNotAllowed) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route, Options: options,
	}, nil
}

// checkRequest returns an error if x's request does not match the document.
func (d *document) checkRequest(x *exchange) error {
	in, err := d.find(x)
	if err != nil {
		return err
	}
	if in == nil {
		return routers.ErrMethodNotAllowed
	}
	return openapi3filter.ValidateRequest(x.request.Context(), in)
}

// checkAnswer returns an error if x's answer does not match our document.
func (d *document) checkAnswer(x *exchange) error {
	in, err := d.find(x)
	component := func(name string) *openapi3.ResponseRef { return d.Components.Responses[name] }
	switch {
	case err != nil: // what the document does not know is not there
		in = d.otherwise(x, http.StatusNotFound, component("NotFound"))
	case in == nil && x.request.Method == http.MethodOptions && strings.Contains(x.request.URL.Path, "/core/tokens/"):
		in = d.otherwise(x, http.StatusOK, component("Options"))
	case in == nil:
		in = d.otherwise(x, http.StatusMethodNotAllowed, component("MethodNotAllowed"))
	}
	response := in.Route.Operation.Responses.Status(x.status)
	if response == nil {
		return fmt.Errorf("the document does not name status %d", x.status)
	}
	if len(response.Value.Content) == 0 && (len(x.body) > 0 || x.header.Get("Content-Type") != "") {
		return fmt.Errorf("status %d has a body: %s", x.status, x.body)
	}
	opts := options
	if x.request.Method == http.MethodHead {
		opts = new(*options)
		opts.ExcludeResponseBody = true
		if _, ok := response.Value.Content[x.header.Get("Content-Type")]; !ok {
			return fmt.Errorf("HEAD has the content type %q", x.header.Get("Content-Type"))
		}
	}
	if err := validateAnswer(x, in, opts); err != nil {
		return err
	}
	if media := response.Value.Content.Get("application/json"); media != nil && !opts.ExcludeResponseBody {
		var v any
		if err := json.Unmarshal(x.body, &v); err != nil {
			return err
		}
		return undeclared("body", v, media.Schema.Value)
	}
	return nil
}

func validateAnswer(x *exchange, in *openapi3filter.RequestValidationInput, opts *openapi3filter.Options) error {
	return openapi3filter.ValidateResponse(x.request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in,
		Status:                 x.status,
		Header:                 x.header,
		Body:                   io.NopCloser(bytes.NewReader(x.body)),
		Options:                opts,
	})
}

// otherwise returns an operation for requests that the document describes only in words.
// Credentials are checked before the method.
func (d *document) otherwise(x *exchange, status int, response *openapi3.ResponseRef) *openapi3filter.RequestValidationInput {
	responses := openapi3.NewResponses(openapi3.WithStatus(status, response),
		openapi3.WithStatus(http.StatusForbidden, d.Components.Responses["Forbidden"]))
	request := x.request
	if request.Method == http.MethodHead {
		request = request.Clone(request.Context())
		request.Method = http.MethodGet
	}
	return &openapi3filter.RequestValidationInput{
		Request: request,
		Route:   &routers.Route{Spec: d.T, Operation: &openapi3.Operation{Responses: responses}},
		Options: options,
	}
}

// undeclared returns an error if v has a field that schema does not name.
func undeclared(path string, v any, schema *openapi3.Schema) error {
	switch v := v.(type) {
	case []any:
		for i, one := range v {
			if err := undeclared(path+"["+strconv.Itoa(i)+"]", one, schema.Items.Value); err != nil {
				return err
			}
		}
	case map[string]any:
		known, open := properties(schema)
		for name, one := range v {
			switch p := known[name]; {
			case p != nil:
				if err := undeclared(path+"."+name, one, p.Value); err != nil {
					return err
				}
			case !open:
				return fmt.Errorf("%s has the field %q, which the document does not name", path, name)
			}
		}
	}
	return nil
}

// properties returns the fields of an object, and whether it may have others.
func properties(schema *openapi3.Schema) (known openapi3.Schemas, open bool) {
	known = make(openapi3.Schemas)
	for _, part := range append([]*openapi3.SchemaRef{{Value: schema}}, schema.AllOf...) {
		for name, p := range part.Value.Properties {
			known[name] = p
		}
		extra := part.Value.AdditionalProperties
		open = open || extra.Schema != nil || extra.Has != nil && *extra.Has
	}
	return known, open
}

func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	doc := our(t)
	require.NoError(t, doc.Validate(t.Context()))

	// Of what it defines, only what it says in words is not referred to.
	text, err := json.Marshal(doc.T)
	require.NoError(t, err)
	var unused []string
	note := func(kind, name string) {
		if !bytes.Contains(text, []byte(`"#/components/`+kind+`/`+name+`"`)) {
			unused = append(unused, name)
		}
	}
	for name := range doc.Components.Schemas {
		note("schemas", name)
	}
	for name := range doc.Components.Responses {
		note("responses", name)
	}
	for name := range doc.Components.Parameters {
		note("parameters", name)
	}
	slices.Sort(unused)
	require.Equal(t, []string{"MethodNotAllowed", "Options"}, unused)
}

// The checks notice an answer that does not match.
func TestChecks(t *testing.T) {
	t.Parallel()
	theirs, err := theirs()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		method, path, body string
		spoil              func(x *exchange)
		onlyOurs           bool
	}{
		"field missing":      {spoil: replace(`"identifier":"login-alice",`, ``)},
		"field missing deep": {spoil: replace(`"uid":"",`, ``)},
		"type":               {spoil: replace(`"user":2`, `"user":"2"`)},
		"intent":             {spoil: replace(`"api"`, `"other"`)},
		"uuid":               {spoil: replace(`"pk":"0`, `"pk":"x`)},
		"time":               {method: "POST", body: `{"identifier": "timed"}`, spoil: replace(`"expires":"2`, `"expires":"x`)},
		"no JSON":            {spoil: replace(`}`, ``)},
		"media type":         {spoil: func(x *exchange) { x.header.Set("Content-Type", "text/html") }},
		"no media type":      {spoil: func(x *exchange) { x.header.Del("Content-Type") }},
		"status":             {spoil: func(x *exchange) { x.status = http.StatusAccepted }},
		"ETag":               {spoil: func(x *exchange) { x.header.Del("ETag") }, onlyOurs: true},
		"field more":         {spoil: replace(`"user":2`, `"user":2,"digest":"a"`), onlyOurs: true},
		"field more deep":    {spoil: replace(`"uid":""`, `"uid":"","password":"a"`), onlyOurs: true},
		"in a list":          {path: "?search=alice", spoil: replace(`"user":2`, `"user":null`)},
		"in a list, more":    {path: "?search=alice", spoil: replace(`"user":2`, `"user":2,"digest":"a"`), onlyOurs: true},
		"page":               {path: "?search=alice", spoil: replace(`"next":0`, `"next":null`)},
		"fault":              {method: "POST", body: `{}`, spoil: replace(`["This field is required."]`, `true`), onlyOurs: true},
		"refusal":            {path: "nobody/", spoil: replace(`detail`, `details`)},
		"body and 204":       {method: "DELETE", path: "login-bob/", spoil: func(x *exchange) { x.body = []byte("{}") }, onlyOurs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.method == "" {
				c.method = http.MethodGet
				if c.path == "" {
					c.path = "login-alice/"
				}
			}
			x := send(t, handlerOver(t, memory.New()), c.method, "/api/v3/core/tokens/"+c.path, c.body, login...)
			require.NoError(t, theirs.checkAsTheirs(x))
			before := fmt.Sprint(x.status, x.header, string(x.body))
			c.spoil(x)
			require.NotEqual(t, before, fmt.Sprint(x.status, x.header, string(x.body)))
			require.Error(t, our(t).checkAnswer(x))
			if !c.onlyOurs {
				require.Error(t, theirs.checkAsTheirs(x))
			}
		})
	}
}

func replace(what, with string) func(x *exchange) {
	return func(x *exchange) { x.body = bytes.Replace(x.body, []byte(what), []byte(with), 1) }
}
