// Package userapp is the application of examples/uuidusers without its database, so
// that the programs for SQLite and PostgreSQL can share it. It is here to be read and
// copied; its API is no part of what the library promises.
package userapp

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/tokenpage"
)

const address = "127.0.0.1:8083"

// App is the application: an http.Handler, and the tokens behind it.
type App struct {
	http.ServeMux
	Users  Users
	Tokens *authtoken.Service
}

// New returns the application over its database, which has the table of users, and
// over a store for tokens, which may be in the same database.
func New(db *sql.DB, st store.Store) (*App, error) {
	users := Users{db}
	tokens, err := authtoken.New(st, authtoken.Config{
		Users:         users,
		Policy:        authtoken.Policy{DefaultLifetime: 30 * 24 * time.Hour, MaxTokens: 20},
		TrackLastUsed: true,
	})
	if err != nil {
		return nil, err
	}
	a := &App{Users: users, Tokens: tokens}

	// The page, for people who have signed in.
	page, err := tokenpage.New(tokens, tokenpage.Config{Authenticate: signedIn, Application: "Example"})
	if err != nil {
		return nil, err
	}
	a.HandleFunc("GET /{$}", home)
	a.HandleFunc("POST /sign-in", a.signIn)
	a.Handle("/account/tokens", page)

	// The application's own API, for whoever has a key.
	guard, err := httpadapter.RequireToken(tokens, httpadapter.GuardConfig{})
	if err != nil {
		return nil, err
	}
	a.Handle("GET /whoami", guard(http.HandlerFunc(whoAmI)))

	// The API for the tokens themselves. The application's own clients know users by
	// their UUIDs, so these are strings there. Leave TextUserIDs out for clients that
	// were written for authentik.
	api, err := httpadapter.New(tokens, httpadapter.Config{TextUserIDs: true})
	if err != nil {
		return nil, err
	}
	a.Handle("/api/v3/", api)
	return a, nil
}

// signedIn stands for the application's own sessions. Don't copy it: anybody can make
// this cookie. SignedIn needs the ID and no more; who that is, is looked up.
func signedIn(r *http.Request) (authtoken.Principal, error) {
	cookie, err := r.Cookie("user")
	if err != nil {
		return authtoken.Principal{}, nil // nobody
	}
	return authtoken.SignedIn(cookie.Value), nil
}

func (a *App) signIn(w http.ResponseWriter, r *http.Request) {
	id, err := a.Users.UserNamed(r.Context(), r.PostFormValue("username"))
	switch {
	case errors.Is(err, authtoken.ErrUserNotFound):
		http.Error(w, "There is no such user.", http.StatusForbidden)
	case err != nil:
		http.Error(w, "Try again.", http.StatusInternalServerError)
	default:
		http.SetCookie(w, &http.Cookie{Name: "user", Value: id, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/account/tokens", http.StatusSeeOther)
	}
}

func home(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>Example</title>
<form method="post" action="/sign-in"><label>Username (root, alice or bob) <input name="username"></label> <button>Sign in</button></form>
`)
}

// whoAmI is any route of the application: the user is known by the same ID as
// everywhere else.
func whoAmI(w http.ResponseWriter, r *http.Request) {
	who, _ := httpadapter.Principal(r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"user": who.User.ID, "username": who.User.Username})
}

// Run serves the application until the process is told to stop. At the first start it
// makes three users, to try it out.
func (a *App) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	for _, name := range []string{"root", "alice", "bob"} {
		_, err := a.Users.UserNamed(ctx, name)
		if errors.Is(err, authtoken.ErrUserNotFound) {
			err = a.Users.Add(ctx, authtoken.User{
				ID: uuid.NewString(), Username: name, Active: true, Superuser: name == "root", Created: time.Now(),
			})
		}
		if err != nil {
			return err
		}
	}

	var background sync.WaitGroup
	defer background.Wait()
	background.Go(func() { _ = a.Tokens.RunJanitor(ctx, time.Minute) })
	server := &http.Server{
		Addr:              address,
		Handler:           a,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	background.Go(func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	})
	fmt.Println("listening on http://" + address)
	err := server.ListenAndServe()
	stop()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
