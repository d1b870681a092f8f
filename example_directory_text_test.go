package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

// members is a directory over users who are known by text.
type members map[string]bool // whether a member is an administrator

func (m members) User(_ context.Context, id string) (authtoken.User, error) {
	admin, ok := m[id]
	if !ok {
		return authtoken.User{}, authtoken.ErrUserNotFound
	}
	return authtoken.User{ID: id, Active: true, Superuser: admin}, nil
}

// An application knows its users by text, such as an email address, a ULID or the
// subject that OpenID Connect gives. IDs are compared byte by byte.
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
