// Webapp is a small web application whose API is guarded by tokens. Clients send a key,
// and renew it before it expires. A client that does not is refused.
//
//	go run ./examples/webapp
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

const (
	lifetime = 30 * 24 * time.Hour  // of a token
	overlap  = time.Hour            // how long a replaced key stays good
	maxAge   = 365 * 24 * time.Hour // of a token that is renewed
)

// app is the application: notes, and the tokens that give access to them.
type app struct {
	tokens *authtoken.Service
	log    *slog.Logger

	mu    sync.Mutex
	notes map[string][]string // by the user's ID
}

func newApp(log *slog.Logger, now func() time.Time) (*app, error) {
	svc, err := authtoken.New(memory.New(), authtoken.Config{
		Policy: authtoken.Policy{
			DefaultLifetime: lifetime,
			RevokeOnReuse:   true,
			DefaultScopes:   []string{authtoken.ScopeAll},
			Scopes: []authtoken.Scope{
				{Name: "notes:read", Title: "Read notes"},
				{Name: "notes:write", Title: "Write notes", Implies: []string{"notes:read"}},
			},
		},
		Observer:      authtoken.LogObserver(log),
		TrackLastUsed: true,
		Now:           now,
	})
	return &app{tokens: svc, log: log, notes: make(map[string][]string)}, err
}

// routes returns the routes. All except /healthz need a key, and each says what the key
// must permit. A route that forgets to admits no limited key.
func (a *app) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for pattern, route := range map[string]struct {
		needs httpadapter.GuardConfig
		serve http.HandlerFunc
	}{
		"GET /notes":        {httpadapter.GuardConfig{Scopes: []string{"notes:read"}}, a.list},
		"POST /notes":       {httpadapter.GuardConfig{Scopes: []string{"notes:write"}}, a.add},
		"POST /token/renew": {httpadapter.GuardConfig{AnyScope: true}, a.renew}, // each renews itself
	} {
		route.needs.Realm, route.needs.ExpiryHeader = "notes", "Token-Expires"
		guard, err := httpadapter.RequireToken(a.tokens, route.needs)
		if err != nil {
			return nil, err
		}
		mux.Handle(pattern, guard(route.serve))
	}
	return mux, nil
}

func (a *app) list(w http.ResponseWriter, r *http.Request) {
	who, _ := authtoken.PrincipalFrom(r.Context())
	a.mu.Lock()
	notes := append([]string{}, a.notes[who.User.ID]...)
	a.mu.Unlock()
	a.answer(w, http.StatusOK, notes)
}

func (a *app) add(w http.ResponseWriter, r *http.Request) {
	who, _ := authtoken.PrincipalFrom(r.Context())
	var note string
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&note); err != nil {
		a.answer(w, http.StatusBadRequest, "a note is a JSON string")
		return
	}
	a.mu.Lock()
	a.notes[who.User.ID] = append(a.notes[who.User.ID], note)
	a.mu.Unlock()
	a.answer(w, http.StatusCreated, note)
}

// renew gives the client a new key, and its token a new expiry. The old key stays good
// for an hour, in case the answer gets lost.
//
// A key that expires can't renew itself: Service.For forbids it. So the application
// does it as trusted code, for the client's own token only, and only until the token is
// a year old.
func (a *app) renew(w http.ResponseWriter, r *http.Request) {
	who, _ := authtoken.PrincipalFrom(r.Context())
	end := who.Token.Created.Add(maxAge)
	expires := a.tokens.Now().Add(lifetime)
	if expires.After(end) {
		expires = end
	}
	if !expires.After(who.Token.Expires) {
		a.answer(w, http.StatusForbidden, "this token can't be renewed any more; make another one")
		return
	}
	token, err := a.tokens.Update(r.Context(), who.Token.Identifier, authtoken.UpdateParams{Expires: &expires},
		authtoken.IfRevision(who.Token.Revision()))
	var key authtoken.Key
	if err == nil {
		token, key, err = a.tokens.Rotate(r.Context(), token.Identifier, overlap, authtoken.IfRevision(token.Revision()))
	}
	if errors.Is(err, authtoken.ErrStale) {
		a.answer(w, http.StatusConflict, "the token has changed; check in again")
		return
	}
	if err != nil {
		a.log.ErrorContext(r.Context(), "renew", "error", err)
		a.answer(w, http.StatusInternalServerError, "try again")
		return
	}
	a.answer(w, http.StatusOK, map[string]any{"key": key.Reveal(), "expires": token.Expires})
}

func (a *app) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		a.log.Error("answer", "error", err)
	}
}

// warn logs the tokens that expire within a week. A real application would write to
// their owners.
func (a *app) warn(ctx context.Context) error {
	now := a.tokens.Now()
	for token, err := range a.tokens.ExpiringBetween(ctx, now, now.Add(7*24*time.Hour)) {
		if err != nil {
			return err
		}
		a.log.WarnContext(ctx, "token expires soon", "token", token.Identifier, "user", token.User, "expires", token.Expires)
	}
	return nil
}

func run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	a, err := newApp(slog.Default(), time.Now)
	if err != nil {
		return err
	}
	routes, err := a.routes()
	if err != nil {
		return err
	}
	_, key, err := a.tokens.Create(ctx, authtoken.CreateParams{Identifier: "first", User: "1"})
	if err != nil {
		return err
	}
	_, readOnly, err := a.tokens.Create(ctx, authtoken.CreateParams{Identifier: "reader", User: "1", Scopes: []string{"notes:read"}})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:8081")
	if err != nil {
		return err
	}
	fmt.Printf("curl -H 'Authorization: Bearer %s' http://%s/notes -d '\"hello\"'\n", key.Reveal(), listener.Addr())
	fmt.Printf("curl -H 'Authorization: Bearer %s' http://%s/notes # and it may do no more\n", readOnly.Reveal(), listener.Addr())

	var background sync.WaitGroup
	defer background.Wait()
	background.Go(func() { _ = a.tokens.RunJanitor(ctx, time.Minute) })
	background.Go(func() {
		day := time.NewTicker(24 * time.Hour)
		defer day.Stop()
		for {
			if err := a.warn(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("warn", "error", err)
			}
			select {
			case <-day.C:
			case <-ctx.Done():
				return
			}
		}
	})

	server := &http.Server{
		Handler:           routes,
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
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	return nil
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
}
