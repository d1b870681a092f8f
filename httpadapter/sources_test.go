package httpadapter_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

func TestSources(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, httpadapter.GuardConfig{
		Realm:        `the "things"`,
		Intents:      []authtoken.Intent{authtoken.IntentAPI, authtoken.IntentAppPassword},
		Sources:      []httpadapter.Source{httpadapter.FromHeader("X-Api-Key"), httpadapter.FromBasic(), httpadapter.FromBearer()},
		ExpiryHeader: "Token-Expires",
	})
	for name, prepare := range map[string]func(*http.Request){
		"header": header("x-api-key", g.api),
		"basic":  basic("alice", g.appPassword),
		"bearer": header("Authorization", "Bearer "+g.api),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, http.StatusNoContent, g.do(t, prepare).Code)
		})
	}
	w := g.do(t, basic("alice", g.appPassword))
	require.Empty(t, w.Header().Values("Token-Expires"), "it does not expire")
	for name, prepare := range map[string]func(*http.Request){
		"another's name": basic("bob", g.appPassword),
		"no name":        basic("", g.appPassword),
		"the first counts": func(r *http.Request) {
			r.Header.Set("X-Api-Key", "wrong")
			r.SetBasicAuth("alice", g.appPassword)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := g.do(t, prepare)
			require.Equal(t, http.StatusUnauthorized, w.Code)
			require.Equal(t, []string{`Basic realm="the \"things\""`, `Bearer realm="the \"things\"", error="invalid_token"`},
				w.Header().Values("WWW-Authenticate"))
		})
	}
}

func TestIntentsBySource(t *testing.T) {
	t.Parallel()
	password := httpadapter.FromBasic()
	password.Intents = []authtoken.Intent{authtoken.IntentAppPassword}
	g := newGuarded(t, httpadapter.GuardConfig{Sources: []httpadapter.Source{httpadapter.FromBearer(), password}})
	require.Equal(t, http.StatusNoContent, g.do(t, basic("alice", g.appPassword)).Code)
	require.Equal(t, http.StatusNoContent, g.do(t, header("Authorization", "Bearer "+g.api)).Code)
	require.Equal(t, http.StatusUnauthorized, g.do(t, basic("alice", g.api)).Code)
	require.Equal(t, http.StatusUnauthorized, g.do(t, header("Authorization", "Bearer "+g.appPassword)).Code)
}
