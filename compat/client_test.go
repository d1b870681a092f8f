package compat_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	api "goauthentik.io/api/v3"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
)

// now is the server's time.
var now = time.Date(2026, 3, 4, 5, 6, 7, 890123000, time.UTC)

var (
	admin = httpadapter.Profile{
		ID: "1", Username: "akadmin", Name: "Default Admin", Email: "akadmin@example.com",
		Active: true, Superuser: true,
		Attributes: map[string]any{"settings": map[string]any{"locale": "en"}, "level": 3.5},
		Groups: []httpadapter.Group{
			{
				PK: uuid.MustParse("5b0a7a0c-6d0f-4a57-8f3b-0d4e0a8a1f10"), NumPK: 41, Name: "admins", Superuser: true,
				Parent: uuid.MustParse("ce1ff6b1-0c2a-4f0e-9a56-0b6d1d9e7a22"), ParentName: "everyone",
				Attributes: map[string]any{"floor": "2"},
			},
			{PK: uuid.MustParse("ce1ff6b1-0c2a-4f0e-9a56-0b6d1d9e7a22"), NumPK: 42, Name: "everyone"},
		},
		Roles: []httpadapter.Role{{PK: uuid.MustParse("a8b6f1de-0a3c-45f4-9b0f-6f3c7f3d2b33"), Name: "operator"}},
		UUID:  uuid.MustParse("0d9c1b5e-3c1b-4f0e-8f55-5a1f0c9e4d44"), UID: "f00dcafe", Avatar: "https://example.com/a.png",
		Path: "users/staff", Type: "internal",
		DateJoined: now.AddDate(-2, 0, 0), LastLogin: now.Add(-time.Hour),
		LastUpdated: now.AddDate(0, -1, 0), PasswordChangeDate: now.AddDate(-1, 0, 0),
	}
	// The directory knows little about alice.
	alice = httpadapter.Profile{ID: "2", Username: "alice", Active: true}
	bob   = httpadapter.Profile{
		ID: "3", Username: "bob", Name: "Bob", Active: true, Type: "service_account",
		Attributes: map[string]any{httpadapter.AttributeMaximumLifetime: "hours=2"},
	}
	carol    = httpadapter.Profile{ID: "4", Username: "carol", Name: "Carol"} // not active
	profiles = []httpadapter.Profile{admin, alice, bob, carol}
)

// world is a running server with these users. Each has a token to log in with. Its
// identifier is "login-" and the username. It never expires: TestKeyThatEnds tests keys that
// do.
type world struct {
	svc    *authtoken.Service
	server *httptest.Server
}

func keyOf(username string) string {
	return "key-of-" + username + "-0123456789abcdefghijklmnopqrstuvwxyz"
}

// sealed lets keys be viewed.
func sealed(t *testing.T, policy authtoken.Policy) authtoken.Config {
	t.Helper()
	sealer, err := authtoken.NewAESSealer(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	return authtoken.Config{Policy: policy, Sealer: sealer}
}

func directory(t *testing.T) authtoken.Directory {
	t.Helper()
	var users []authtoken.User
	for _, p := range profiles {
		users = append(users, p.User())
	}
	directory, err := authtoken.NewUserList(users...)
	require.NoError(t, err)
	return directory
}

// adapterConfig shows the users' profiles.
func adapterConfig() httpadapter.Config {
	return httpadapter.Config{Profiles: httpadapter.ProfileList(profiles...)}
}

// newService returns a service for these users, with their tokens.
func newService(t *testing.T, st store.Store, cfg authtoken.Config) *authtoken.Service {
	t.Helper()
	cfg.Users = directory(t)
	cfg.Now = func() time.Time { return now }
	svc, err := authtoken.New(st, cfg)
	require.NoError(t, err)
	cfg.Policy = authtoken.Policy{OptionalExpiry: true} // whatever limit an owner has
	unlimited, err := authtoken.New(st, cfg)
	require.NoError(t, err)
	for _, u := range profiles {
		identifier := "login-" + u.Username
		_, _, err := unlimited.Create(t.Context(), authtoken.CreateParams{
			Identifier: identifier, User: u.ID, Expiring: new(false),
		})
		require.NoError(t, err)
		require.NoError(t, unlimited.SetKey(t.Context(), identifier, keyOf(u.Username)))
	}
	return svc
}

func newWorld(t *testing.T, st store.Store, cfg authtoken.Config) *world {
	t.Helper()
	svc := newService(t, st, cfg)
	h, err := httpadapter.New(svc, adapterConfig())
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &world{svc, server}
}

// overStores runs test with worlds over each kind of store.
func overStores(t *testing.T, test func(t *testing.T, build func(cfg authtoken.Config) *world)) {
	t.Parallel()
	for name, newStore := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(cfg authtoken.Config) *world { return newWorld(t, newStore(t), cfg) })
		})
	}
}

// client returns authentik's client, set up as its users do it. Its requests and the answers
// are checked against both documents.
func (w *world) client(t *testing.T, username string) (*api.APIClient, *inspector) {
	t.Helper()
	return w.clientWith(t, "Bearer "+keyOf(username))
}

func (w *world) clientWith(t *testing.T, authorization string) (*api.APIClient, *inspector) {
	t.Helper()
	at, err := url.Parse(w.server.URL)
	require.NoError(t, err)
	theirs, err := theirs()
	require.NoError(t, err)
	i := &inspector{t: t, ours: our(t), theirs: theirs, next: w.server.Client().Transport}
	cfg := api.NewConfiguration()
	cfg.Scheme, cfg.Host = at.Scheme, at.Host
	cfg.HTTPClient = &http.Client{Transport: i}
	if authorization != "" {
		cfg.AddDefaultHeader("Authorization", authorization)
	}
	return api.NewAPIClient(cfg), i
}

// theirs returns the document in the module of the client.
var theirs = sync.OnceValues(func() (*document, error) {
	dir, err := clientDir()
	if err != nil {
		return nil, err
	}
	return newDocument(openapi3.NewLoader().LoadFromFile(filepath.Join(dir, "schema.yml")))
})

// clientDir returns the directory of the client's source. The go command can't say it: it
// does not know which go.mod the test was built with.
func clientDir() (string, error) {
	f := runtime.FuncForPC(reflect.ValueOf(api.NewAPIClient).Pointer())
	file, _ := f.FileLine(f.Entry())
	if !filepath.IsAbs(file) {
		return "", fmt.Errorf("no path to the client's source in %q: do not use -trimpath", file)
	}
	return filepath.Dir(file), nil
}

// inspector is a transport that checks requests and answers against our document and the
// client's.
type inspector struct {
	t            *testing.T
	ours, theirs *document
	next         http.RoundTripper
	calls        []string // method and path of each
	last         []byte   // the body of the last answer
}

func (i *inspector) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	answer, err := i.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	i.calls = append(i.calls, r.Method+" "+r.URL.Path)
	i.last = body

	x := &exchange{r, sent, answer.StatusCode, answer.Header, body}
	if err := i.check(x); err != nil {
		i.t.Errorf("%s %s: %v\n%d %s", r.Method, r.URL, err, x.status, body)
	}
	return answer, nil
}

func (i *inspector) check(x *exchange) error {
	if err := i.ours.checkAnswer(x); err != nil {
		return fmt.Errorf("our document: %w", err)
	}
	if err := i.theirs.checkAsTheirs(x); err != nil {
		return fmt.Errorf("the client's document: %w", err)
	}
	if x.status >= 300 {
		return nil
	}
	if err := i.ours.checkRequest(x); err != nil {
		return fmt.Errorf("request, our document: %w", err)
	}
	if err := i.theirs.checkRequest(x); err != nil {
		return fmt.Errorf("request, the client's document: %w", err)
	}
	return nil
}

// unnamed are statuses that authentik's document does not name. authentik itself answers with
// some of them, such as 404 for a missing token.
var unnamed = []int{http.StatusNotFound, http.StatusPreconditionFailed}

// checkAsTheirs returns an error if x's answer does not match authentik's document. An answer
// with a status that the document does not name must have the form of its errors.
func (d *document) checkAsTheirs(x *exchange) error {
	in, err := d.find(x)
	if err != nil {
		return err
	}
	if in.Route.Operation.Responses.Status(x.status) == nil && slices.Contains(unnamed, x.status) {
		in.Route.Operation = &openapi3.Operation{Responses: openapi3.NewResponses(openapi3.WithStatus(x.status,
			&openapi3.ResponseRef{Value: openapi3.NewResponse().WithJSONSchemaRef(d.Components.Schemas["GenericError"])}))}
	}
	return validateAnswer(x, in, options)
}

// fault checks that err is one that the client has read as a ValidationError
// and returns its messages by field.
func fault(t *testing.T, r *http.Response, err error) map[string]any {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, http.StatusBadRequest, r.StatusCode)
	var e *api.GenericOpenAPIError
	require.ErrorAs(t, err, &e)
	return messages(t, e)
}

// refusal checks that err comes from an answer with this status, and that its
// text is detail. For a 403 the client has read it as a GenericError.
func refusal(t *testing.T, status int, detail string, r *http.Response, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, status, r.StatusCode)
	var e *api.GenericOpenAPIError
	require.ErrorAs(t, err, &e)
	require.Equal(t, map[string]any{"detail": detail}, messages(t, e))
	if status == http.StatusForbidden {
		require.Equal(t, api.GenericError{Detail: detail}, e.Model())
	}
	require.Equal(t, r.Status, e.Error()) // and not why it could not be read
}
