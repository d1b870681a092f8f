package authtoken_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
	_ "github.com/authtoken/authtoken/store/sqlite" // registers the driver "sqlite"
)

// people is a directory over a table of the application's database.
type people struct{ db *sql.DB }

func (p people) User(ctx context.Context, id string) (authtoken.User, error) {
	found, err := p.Users(ctx, []string{id})
	u, ok := found[id]
	if err == nil && !ok {
		err = authtoken.ErrUserNotFound
	}
	return u, err
}

// Users is optional. With it, one query finds the owners of all tokens on a page.
func (p people) Users(ctx context.Context, ids []string) (map[string]authtoken.User, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	rows, err := p.db.QueryContext(ctx, `SELECT id, name, active, admin, created FROM people
		WHERE id IN (SELECT value FROM json_each(?))`, string(list)) // in PostgreSQL: id = ANY($1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[string]authtoken.User)
	for rows.Next() {
		var u authtoken.User
		var created int64
		if err := rows.Scan(&u.ID, &u.Username, &u.Active, &u.Superuser, &created); err != nil {
			return nil, err
		}
		u.Created = time.UnixMicro(created)
		found[u.ID] = u
	}
	return found, rows.Err()
}

// An application has its users in a database.
func ExampleBatchDirectory() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection has a database in memory of its own
	_, err = db.ExecContext(ctx, `CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT, active BOOLEAN, admin BOOLEAN, created INTEGER);
		INSERT INTO people VALUES ('01J9ZX', 'alice', TRUE, FALSE, 0), ('01J9ZY', 'root', TRUE, TRUE, 0)`)
	if err != nil {
		log.Fatal(err)
	}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: people{db}})
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range []string{"01J9ZX", "01J9ZY"} {
		if _, _, err := svc.As(id).Create(ctx, authtoken.CreateParams{Identifier: "of-" + id}); err != nil {
			log.Fatal(err)
		}
	}
	root := svc.As("01J9ZY")
	page, err := root.Page(ctx, authtoken.Filter{}, 1, 10)
	if err != nil {
		log.Fatal(err)
	}
	owners, err := root.Owners(ctx, page.Tokens)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range page.Tokens {
		fmt.Println(t.Identifier, owners[t.User].Username)
	}
	// Output:
	// of-01J9ZX alice
	// of-01J9ZY root
}
