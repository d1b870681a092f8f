package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/sqlite"
)

// must keeps the examples short. Applications look at their errors.
func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// exampleDB opens an application's database, with a table of users.
func exampleDB(dir string) *sql.DB {
	db := must(sql.Open("sqlite", "file:"+filepath.Join(dir, "app.db")+
		"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)"))
	must(db.Exec(`CREATE TABLE users (pk INTEGER PRIMARY KEY, name TEXT)`))
	return db
}

func ExampleOpen() {
	ctx := context.Background()
	dir := must(os.MkdirTemp("", ""))
	defer os.RemoveAll(dir)
	open := func() (*sqlite.Store, *authtoken.Service) {
		st := must(sqlite.Open(ctx, filepath.Join(dir, "tokens.db"), sqlite.Config{}))
		return st, must(authtoken.New(st, authtoken.Config{}))
	}

	st, svc := open()
	_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "deploy", User: "7"})
	check(err)
	check(st.Close())

	st, svc = open() // as after a restart
	defer st.Close()
	who := must(svc.Authenticate(ctx, key.Reveal()))
	fmt.Println(who.Token.Identifier, "is still there")
	// Output: deploy is still there
}

func ExampleStore_WithTx() {
	ctx := context.Background()
	dir := must(os.MkdirTemp("", ""))
	defer os.RemoveAll(dir)
	db := exampleDB(dir)
	defer db.Close()

	check(sqlite.Migrate(ctx, db, sqlite.Config{}))
	st := must(sqlite.New(ctx, db, sqlite.Config{}))
	defer st.Close()
	svc := must(authtoken.New(st, authtoken.Config{}))

	// A user and their first token come together, or not at all.
	for _, name := range []string{"alice", "bob"} {
		tx := must(db.BeginTx(ctx, nil))
		result := must(tx.Exec(`INSERT INTO users (name) VALUES (?)`, name))
		pk := must(result.LastInsertId())
		_, _, err := svc.WithStore(st.WithTx(tx), nil).Create(ctx, authtoken.CreateParams{Identifier: name, User: strconv.FormatInt(pk, 10)})
		check(err)
		if name == "alice" {
			check(tx.Commit())
		} else {
			check(tx.Rollback())
		}
	}
	for token, err := range svc.All(ctx, authtoken.Filter{}) {
		fmt.Println(token.Identifier, err)
	}
	// Output: alice <nil>
}

func ExampleStore_Backup() {
	ctx := context.Background()
	dir := must(os.MkdirTemp("", ""))
	defer os.RemoveAll(dir)
	st := must(sqlite.Open(ctx, filepath.Join(dir, "tokens.db"), sqlite.Config{}))
	defer st.Close()
	svc := must(authtoken.New(st, authtoken.Config{}))
	_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	check(err)

	path := filepath.Join(dir, "copy.db")
	check(st.Backup(ctx, path))

	// To restore it is to open it.
	copied := must(sqlite.Open(ctx, path, sqlite.Config{}))
	defer copied.Close()
	who := must(svc.WithStore(copied, nil).Authenticate(ctx, key.Reveal()))
	fmt.Println(who.Token.Identifier)
	// Output: ci
}

func ExampleStore_Ping() {
	ctx := context.Background()
	st := must(sqlite.Open(ctx, ":memory:", sqlite.Config{}))
	fmt.Println(st.Ping(ctx))
	check(st.Close())
	fmt.Println(st.Ping(ctx))
	// Output:
	// <nil>
	// sqlite: store is closed
}

// The migrations as files for a tool of the application's, here for goose.
func ExampleMigrations() {
	for _, m := range must(sqlite.Migrations(sqlite.Config{TablePrefix: "app_"})) {
		name := fmt.Sprintf("%05d_authtoken_%s.sql", m.Version, m.Name)
		content := "-- +goose Up\n" + m.SQL
		fmt.Println(name, len(content) > 100)
	}
	// Output:
	// 00001_authtoken_tokens.sql true
	// 00002_authtoken_user_ids_and_earlier_keys.sql true
	// 00003_authtoken_what_keys_are_good_for.sql true
}
