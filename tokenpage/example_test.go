package tokenpage_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/tokenpage"
)

func ExampleNew() {
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = svc.Create(context.Background(), authtoken.CreateParams{Identifier: "deploy", User: "7"})
	if err != nil {
		log.Fatal(err)
	}

	signedIn := func(*http.Request) (authtoken.Principal, error) { // what the application's sessions know
		return authtoken.SignedIn("7"), nil
	}
	page, err := tokenpage.New(svc, tokenpage.Config{Authenticate: signedIn, Application: "Shop"})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/account/tokens", page)

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/account/tokens", nil))
	fmt.Println(w.Code, regexp.MustCompile(`<title>.*</title>|Expires in [^<]*`).FindAllString(w.Body.String(), -1))
	// Output:
	// 200 [<title>Access tokens – Shop</title> Expires in 30 minutes]
}
