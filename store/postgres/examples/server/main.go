// Command server is the server of the repository's examples/server over
// PostgreSQL. In the directory of this module:
//
//	go run ./examples/server -db postgres://app@db.example.com/app
//
// Like psql, it takes what the URL leaves out from PGHOST, PGPASSWORD and the like. Any
// number of servers may run over one database. The flag -h lists the flags.
package main

import (
	"context"
	"os"

	"github.com/authtoken/authtoken/examples/server/serverapp"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
)

func main() { os.Exit(app.Main()) }

var app = serverapp.App{
	DB:      "postgres://",
	DBUsage: "`URL` of the PostgreSQL database, or words as psql takes them",
	Open:    open,
}

func open(ctx context.Context, db string) (store.Store, func() error, error) {
	st, err := postgres.Open(ctx, db, postgres.Config{})
	if err != nil {
		return nil, nil, err
	}
	return st, st.Close, nil
}
