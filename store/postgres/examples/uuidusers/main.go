// Uuidusers is the application of the repository's examples/uuidusers over PostgreSQL.
// In the directory of this module:
//
//	go run ./examples/uuidusers postgres://app@db.example.com/app
//
// This file has the database. Package userapp has the users, the page and the API.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/authtoken/authtoken/examples/uuidusers/userapp"
	"github.com/authtoken/authtoken/store/postgres"
)

// A UUID is not given to a second user. If it ever is, created_at tells the two apart.
const schema = `CREATE TABLE IF NOT EXISTS users (
	id         uuid PRIMARY KEY,
	username   text NOT NULL UNIQUE,
	active     boolean NOT NULL,
	is_admin   boolean NOT NULL,
	created_at timestamptz NOT NULL
)`

// open opens the application's database and makes the tables: its own, and those of the
// store, which a prefix keeps apart. The application's queries go through database/sql,
// on connections of the same pool.
func open(ctx context.Context, dsn string) (_ *userapp.App, closeDB func() error, err error) {
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			pool.Close()
		}
	}()
	if _, err := pool.Exec(ctx, schema); err != nil {
		return nil, nil, err
	}
	cfg := postgres.Config{TablePrefix: "api_"}
	if err := postgres.Migrate(ctx, pool, cfg); err != nil {
		return nil, nil, err
	}
	st, err := postgres.New(ctx, pool, cfg)
	if err != nil {
		return nil, nil, err
	}
	db := stdlib.OpenDBFromPool(pool)
	app, err := userapp.New(db, st)
	return app, func() error {
		defer pool.Close()
		return errors.Join(st.Close(), db.Close())
	}, err
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("give the URL of a PostgreSQL database, such as postgres://app@db.example.com/app")
	}
	app, closeDB, err := open(ctx, args[1])
	if err != nil {
		return err
	}
	return errors.Join(app.Run(ctx), closeDB())
}

func main() {
	if err := run(context.Background(), os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "uuidusers:", err)
		os.Exit(1)
	}
}
