package httpadapter_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

// newExample returns a service with a token of user 7, and its key.
func newExample() (*authtoken.Service, string) {
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, key, err := svc.Create(context.Background(), authtoken.CreateParams{Identifier: "ci", User: "7"})
	if err != nil {
		log.Fatal(err)
	}
	return svc, key.Reveal()
}

// send sends a request with a key and prints the answer's status.
func send(h http.Handler, method, path, key, body string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Header().Get("WWW-Authenticate"))))
}

func ExampleNew() {
	svc, key := newExample()
	h, err := httpadapter.New(svc, httpadapter.Config{})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v3/", h)

	send(mux, "POST", "/api/v3/core/tokens/", key, `{"identifier":"deploy"}`)
	send(mux, "PUT", "/api/v3/core/tokens/deploy/", key, `{"identifier":"release"}`)
	send(mux, "GET", "/api/v3/core/tokens/deploy/", key, "")
	// Output:
	// 201
	// 200
	// 404
}

func ExampleRequireToken() {
	svc, key := newExample()
	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{
		Sources: []httpadapter.Source{httpadapter.FromBearer(), httpadapter.FromHeader("X-Api-Key")},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/things", guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := authtoken.PrincipalFrom(r.Context())
		fmt.Println("user", who.User.ID, "with token", who.Token.Identifier)
	})))

	send(mux, "GET", "/things", key, "")
	send(mux, "GET", "/things", "guessed", "")
	// Output:
	// user 7 with token ci
	// 200
	// 401 Bearer realm="api", error="invalid_token"
}

func ExampleFromBasic() {
	ctx := context.Background()
	users, err := authtoken.NewUserList(authtoken.User{ID: "7", Username: "alice", Active: true})
	if err != nil {
		log.Fatal(err)
	}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	if err != nil {
		log.Fatal(err)
	}
	_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "mail", User: "7", Intent: authtoken.IntentAppPassword})
	if err != nil {
		log.Fatal(err)
	}
	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{
		Intents: []authtoken.Intent{authtoken.IntentAppPassword},
		Sources: []httpadapter.Source{httpadapter.FromBasic()},
	})
	if err != nil {
		log.Fatal(err)
	}
	guarded := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, username := range []string{"alice", "bob"} {
		r := httptest.NewRequest("GET", "/inbox", nil)
		r.SetBasicAuth(username, key.Reveal())
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		fmt.Println(username, w.Code)
	}
	// Output:
	// alice 200
	// bob 401
}

func ExampleReadProfiles() {
	profiles, err := httpadapter.ReadProfiles(strings.NewReader(`[
		{"pk": 1, "username": "akadmin", "is_superuser": true},
		{"pk": 2, "username": "alice", "attributes": {"goauthentik.io/user/token-maximum-lifetime": "days=7"}}
	]`))
	if err != nil {
		log.Fatal(err)
	}
	var users []authtoken.User
	for _, p := range profiles {
		users = append(users, p.User())
	}
	directory, err := authtoken.NewUserList(users...)
	if err != nil {
		log.Fatal(err)
	}
	alice, err := directory.User(context.Background(), "2")
	fmt.Println(alice.Username, alice.Active, alice.MaxLifetime, err)
	// Output: alice true 168h0m0s <nil>
}
