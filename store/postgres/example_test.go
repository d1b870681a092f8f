package postgres_test

import (
	"context"
	"log"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/postgres"
)

// The examples need a server; their steps are run by the tests of the package.

func ExampleOpen() {
	ctx := context.Background()
	st, err := postgres.Open(ctx, "postgres://app@db.example.com/app?search_path=tokens", postgres.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	svc, err := authtoken.New(st, authtoken.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "deploy", User: "7"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = svc.Authenticate(ctx, key.Reveal())
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleNew() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://app@db.example.com/app") // the application's
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	cfg := postgres.Config{TablePrefix: "api_"}
	if err := postgres.Migrate(ctx, pool, cfg); err != nil {
		log.Fatal(err)
	}
	st, err := postgres.New(ctx, pool, cfg)
	if err != nil {
		log.Fatal(err)
	}
	if err := st.Ping(ctx); err != nil {
		log.Fatal(err)
	}
}

// A new account and its first token, both or neither.
func ExampleStore_WithTx() {
	var (
		ctx  context.Context
		pool *pgxpool.Pool
		st   *postgres.Store
		svc  *authtoken.Service // over st
	)
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO accounts (pk, name) VALUES (7, 'alice')"); err != nil {
			return err
		}
		_, _, err := svc.WithStore(st.WithTx(tx), nil).Create(ctx, authtoken.CreateParams{Identifier: "first", User: "7"})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}
