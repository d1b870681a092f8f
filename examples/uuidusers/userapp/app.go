// Package userapp is the application of examples/uuidusers. It leaves the choice of
// database to its caller, so that the programs for SQLite and PostgreSQL share it. Read
// it and copy from it; its API is not part of what the library promises.
package userapp

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
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

// App is the application: an http.Handler, its users, and their tokens.
type App struct {
	http.ServeMux
	Users  Users
	Tokens *authtoken.Service
}

// New returns the application. The database has the table of users. The store has the
// tokens, and may be in the same database.
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

	// The page, on which people who have signed in manage their tokens.
	page, err := tokenpage.New(tokens, tokenpage.Config{Authenticate: signedIn, Application: "Example"})
	if err != nil {
		return nil, err
	}
	a.HandleFunc("GET /{$}", home)
	a.HandleFunc("POST /sign-in", a.signIn)
	a.Handle("/account/tokens", page)

	// A route of the application's own API. The guard lets only requests with a key in.
	guard, err := httpadapter.RequireToken(tokens, httpadapter.GuardConfig{})
	if err != nil {
		return nil, err
	}
	a.Handle("GET /whoami", guard(http.HandlerFunc(whoAmI)))

	// The API for the tokens themselves. Scripts call it with a key, the application's web
	// pages with the session of whoever has signed in.
	bearer := httpadapter.BearerPrincipal(tokens, nil)
	api, err := httpadapter.New(tokens, httpadapter.Config{
		// A user is a UUID there too, as a string. Clients that were written for authentik
		// expect an integer: for those there are UserNumber and UserID.
		TextUserIDs: true,
		Authenticate: func(r *http.Request) (authtoken.Principal, error) {
			if r.Header.Get("Authorization") != "" {
				return bearer(r)
			}
			return signedIn(r)
		},
	})
	if err != nil {
		return nil, err
	}
	a.Handle("/api/v3/", api)
	return a, nil
}

// DeleteUser deletes a user and their tokens. If it fails, call it again.
//
// The user goes first. From then on their keys are refused, so that nobody can use one
// to make another token while the tokens are being deleted.
func (a *App) DeleteUser(ctx context.Context, id string) error {
	if err := a.Users.Delete(ctx, id); err != nil {
		return err
	}
	_, err := a.Tokens.Revoke(ctx, authtoken.Filter{User: id})
	return err
}

// signedIn stands for the application's own sessions. Don't copy it: anybody can make
// this cookie. SignedIn takes only the ID; the service looks the user up in Users.
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

// whoAmI stands for any route behind the guard. It knows the user by the UUID that the
// application has for them.
func whoAmI(w http.ResponseWriter, r *http.Request) {
	who, _ := authtoken.PrincipalFrom(r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"user": who.User.ID, "username": who.User.Username})
}

// Run serves the application until the process is told to stop. If they are missing, it
// adds three users to try it out with.
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
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())

	var background sync.WaitGroup
	defer background.Wait()
	background.Go(func() { _ = a.Tokens.RunJanitor(ctx, time.Minute) })
	server := &http.Server{
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
	err = server.Serve(listener)
	stop()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
