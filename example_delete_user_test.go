package authtoken_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

// staff is a directory over the users of an application.
type staff map[string]authtoken.User

func (s staff) User(_ context.Context, id string) (authtoken.User, error) {
	u, ok := s[id]
	if !ok {
		return authtoken.User{}, authtoken.ErrUserNotFound
	}
	return u, nil
}

// deleteUser deletes a user and their tokens. If it fails, call it again.
//
// The user goes first. From then on their keys are refused, so that nobody can use one
// to make another token while the tokens are being deleted.
func deleteUser(ctx context.Context, users staff, svc *authtoken.Service, id string) error {
	delete(users, id) // in a database: DELETE, or UPDATE … SET active = FALSE
	_, err := svc.Revoke(ctx, authtoken.Filter{User: id})
	return err
}

// A user is deleted, and then their ID is given out again.
func ExampleAccess_Revoke_deleteUser() {
	ctx := context.Background()
	users := staff{"7": {ID: "7", Active: true, Created: time.Now()}}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	if err != nil {
		log.Fatal(err)
	}
	alice := users["7"]
	_, key, err := svc.As("7").Create(ctx, authtoken.CreateParams{Identifier: "ci"})
	if err != nil {
		log.Fatal(err)
	}
	if err := deleteUser(ctx, users, svc, "7"); err != nil {
		log.Fatal(err)
	}
	_, err = svc.Authenticate(ctx, key.Reveal())
	fmt.Println("deleted:", err)

	// Suppose the tokens were not deleted, or came back with a backup. Then Created tells
	// the two users apart.
	users["7"] = alice
	_, key, err = svc.As("7").Create(ctx, authtoken.CreateParams{Identifier: "ci"})
	if err != nil {
		log.Fatal(err)
	}
	delete(users, "7")
	_, err = svc.Authenticate(ctx, key.Reveal())
	fmt.Println("the token stays:", err)
	users["7"] = authtoken.User{ID: "7", Active: true, Created: time.Now().Add(time.Second)}
	_, err = svc.Authenticate(ctx, key.Reveal())
	fmt.Println("the ID is given out again:", err)
	// Output:
	// deleted: key refused: no token has it
	// the token stays: key refused: the user is not active
	// the ID is given out again: key refused: it is not that user's
}
