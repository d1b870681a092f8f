package throttle_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/examples/throttle"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	svc, clock := authtokentest.NewService(t, authtoken.Config{})
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "ci", User: "7"})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := throttle.New(20*time.Second, 3, clock.Now).Guard(svc)
	if err != nil {
		t.Fatal(err)
	}
	h := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	try := func(from, key, want string) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = from + ":1234"
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := fmt.Sprint(w.Code, " ", w.Header().Get("Retry-After")); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	for range 3 {
		try("192.0.2.1", "guess", "401 ")
	}
	try("192.0.2.1", "guess", "429 20")
	try("192.0.2.1", key.Reveal(), "429 20")
	try("192.0.2.2", key.Reveal(), "200 ")
	clock.Advance(15 * time.Second)
	try("192.0.2.1", key.Reveal(), "429 5")
	clock.Advance(5 * time.Second)
	for range 10 {
		try("192.0.2.1", key.Reveal(), "200 ")
	}
	try("192.0.2.1", "guess", "401 ")
	try("192.0.2.1", "guess", "429 20")
}
