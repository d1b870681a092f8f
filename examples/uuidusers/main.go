// Uuidusers is an application whose users have UUIDs, in a table of its own. Tokens know
// their owners by these UUIDs, and are in the same SQLite database.
//
//	go run ./examples/uuidusers
//
// This file has the database. Package userapp has the users, the page and the API. The
// same application over PostgreSQL is in the module store/postgres.
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

// A UUID is not given to a second user. If it ever is, created_at tells the two apart.
const schema = `CREATE TABLE IF NOT EXISTS users (
	id         TEXT NOT NULL PRIMARY KEY,
	username   TEXT NOT NULL UNIQUE,
	active     BOOLEAN NOT NULL,
	is_admin   BOOLEAN NOT NULL,
	created_at TIMESTAMP NOT NULL
)`

// open opens the application's database, and the store of tokens on the same handle. The
// prefix keeps the store's tables apart from the application's.
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
