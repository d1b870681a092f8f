// Package serverapp is the server of examples/server. It leaves the choice of store to
// its caller, so that the programs for SQLite and PostgreSQL share it. Read it and copy
// from it; its API is not part of what the library promises.
package serverapp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
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
	"github.com/authtoken/authtoken/store"
)

// App is a server of the token API. Its fields say where it keeps tokens.
type App struct {
	DB      string // default of the flag -db
	DBUsage string // what -db may be

	// Open opens the store that -db names. The function that it returns closes the
	// store. It is called when nothing uses the store any more.
	Open func(ctx context.Context, db string) (store.Store, func() error, error)
}

// Main serves until the process is told to stop, and returns its exit code: 2 if the
// flags can't be parsed, 1 if anything else is wrong, and 0 otherwise.
func (a App) Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	err := a.Run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "server:", err)
	if _, ok := errors.AsType[*usageError](err); ok {
		return 2
	}
	return 1
}

// Run serves until ctx is done. Then it returns nil.
func (a App) Run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	o, err := a.parse(args, getenv)
	if errors.Is(err, flag.ErrHelp) {
		return a.help(stdout)
	}
	if err != nil {
		return err
	}

	// The port comes first: if it is taken, nothing has been touched yet.
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	defer listener.Close()

	st, closeStore, err := a.Open(ctx, o.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()

	logs := slog.NewTextHandler(stderr, nil)
	cfg := authtoken.Config{Policy: o.policy, Users: o.users, Sealer: o.sealer, TrackLastUsed: true}
	if o.events {
		cfg.Observer = authtoken.LogObserver(slog.New(logs))
	}
	svc, err := authtoken.New(st, cfg)
	if err != nil {
		return err
	}
	handler, err := httpadapter.New(svc, httpadapter.Config{
		Profiles: httpadapter.ProfileList(o.profiles...), Logger: slog.New(logs),
	})
	if err != nil {
		return err
	}
	key, err := bootstrap(ctx, svc, o.bootstrapKey)
	if err != nil {
		return err
	}
	if err := welcome(stdout, listener.Addr(), o, key); err != nil {
		return err
	}
	var janitor sync.WaitGroup
	defer janitor.Wait() // before the store is closed
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	janitor.Go(func() { _ = svc.RunJanitor(ctx, 5*time.Minute) })
	return serve(ctx, listener, &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logs, slog.LevelWarn),
	})
}

// shutdownTime is how long the server waits for open requests when it is told to stop.
const shutdownTime = 10 * time.Second

func serve(ctx context.Context, listener net.Listener, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
		return fmt.Errorf("stopped while requests were under way: %w", err)
	}
	return nil
}
