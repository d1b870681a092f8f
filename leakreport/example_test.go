package leakreport_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/leakreport"
	"github.com/authtoken/authtoken/store/memory"
)

func Example() {
	svc, err := authtoken.New(memory.New(), authtoken.Config{KeyPrefix: "shop"})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()

	client := &http.Client{Timeout: 10 * time.Second}
	reports, err := leakreport.New(svc, leakreport.Config{
		Keys: leakreport.GitHubKeys(client),
		Type: "shop_api_token", // as agreed with GitHub
		Found: func(ctx context.Context, r leakreport.Report) error {
			return mail(ctx, r.Token.User, "A key of your token "+r.Token.Description+" has leaked at "+r.URL+". It no longer works.")
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle("/leaked-keys", reports)

	// Nobody gets an answer without GitHub's signature.
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/leaked-keys", nil))
	fmt.Println(w.Code)
	// Output: 401
}

func mail(context.Context, string, string) error { return nil }
