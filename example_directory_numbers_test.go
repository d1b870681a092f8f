package authtoken_test

import (
	"context"
	"fmt"
	"log"
	"strconv"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

// account is a user of an application that knows its users by number.
type account struct {
	name    string
	blocked bool
}

// accounts is a directory over users who are known by number.
type accounts map[int64]account

// User takes a number in its usual form only: "7", and neither "07" nor "+7".
func (a accounts) User(_ context.Context, id string) (authtoken.User, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	found, ok := a[n]
	if err != nil || !ok || strconv.FormatInt(n, 10) != id {
		return authtoken.User{}, authtoken.ErrUserNotFound
	}
	return authtoken.User{ID: id, Username: found.name, Active: !found.blocked}, nil
}

// An application knows its users by number. Their IDs are these numbers as text.
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
