// Command server serves authentik's token API over SQLite, or from memory:
//
//	go run ./examples/server
//
// It is a whole application to copy from. Package serverapp makes the service and
// serves it. This file opens the store. The flag -h lists the flags.
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
