package routers_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/examples/routers"
	"github.com/authtoken/authtoken/httpadapter"
)

func TestRouters(t *testing.T) {
	t.Parallel()
	for name, mount := range map[string]func(http.Handler, routers.Guard) http.Handler{
		"net/http": routers.NetHTTP,
		"chi":      routers.Chi,
		"gin":      routers.Gin,
		"echo":     routers.Echo,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := authtokentest.NewService(t, authtoken.Config{})
			_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "mine", User: "7"})
			require.NoError(t, err)
			api, err := httpadapter.New(svc, httpadapter.Config{})
			require.NoError(t, err)
			guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{})
			require.NoError(t, err)
			router := mount(api, guard)

			ask := func(method, path, key, body string) *httptest.ResponseRecorder {
				r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				if key != "" {
					r.Header.Set("Authorization", "Bearer "+key)
				}
				w := httptest.NewRecorder()
				router.ServeHTTP(w, r)
				return w
			}
			const path = "/api/v3/core/tokens/"
			require.Equal(t, http.StatusCreated, ask("POST", path, key.Reveal(), `{"identifier": "new"}`).Code)
			require.Equal(t, http.StatusOK, ask("PUT", path+"new/", key.Reveal(), `{"identifier": "newer"}`).Code)
			require.Contains(t, ask("GET", path+"newer/", key.Reveal(), "").Body.String(), `"identifier":"newer"`)
			require.Contains(t, ask("GET", path+"?identifier=newer", key.Reveal(), "").Body.String(), `"count":1`)
			require.Equal(t, "GET, PUT, PATCH, DELETE, HEAD, OPTIONS", ask("OPTIONS", path+"newer/", key.Reveal(), "").Header().Get("Allow"))
			require.Equal(t, http.StatusNoContent, ask("DELETE", path+"newer/", key.Reveal(), "").Code)
			require.Equal(t, http.StatusForbidden, ask("GET", path, "", "").Code)

			good := ask("GET", "/reports", key.Reveal(), "")
			require.Equal(t, http.StatusOK, good.Code)
			require.Equal(t, "reports of user 7\n", good.Body.String())
			bad := ask("GET", "/reports", "guess", "")
			require.Equal(t, http.StatusUnauthorized, bad.Code)
			require.NotEmpty(t, bad.Header().Get("WWW-Authenticate"))
			require.NotContains(t, bad.Body.String(), "reports")
		})
	}
}
