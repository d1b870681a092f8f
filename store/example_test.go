package store_test

import (
	"context"
	"fmt"
	"log"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

func ExampleCopy() {
	ctx := context.Background()
	from, err := sqlite.Open(ctx, ":memory:", sqlite.Config{})
	check(err)
	defer from.Close()
	svc, err := authtoken.New(from, authtoken.Config{})
	check(err)
	_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "deploy", User: "7"})
	check(err)

	to := memory.New() // any other store
	stats, err := store.Copy(ctx, to, from, nil)
	check(err)
	fmt.Printf("%d of %d copied\n", stats.Created, stats.Total)

	svc, err = authtoken.New(to, authtoken.Config{})
	check(err)
	who, err := svc.Authenticate(ctx, key.Reveal())
	check(err)
	fmt.Println("the key of", who.Token.Identifier, "is good there too")
	// Output:
	// 1 of 1 copied
	// the key of deploy is good there too
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
