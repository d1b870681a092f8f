// Command server serves the token API of authentik over SQLite, or from memory:
//
//	go run ./examples/server
//
// It is the whole of an embedding application, to be copied from: package
// serverapp sets up the service and serves it, and this file says where the
// tokens are kept. With the flag -h it tells its flags.
package main

import (
	"context"
	"os"

	"github.com/authtoken/authtoken/examples/server/serverapp"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

func main() { os.Exit(app.Main()) }

var app = serverapp.App{
	DB:      "authtoken.db",
	DBUsage: "file of the SQLite database, or :memory: to keep nothing",
	Open:    open,
}

func open(ctx context.Context, db string) (store.Store, func() error, error) {
	if db == ":memory:" {
		return memory.New(), func() error { return nil }, nil
	}
	st, err := sqlite.Open(ctx, db, sqlite.Config{})
	if err != nil {
		return nil, nil, err
	}
	return st, st.Close, nil
}
