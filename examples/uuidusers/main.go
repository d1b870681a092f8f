// Uuidusers is an application whose users have UUIDs and live in a table of its own.
// Its tokens know them by the same IDs and are in the same SQLite database.
//
//	go run ./examples/uuidusers
//
// Package userapp has the users, the page and the API, and this file the database.
// The same over PostgreSQL is in the module store/postgres.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/authtoken/authtoken/examples/uuidusers/userapp"
	"github.com/authtoken/authtoken/store/sqlite"
)

// An ID is never given to anybody else, but if it is, created_at tells the two users
// apart.
const schema = `CREATE TABLE IF NOT EXISTS users (
	id         TEXT NOT NULL PRIMARY KEY,
	username   TEXT NOT NULL UNIQUE,
	active     BOOLEAN NOT NULL,
	is_admin   BOOLEAN NOT NULL,
	created_at TIMESTAMP NOT NULL
)`

// open opens the application's database and, on the same handle, the store of its
// tokens. The tables of the store have a prefix of their own.
func open(ctx context.Context, path string) (_ *userapp.App, closeDB func() error, err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate"+
		"&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)")
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = db.Close()
		}
	}()
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, nil, err
	}
	cfg := sqlite.Config{TablePrefix: "api_"}
	if err := sqlite.Migrate(ctx, db, cfg); err != nil {
		return nil, nil, err
	}
	st, err := sqlite.New(ctx, db, cfg)
	if err != nil {
		return nil, nil, err
	}
	app, err := userapp.New(db, st)
	return app, func() error { return errors.Join(st.Close(), db.Close()) }, err
}

func run(ctx context.Context) error {
	app, closeDB, err := open(ctx, "app.db")
	if err != nil {
		return err
	}
	return errors.Join(app.Run(ctx), closeDB())
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "uuidusers:", err)
		os.Exit(1)
	}
}
