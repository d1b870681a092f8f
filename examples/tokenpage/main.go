// Tokenpage is the page on which users manage their tokens, to try it out. To sign in,
// choose a user.
//
//	go run ./examples/tokenpage
package main

import (
	"context"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/tokenpage"
)

const address = "127.0.0.1:8082"

const (
	root  = "0198c0de-7d5a-7c3e-9a51-3f0f6a3b1c01"
	alice = "0198c0de-8e21-7b44-8c6d-52a9d1e7f402"
	bob   = "0198c0de-93f7-7f19-b0e2-c4b86d05aa03"
)

var people = []authtoken.User{
	{ID: root, Username: "root", Active: true, Superuser: true},
	{ID: alice, Username: "alice", Active: true},
	{ID: bob, Username: "bob", Active: true},
}

var home = template.Must(template.New("home").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Example</title><h1>Who are you?</h1>
<form method="post" action="/sign-in">{{range .}}<button name="user" value="{{.Username}}">{{.Username}}</button> {{end}}</form>
`))

// user stands for the application's own sessions. Don't copy it: anybody can make
// this cookie. It returns the ID of whoever is signed in, or "" if nobody is.
func user(r *http.Request) string {
	cookie, err := r.Cookie("user")
	for _, u := range people {
		if err == nil && cookie.Value == u.Username {
			return u.ID
		}
	}
	return ""
}

func signedIn(r *http.Request) (authtoken.Principal, error) { return authtoken.SignedIn(user(r)), nil }

func signIn(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "user", Value: r.PostFormValue("user"), HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/account/tokens", http.StatusSeeOther)
}

// guard sends users who have not signed in to the page where they can.
func guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user(r) == "" {
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
		user, name       string
		intent           authtoken.Intent
		madeAgo, usedAgo time.Duration
		lives            time.Duration
	}{
		{alice, "Old laptop, replaced in spring", authtoken.IntentAPI, 40 * 24 * time.Hour, 21 * 24 * time.Hour, 30 * 24 * time.Hour},
		{alice, "Mail on Alice’s phone", authtoken.IntentAppPassword, 30 * 24 * time.Hour, 5 * time.Minute, 33 * 24 * time.Hour},
		{alice, "Nightly backup of the file server", authtoken.IntentAPI, 12 * 24 * time.Hour, 9 * time.Hour, 90 * 24 * time.Hour},
		{alice, "Build and release", authtoken.IntentAPI, 2 * 24 * time.Hour, 0, 30 * 24 * time.Hour},
		{bob, "Bob’s script", authtoken.IntentAPI, 24 * time.Hour, 0, 30 * 24 * time.Hour},
	} {
		past = t.madeAgo
		_, key, err := svc.Create(ctx, authtoken.CreateParams{
			Description: t.name, Intent: t.intent, User: t.user, Expires: time.Now().Add(t.lives - past),
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

func run(ctx context.Context) error {
	app, err := newApp(ctx)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := &http.Server{
		Handler:           app,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	return server.Serve(listener)
}

func main() {
	fmt.Fprintln(os.Stderr, "tokenpage:", run(context.Background()))
	os.Exit(1)
}
