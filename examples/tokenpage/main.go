// Tokenpage is an application with nothing in it but the page on which its users
// manage their tokens, to try it out. Signing in is choosing who to be.
//
//	go run ./examples/tokenpage
package main

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/tokenpage"
)

const address = "127.0.0.1:8082"

var people = []authtoken.User{
	{PK: 1, Username: "root", Active: true, Superuser: true},
	{PK: 2, Username: "alice", Active: true},
	{PK: 3, Username: "bob", Active: true},
}

var home = template.Must(template.New("home").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Example</title><h1>Who are you?</h1>
<form method="post" action="/sign-in">{{range .}}<button name="user" value="{{.Username}}">{{.Username}}</button> {{end}}</form>
`))

// user stands for the application's own sessions. Don't copy it: anybody can make
// this cookie. It returns the pk of whoever is signed in, or 0.
func user(r *http.Request) int64 {
	cookie, err := r.Cookie("user")
	for _, u := range people {
		if err == nil && cookie.Value == u.Username {
			return u.PK
		}
	}
	return 0
}

func signedIn(r *http.Request) (authtoken.Principal, error) { return authtoken.SignedIn(user(r)), nil }

func signIn(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "user", Value: r.PostFormValue("user"), HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/account/tokens", http.StatusSeeOther)
}

// guard sends whoever is not signed in to where they can.
func guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user(r) == 0 {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func newApp(ctx context.Context) (http.Handler, error) {
	users, err := authtoken.NewUserList(people...)
	if err != nil {
		return nil, err
	}
	past := 40 * 24 * time.Hour // the first tokens are that old
	svc, err := authtoken.New(memory.New(), authtoken.Config{
		Users:         users,
		Policy:        authtoken.Policy{DefaultLifetime: 30 * 24 * time.Hour},
		TrackLastUsed: true,
		Now:           func() time.Time { return time.Now().Add(-past) },
	})
	if err != nil {
		return nil, err
	}
	for _, t := range []struct {
		user             int64
		name, about      string
		intent           authtoken.Intent
		madeAgo, usedAgo time.Duration
		lives            time.Duration
	}{
		{2, "old-laptop", "Replaced in spring", authtoken.IntentAPI, 40 * 24 * time.Hour, 21 * 24 * time.Hour, 30 * 24 * time.Hour},
		{2, "mail-client", "", authtoken.IntentAppPassword, 30 * 24 * time.Hour, 5 * time.Minute, 33 * 24 * time.Hour},
		{2, "nightly-backup", "Runs on the file server at three each night", authtoken.IntentAPI, 12 * 24 * time.Hour, 9 * time.Hour, 90 * 24 * time.Hour},
		{2, "deploy", "For the build and the release", authtoken.IntentAPI, 2 * 24 * time.Hour, 0, 30 * 24 * time.Hour},
		{3, "bobs-script", "", authtoken.IntentAPI, 24 * time.Hour, 0, 30 * 24 * time.Hour},
	} {
		past = t.madeAgo
		_, key, err := svc.Create(ctx, authtoken.CreateParams{
			Identifier: t.name, Description: t.about, Intent: t.intent, User: t.user, Expires: time.Now().Add(t.lives - past),
		})
		if err != nil {
			return nil, err
		}
		if past = t.usedAgo; past > 0 {
			if _, err := svc.Authenticate(ctx, key.Reveal(), t.intent); err != nil {
				return nil, err
			}
		}
	}
	if err := svc.FlushLastUsed(ctx); err != nil {
		return nil, err
	}
	past = 0

	page, err := tokenpage.New(svc, tokenpage.Config{Authenticate: signedIn, Application: "Example"})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _ = home.Execute(w, people) })
	mux.HandleFunc("POST /sign-in", signIn)
	mux.Handle("/account/tokens", guard(page))
	return mux, nil
}

func main() {
	app, err := newApp(context.Background())
	if err == nil {
		fmt.Println("listening on http://" + address)
		err = (&http.Server{
			Addr:              address,
			Handler:           app,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       15 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       2 * time.Minute,
		}).ListenAndServe()
	}
	fmt.Fprintln(os.Stderr, "tokenpage:", err)
	os.Exit(1)
}
