package httpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
)

// notes is the catalogue of an application with notes.
var notes = []authtoken.Scope{
	{Name: "notes:read"},
	{Name: "notes:write", Implies: []string{"notes:read"}},
	{Name: "notes:purge", Superuser: true},
}

// sources are all ways to present a key.
func sources() map[string]struct {
	httpadapter.Source
	present func(r *http.Request, key string)
} {
	type source = struct {
		httpadapter.Source
		present func(r *http.Request, key string)
	}
	return map[string]source{
		"bearer": {httpadapter.FromBearer(), func(r *http.Request, key string) { r.Header.Set("Authorization", "Bearer "+key) }},
		"basic":  {httpadapter.FromBasic(), func(r *http.Request, key string) { r.SetBasicAuth("alice", key) }},
		"header": {httpadapter.FromHeader("X-Key"), func(r *http.Request, key string) { r.Header.Set("X-Key", key) }},
		"cookie": {
			httpadapter.Source{Credentials: func(r *http.Request) (authtoken.Credentials, bool) {
				c, err := r.Cookie("key")
				if err != nil {
					return authtoken.Credentials{}, false
				}
				return authtoken.Credentials{Key: authtoken.KeyOf(c.Value), Scopes: nil}, true
			}},
			func(r *http.Request, key string) { r.AddCookie(&http.Cookie{Name: "key", Value: key}) },
		},
	}
}

// Scopes are asked for however a key is presented, and whatever the method.
func TestGuardScopes(t *testing.T) {
	t.Parallel()
	users, err := authtoken.NewUserList(authtokentest.Users()...)
	require.NoError(t, err)
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users, Policy: authtoken.Policy{Scopes: notes}})
	keys := map[string]string{}
	for _, scopes := range []string{"*", "notes:read", "notes:write", "notes:purge", "notes:read notes:purge"} {
		_, key, err := svc.Create(t.Context(), authtoken.CreateParams{User: "2", Scopes: strings.Fields(scopes)})
		require.NoError(t, err)
		keys[scopes] = key.Reveal()
	}
	byMethod := func(r *http.Request) []string {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return []string{"notes:read"}
		}
		return []string{"notes:write"}
	}
	for name, c := range map[string]struct {
		cfg    httpadapter.GuardConfig
		admits string // what "*", "notes:read", "notes:write", "notes:purge" and "notes:read notes:purge" get for GET, HEAD, POST and OPTIONS
		needed string // in the answer to POST
	}{
		"none declared":   {httpadapter.GuardConfig{}, "yyyy nnnn nnnn nnnn nnnn", ""},
		"empty":           {httpadapter.GuardConfig{Scopes: []string{}}, "yyyy nnnn nnnn nnnn nnnn", ""},
		"any":             {httpadapter.GuardConfig{AnyScope: true}, "yyyy yyyy yyyy yyyy yyyy", ""},
		"read":            {httpadapter.GuardConfig{Scopes: []string{"notes:read"}}, "yyyy yyyy yyyy nnnn yyyy", `, scope="notes:read"`},
		"write":           {httpadapter.GuardConfig{Scopes: []string{"notes:write"}}, "yyyy nnnn yyyy nnnn nnnn", `, scope="notes:write"`},
		"both":            {httpadapter.GuardConfig{Scopes: []string{"notes:read", "notes:write"}}, "yyyy nnnn yyyy nnnn nnnn", `, scope="notes:read notes:write"`},
		"superusers only": {httpadapter.GuardConfig{Scopes: []string{"notes:purge"}}, "nnnn nnnn nnnn nnnn nnnn", `, scope="notes:purge"`},
		"all":             {httpadapter.GuardConfig{Scopes: []string{"*"}}, "yyyy nnnn nnnn nnnn nnnn", `, scope="*"`},
		"by method":       {httpadapter.GuardConfig{ScopesFor: byMethod}, "yyyy yynn yyyy nnnn yynn", `, scope="notes:write"`},
		"by method, and one more": {
			httpadapter.GuardConfig{Scopes: []string{"notes:write"}, ScopesFor: byMethod}, "yyyy nnnn yyyy nnnn nnnn", `, scope="notes:write notes:write"`,
		},
		"a function that names none": {
			httpadapter.GuardConfig{ScopesFor: func(*http.Request) []string { return nil }}, "yyyy nnnn nnnn nnnn nnnn", "",
		},
		"a function that names what there is not": {
			httpadapter.GuardConfig{ScopesFor: func(*http.Request) []string { return []string{"a\"b", "notes"} }}, "nnnn nnnn nnnn nnnn nnnn", `, scope="notes"`,
		},
	} {
		for from, source := range sources() {
			t.Run(name+"/"+from, func(t *testing.T) {
				t.Parallel()
				cfg := c.cfg
				cfg.Sources = []httpadapter.Source{source.Source}
				cfg.Refused = func(_ *http.Request, err error) { t.Errorf("Refused was told of %v", err) }
				guard, err := httpadapter.RequireToken(svc, cfg)
				require.NoError(t, err)
				calls := 0
				h := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
				for i, scopes := range []string{"*", "notes:read", "notes:write", "notes:purge", "notes:read notes:purge"} {
					for j, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions} {
						r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
						source.present(r, keys[scopes])
						w := httptest.NewRecorder()
						before := calls
						h.ServeHTTP(w, r)
						if strings.Fields(c.admits)[i][j] == 'y' {
							require.Equal(t, before+1, calls, "%s with %s", method, scopes)
							continue
						}
						require.Equal(t, before, calls, "%s with %s", method, scopes)
						require.Equal(t, http.StatusForbidden, w.Code)
						require.JSONEq(t, `{"detail":"The token does not permit this."}`, w.Body.String())
						if method != http.MethodPost {
							continue
						}
						switch from {
						case "bearer":
							require.Equal(t, `Bearer realm="api", error="insufficient_scope"`+c.needed, w.Header().Get("WWW-Authenticate"))
						case "basic":
							require.Equal(t, `Basic realm="api"`, w.Header().Get("WWW-Authenticate"))
						default:
							require.Empty(t, w.Header().Values("WWW-Authenticate"))
						}
					}
				}
			})
		}
	}
}

func TestGuardScopeFaults(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{Policy: authtoken.Policy{Scopes: notes}})
	_, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{
		Scopes: []string{"notes:red", "*", "notes:read", ""}, AnyScope: true,
	})
	for _, want := range []string{`"notes:red" is not in the catalogue`, `"" is not in the catalogue`, "AnyScope excludes Scopes and ScopesFor"} {
		require.ErrorContains(t, err, want)
	}
	_, err = httpadapter.RequireToken(svc, httpadapter.GuardConfig{ScopesFor: func(*http.Request) []string { return nil }, AnyScope: true})
	require.ErrorContains(t, err, "AnyScope excludes Scopes and ScopesFor")
}

// checks is a stand-in for a service, as for the tests of an application.
type checks func(c authtoken.Credentials) error

func (f checks) Check(_ context.Context, c authtoken.Credentials, _ ...authtoken.Intent) (authtoken.Principal, error) {
	return authtoken.SignedIn("7"), f(c)
}

func TestGuardOverAnyChecker(t *testing.T) {
	t.Parallel()
	for err, status := range map[error]int{
		nil:                    http.StatusNoContent,
		authtoken.ErrKeyScope:  http.StatusForbidden,
		authtoken.ErrKeyIntent: http.StatusUnauthorized,
		errors.ErrUnsupported:  http.StatusInternalServerError,
	} {
		t.Run(fmt.Sprint(err), func(t *testing.T) {
			t.Parallel()
			guard, fault := httpadapter.RequireToken(checks(func(c authtoken.Credentials) error {
				require.Equal(t, []string{"notes:read"}, c.Scopes)
				require.Equal(t, "192.0.2.1", c.From)
				return err
			}), httpadapter.GuardConfig{Scopes: []string{"notes:read"}, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, fault)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer key")
			w := httptest.NewRecorder()
			guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				who, ok := authtoken.PrincipalFrom(r.Context())
				require.True(t, ok)
				require.Equal(t, authtoken.SignedIn("7"), who)
				w.WriteHeader(http.StatusNoContent)
			})).ServeHTTP(w, r)
			require.Equal(t, status, w.Code)
		})
	}
}

// What of a token is limited, in requests and in answers.
func TestBoundsOverHTTP(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprintf(`"192.0.2.%d"`, i))
	}
	for name, c := range map[string]struct {
		as, body string
		want     string // a part of the answer; of a 400 if it has no "pk"
	}{
		"nothing named": {"alice", ``, `"scopes":["notes:write"],"allowed_ips":null,"suspended":false,"locked":false,"metadata":{}`},
		"scopes":        {"alice", `"scopes":["notes:write"," notes:read"]`, `"scopes":["notes:read","notes:write"]`},
		"all scopes":    {"alice", `"scopes":["*"]`, `"scopes":["*"]`},
		"no list":       {"alice", `"scopes":"*"`, `{"scopes":["Expected a list of items but got type \"str\"."]}`},
		"null":          {"alice", `"scopes":null`, `{"scopes":["This field may not be null."]}`},
		"empty":         {"alice", `"scopes":[]`, `{"scopes":["This list may not be empty."]}`},
		"numbers":       {"alice", `"scopes":[1]`, `{"scopes":["Not a valid string."]}`},
		"half a pair":   {"alice", `"scopes":["\ud800"]`, `{"scopes":["Surrogate characters are not allowed: U+D800."]}`},
		"unknown":       {"alice", `"scopes":["admin"]`, `{"scopes":["\"admin\" is not a valid choice."]}`},
		"all and more":  {"alice", `"scopes":["*","notes:read"]`, `{"scopes":["\"*\" can't be given together with other scopes."]}`},
		"superusers'":   {"alice", `"scopes":["notes:purge"]`, `{"scopes":["Only administrators may give \"notes:purge\"."]}`},
		"a superuser's": {"akadmin", `"scopes":["notes:purge"]`, `"scopes":["notes:purge"]`},

		"networks":       {"alice", `"allowed_ips":["192.0.2.7","2001:db8::1/32"]`, `"allowed_ips":["192.0.2.7/32","2001:db8::/32"]`},
		"anywhere":       {"alice", `"allowed_ips":null`, `"allowed_ips":null`},
		"no networks":    {"alice", `"allowed_ips":[]`, `{"allowed_ips":["This list may not be empty."]}`},
		"a name":         {"alice", `"allowed_ips":["example.com"]`, `{"allowed_ips":["\"example.com\" is not an IP address or network."]}`},
		"a zone":         {"alice", `"allowed_ips":["fe80::1%eth0"]`, `{"allowed_ips":["\"fe80::1%eth0\" is not an IP address or network."]}`},
		"4 in 6":         {"alice", `"allowed_ips":["::ffff:192.0.2.1"]`, `{"allowed_ips":["\"::ffff:192.0.2.1/128\" is not an IP address or network."]}`},
		"no network":     {"alice", `"allowed_ips":["192.0.2.0/33"]`, `{"allowed_ips":["\"192.0.2.0/33\" is not an IP address or network."]}`},
		"one text":       {"alice", `"allowed_ips":"192.0.2.7"`, `{"allowed_ips":["Expected a list of items but got type \"str\"."]}`},
		"many networks":  {"alice", `"allowed_ips":[` + strings.Join(many, ",") + `]`, `{"allowed_ips":["Ensure this field has no more than 50 elements."]}`},
		"suspended":      {"alice", `"suspended":true`, `"suspended":true`},
		"suspended, yes": {"alice", `"suspended":"yes"`, `"suspended":true`},
		"suspended what": {"alice", `"suspended":"maybe"`, `{"suspended":["Must be a valid boolean."]}`},

		"metadata":         {"akadmin", `"metadata":{"tenant":"7","a":"<&\""}`, `"metadata":{"a":"<&\"","tenant":"7"}`},
		"metadata, user":   {"alice", `"metadata":{"tenant":"7"}`, `{"metadata":["Only administrators may set or change this."]}`},
		"no metadata":      {"alice", `"metadata":{}`, `"metadata":{}`},
		"metadata, number": {"akadmin", `"metadata":{"tenant":7}`, `{"metadata":["Not a valid string."]}`},
		"metadata, list":   {"akadmin", `"metadata":[]`, `{"metadata":["Expected a dictionary of items but got type \"list\"."]}`},
		"metadata, half a pair": {
			"akadmin", `"metadata":{"\ud800":"x"}`, `{"metadata":["Surrogate characters are not allowed: U+D800."]}`,
		},
		"a long scope": {
			"alice", `"scopes":["` + strings.Repeat("x", 1000) + `"]`, `{"scopes":["\"` + strings.Repeat("x", 64) + `…\" is not a valid choice."]}`,
		},
		"many odd networks": {
			"alice", `"allowed_ips":[` + strings.TrimSuffix(strings.Repeat(`"::ffff:1.2.3.4",`, 60), ",") + `]`,
			`{"allowed_ips":["Ensure this field has no more than 50 elements."]}`,
		},
		"metadata, null": {"akadmin", `"metadata":null`, `{"metadata":["This field may not be null."]}`},
		"metadata, long": {
			"akadmin", `"metadata":{"a":"` + strings.Repeat("x", 5000) + `"}`, `{"metadata":["Ensure this field has no more than 4096 bytes."]}`,
		},
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch} {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				a := newAPIWith(t, authtoken.Config{Policy: authtoken.Policy{Scopes: notes, DefaultScopes: []string{"notes:write"}}}, httpadapter.Config{})
				path, status := tokens, http.StatusCreated
				if method != http.MethodPost {
					_, _, err := a.svc.Create(t.Context(), authtoken.CreateParams{Identifier: "new", User: "2"})
					require.NoError(t, err)
					path, status = tokens+"new/", http.StatusOK
				}
				body := `{"identifier":"new"}`
				if c.body != "" {
					body = `{"identifier":"new",` + c.body + `}`
				}
				w := a.do(t, c.as, method, path, body)
				if strings.HasPrefix(c.want, "{") {
					requireAnswer(t, w, http.StatusBadRequest, c.want)
					return
				}
				require.Equal(t, status, w.Code, w.Body)
				require.Contains(t, w.Body.String(), c.want)
			})
		}
	}
}

// What a request does not name stays as it is.
func TestBoundsStayOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPIWith(t, authtoken.Config{Policy: authtoken.Policy{Scopes: notes}}, httpadapter.Config{})
	made, _, err := a.svc.Create(t.Context(), authtoken.CreateParams{
		Identifier: "one", User: "2", Scopes: []string{"notes:read"}, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Metadata: map[string]string{"tenant": "7"}, Suspended: true,
	})
	require.NoError(t, err)
	for _, c := range []struct{ method, path, body string }{
		{"PUT", "one/", `{"identifier":"one"}`}, {"PATCH", "one/", `{}`}, {"POST", "one/rotate/", ``}, {"POST", "one/end_overlap/", ``},
	} {
		w := a.do(t, "akadmin", c.method, tokens+c.path, c.body)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		is, err := a.svc.Get(t.Context(), "one")
		require.NoError(t, err)
		require.Equal(t, made.Scopes, is.Scopes)
		require.Equal(t, made.Networks, is.Networks)
		require.Equal(t, made.Metadata, is.Metadata)
		require.True(t, is.Suspended && is.Locked)
	}
}

func TestFilterBoundsOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPIWith(t, authtoken.Config{Policy: authtoken.Policy{Scopes: notes}}, httpadapter.Config{})
	for name, p := range map[string]authtoken.CreateParams{
		"reader": {Scopes: []string{"notes:read"}}, "writer": {Scopes: []string{"notes:write"}, Suspended: true},
	} {
		p.Identifier, p.User = name, "2"
		_, _, err := a.svc.Create(t.Context(), p)
		require.NoError(t, err)
	}
	w := a.do(t, "alice", "POST", tokens, `{"identifier":"made","scopes":["*"]}`)
	require.Equal(t, http.StatusCreated, w.Code)
	via, err := a.svc.Get(t.Context(), "key-alice")
	require.NoError(t, err)
	require.Contains(t, w.Body.String(), `"via":"`+via.PK.String()+`"`)
	for query, want := range map[string]string{
		"scope=notes:read":       `"count":1`,
		"scope=notes:write":      `"count":1`,
		"scope=*":                `"count":2`,
		"scope=notes":            `"count":0`,
		"scope=":                 `"count":4`,
		"suspended=true":         `"count":1`,
		"suspended=0":            `"count":3`,
		"via=" + via.PK.String(): `"count":1`,
		"via=":                   `"count":4`,
		"scope=a%20b":            `{"scope":["Enter a valid value."]}`,
		"suspended=maybe":        `{"suspended":["Must be a valid boolean."]}`,
		"via=7":                  `{"via":["Enter a valid value."]}`,
		"via=00000000-0000-0000-0000-000000000000": `{"via":["Enter a valid value."]}`,
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, a.do(t, "alice", "GET", tokens+"?"+query, "").Body.String(), want)
		})
	}
}

func TestEndOverlapOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	_, old, err := a.svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "2"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.do(t, "alice", "POST", tokens+"one/rotate/", `{"overlap":3600}`).Code)
	_, err = a.svc.Authenticate(t.Context(), old.Reveal())
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, a.do(t, "bob", "POST", tokens+"one/end_overlap/", "").Code)
	require.Equal(t, http.StatusPreconditionFailed, a.do(t, "alice", "POST", tokens+"one/end_overlap/", "", "If-Match", `"x"`).Code)
	require.Equal(t, http.StatusMethodNotAllowed, a.do(t, "alice", "GET", tokens+"one/end_overlap/", "").Code)
	w := a.do(t, "alice", "POST", tokens+"one/end_overlap/", "")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.NotContains(t, w.Body.String(), `"key"`)
	_, err = a.svc.Authenticate(t.Context(), old.Reveal())
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	require.Equal(t, http.StatusOK, a.do(t, "alice", "POST", tokens+"one/end_overlap/", "").Code, "again")
}

// A key that is bound to networks is good for the API from there, as Config.From says where
// a request comes from.
func TestNetworksOverHTTP(t *testing.T) {
	t.Parallel()
	trusted := netip.MustParsePrefix("10.0.0.0/8")
	for name, c := range map[string]struct {
		cfg             httpadapter.Config
		remote, forward string
		want            int
	}{
		"direct":              {httpadapter.Config{}, "192.0.2.7:99", "", http.StatusOK},
		"from elsewhere":      {httpadapter.Config{}, "198.51.100.1:99", "", http.StatusForbidden},
		"invented":            {httpadapter.Config{}, "198.51.100.1:99", "192.0.2.7", http.StatusForbidden},
		"through a proxy":     {httpadapter.Config{From: httpadapter.FromProxies(trusted)}, "10.0.0.1:99", "192.0.2.7", http.StatusOK},
		"invented, proxied":   {httpadapter.Config{From: httpadapter.FromProxies(trusted)}, "10.0.0.1:99", "192.0.2.7, 198.51.100.1", http.StatusForbidden},
		"IPv6 without a port": {httpadapter.Config{}, "2001:db8::7:dead", "", http.StatusForbidden},
		"IPv6 in brackets":    {httpadapter.Config{}, "[2001:db8::7:dead]", "", http.StatusForbidden},
		"IPv6":                {httpadapter.Config{}, "2001:db8::7", "", http.StatusOK},
		"no address":          {httpadapter.Config{From: func(*http.Request) string { return "" }}, "192.0.2.7:99", "", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, c.cfg)
			_, key, err := a.svc.Create(t.Context(), authtoken.CreateParams{
				Identifier: "bound", User: "2", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::7/128")},
			})
			require.NoError(t, err)
			r := httptest.NewRequestWithContext(t.Context(), "GET", tokens+"bound/", nil)
			r.RemoteAddr = c.remote
			r.Header.Set("Authorization", "Bearer "+key.Reveal())
			if c.forward != "" {
				r.Header.Set("X-Forwarded-For", c.forward)
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			require.Equal(t, c.want, w.Code, w.Body)
		})
	}
}
