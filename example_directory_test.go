package authtoken_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strconv"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
	_ "github.com/authtoken/authtoken/store/sqlite" // for the driver
)

// account is a user of an application that knows users by number.
type account struct {
	name    string
	blocked bool
}

// accounts is a directory of users who are known by number.
type accounts map[int64]account

// User takes the number in its usual form only: "7", and neither "07" nor "+7".
func (a accounts) User(_ context.Context, id string) (authtoken.User, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	found, ok := a[n]
	if err != nil || !ok || strconv.FormatInt(n, 10) != id {
		return authtoken.User{}, authtoken.ErrUserNotFound
	}
	return authtoken.User{ID: id, Username: found.name, Active: !found.blocked}, nil
}

func ExampleDirectory_numbers() {
	ctx := context.Background()
	users := accounts{7: {name: "alice"}, 8: {name: "bob", blocked: true}}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	if err != nil {
		log.Fatal(err)
	}
	var number int64 = 7
	token, _, err := svc.As(strconv.FormatInt(number, 10)).Create(ctx, authtoken.CreateParams{Identifier: "ci"})
	fmt.Println(token.User, err)
	_, _, err = svc.As("8").Create(ctx, authtoken.CreateParams{Identifier: "ci2"})
	fmt.Println(err)
	// Output:
	// 7 <nil>
	// create token: key refused: the user is not active
}

// members is a directory of users who are known by text, such as an email address, a
// ULID or the subject of OpenID Connect.
type members map[string]bool // whether a member is an administrator

func (m members) User(_ context.Context, id string) (authtoken.User, error) {
	admin, ok := m[id]
	if !ok {
		return authtoken.User{}, authtoken.ErrUserNotFound
	}
	return authtoken.User{ID: id, Active: true, Superuser: admin}, nil
}

func ExampleDirectory_text() {
	ctx := context.Background()
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: members{
		"auth0|5f7c8ec7c33c6c004bbafe82": false,
		"ada@example.com":                true,
	}})
	if err != nil {
		log.Fatal(err)
	}
	_, key, err := svc.As("auth0|5f7c8ec7c33c6c004bbafe82").Create(ctx, authtoken.CreateParams{Description: "CI"})
	if err != nil {
		log.Fatal(err)
	}
	who, err := svc.Authenticate(ctx, key.Reveal())
	fmt.Println(who.User.ID, err)
	page, err := svc.As("ada@example.com").Page(ctx, authtoken.Filter{}, 1, 10)
	fmt.Println(page.Count, err)
	_, err = svc.As("ADA@example.com").Page(ctx, authtoken.Filter{}, 1, 10)
	fmt.Println(errors.Is(err, authtoken.ErrUserNotFound))
	// Output:
	// auth0|5f7c8ec7c33c6c004bbafe82 <nil>
	// 1 <nil>
	// true
}

// people is a directory over a table of the application's.
type people struct{ db *sql.DB }

func (p people) User(ctx context.Context, id string) (authtoken.User, error) {
	found, err := p.Users(ctx, []string{id})
	u, ok := found[id]
	if err == nil && !ok {
		err = authtoken.ErrUserNotFound
	}
	return u, err
}

// Users is optional: a list asks for all owners on it with one query.
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

// To delete a user, first make the directory say that the user is not active, or not
// there: from then on their keys are refused and nobody can make another. Then delete
// their tokens.
func ExampleAccess_Revoke_deleteUser() {
	ctx := context.Background()
	users := accounts{7: {name: "alice"}}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	if err != nil {
		log.Fatal(err)
	}
	_, key, err := svc.As("7").Create(ctx, authtoken.CreateParams{Identifier: "ci"})
	if err != nil {
		log.Fatal(err)
	}

	delete(users, 7)
	_, err = svc.Authenticate(ctx, key.Reveal())
	fmt.Println(errors.Is(err, authtoken.ErrRefused))

	revoked, err := svc.Revoke(ctx, authtoken.Filter{User: "7"})
	fmt.Println(len(revoked), err)
	// Output:
	// true
	// 1 <nil>
}
