package authtoken_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

func TestScopesPieces(t *testing.T) {
	t.Parallel()
	for _, b := range blocksOf(t, "docs/scopes.md") {
		requireTested(t, b, "docs_scopes_test.go")
	}
}

// The code of docs/scopes.md.
func TestScopesDocument(t *testing.T) {
	t.Parallel()
	policy := authtoken.Policy{
		Scopes: []authtoken.Scope{
			{Name: "reports:read", Title: "Read reports"},
			{Name: "reports:write", Title: "Write reports", Implies: []string{"reports:read"}},
			{Name: "users:write", Title: "Manage users", Superuser: true},
			{Name: "tokens", Title: "Manage tokens"},
		},
		DefaultScopes: []string{authtoken.ScopeAll},
		ManageScope:   "tokens",
	}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Policy: policy})
	require.NoError(t, err)
	from := httpadapter.FromProxies(netip.MustParsePrefix("10.0.0.0/8"))
	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{From: from})
	require.NoError(t, err)
	handle := func(w http.ResponseWriter, r *http.Request) {
		who, _ := authtoken.PrincipalFrom(r.Context())
		if who.Can("reports:write") {
			tenant := who.Token.Metadata["tenant"]
			_, _ = w.Write([]byte(tenant))
		}
	}
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{
		User: "7", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Metadata: map[string]string{"tenant": "acme"},
	})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	r.Header.Set("Authorization", "Bearer "+key.Reveal())
	w := httptest.NewRecorder()
	guard(http.HandlerFunc(handle)).ServeHTTP(w, r)
	require.Equal(t, "acme", w.Body.String())
}

// The code of the README about scopes.
func TestReadmeScopes(t *testing.T) {
	t.Parallel()
	ctx, mux := t.Context(), http.NewServeMux()
	catalogue := []authtoken.Scope{{Name: "reports:read"}, {Name: "reports:write"}}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Policy: authtoken.Policy{Scopes: catalogue}})
	require.NoError(t, err)
	addReport := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

	write, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{Scopes: []string{"reports:write"}})
	mux.Handle("POST /reports", write(http.HandlerFunc(addReport)))
	require.NoError(t, err)
	_, key, err := svc.Create(ctx, authtoken.CreateParams{User: "7", Scopes: []string{"reports:write"}})
	require.NoError(t, err)
	_, reader, err := svc.Create(ctx, authtoken.CreateParams{User: "7", Scopes: []string{"reports:read"}})
	require.NoError(t, err)
	for key, status := range map[string]int{key.Reveal(): http.StatusCreated, reader.Reveal(): http.StatusForbidden} {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/reports", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		require.Equal(t, status, w.Code)
	}
}
