package authtoken

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// User is a user of the application: what the rules about tokens need to know,
// and no more.
type User struct {
	// ID is what the application knows the user by, such as a UUID, an email
	// address or a number: 1 to 255 characters. It is compared byte by byte, and
	// never changes.
	ID string

	Username  string // empty if users have none
	Active    bool   // the keys of a user who is not are refused
	Superuser bool   // sees and manages all tokens

	// Created is when the user was made. The keys of tokens that were made before
	// are refused. So if an id is given out again, its new user does not inherit the
	// old one's keys. Zero is not known: no key is refused for it.
	Created time.Time

	// MaxLifetime is the longest life that a token of this user may be given. It
	// goes before MaxLifetime of [Policy]. Zero is the policy's. Negative means that
	// a token may not live at all.
	MaxLifetime time.Duration

	// KeepsTokens makes the tokens that this user makes for themselves never
	// expire. It does not count for superusers, who choose.
	KeepsTokens bool
}

// olderToken reports whether the token of r was made before u was. It was an
// earlier user's then, with the same ID.
func (u *User) olderToken(r *store.Record) bool {
	return !u.Created.IsZero() && r.Created.UnixMicro() < u.Created.UnixMicro()
}

// Directory is where the application keeps its users. It is asked at each check
// of a key, and whenever a user does something. Its methods must be safe for
// concurrent use.
type Directory interface {
	// User returns the user with this ID. If there is none, the error matches
	// ErrUserNotFound.
	User(ctx context.Context, id string) (User, error)
}

// BatchDirectory is what a [Directory] is too if it can look up many users in one
// go. [Access.Owners] asks it once for all owners of a page.
type BatchDirectory interface {
	// Users returns the users with these IDs, by ID. It leaves out those that it
	// does not know. The IDs are distinct and in the order of [store.CompareUsers].
	Users(ctx context.Context, ids []string) (map[string]User, error)
}

// UserFinder is what a [Directory] is too if superusers can list tokens by the
// username of their owners.
type UserFinder interface {
	// UserNamed returns the ID of the user with exactly this username. If there is
	// none, the error matches ErrUserNotFound.
	UserNamed(ctx context.Context, username string) (string, error)

	// UsersMatching returns the IDs of the users in whose username part occurs,
	// case aside.
	UsersMatching(ctx context.Context, part string) ([]string, error)
}

// AnyUser is a [Directory] for applications that know their users elsewhere. It
// takes every ID for an active user without a name, who is no superuser.
type AnyUser struct{}

// User returns a user with this ID.
func (AnyUser) User(_ context.Context, id string) (User, error) {
	if !isUserID(id) {
		return User{}, fmt.Errorf("user %q: %w", id, ErrUserNotFound)
	}
	return User{ID: id, Active: true}, nil
}

const maxUserIDLength = 255 // characters

func isUserID(id string) bool {
	return id != "" && isText(id) && length(id) <= maxUserIDLength
}

// UserList is a [Directory] and [UserFinder] that holds its users in memory. It
// never changes. Make one with [NewUserList].
type UserList struct {
	users  map[string]User
	byName map[string]string
}

// NewUserList returns a directory of users. It is an error if an ID is not 1 to 255
// characters, or if an ID or a username occurs twice.
func NewUserList(users ...User) (*UserList, error) {
	l := &UserList{
		users:  make(map[string]User, len(users)),
		byName: make(map[string]string, len(users)),
	}
	for _, u := range users {
		if !isUserID(u.ID) {
			return nil, fmt.Errorf("user %q: ID %q is not 1 to %d characters", u.Username, u.ID, maxUserIDLength)
		}
		if _, ok := l.users[u.ID]; ok {
			return nil, fmt.Errorf("user %q: ID %q occurs twice", u.Username, u.ID)
		}
		if _, ok := l.byName[u.Username]; ok {
			return nil, fmt.Errorf("user %q: username %q occurs twice", u.ID, u.Username)
		}
		l.users[u.ID] = u
		if u.Username != "" {
			l.byName[u.Username] = u.ID
		}
	}
	return l, nil
}

// User returns the user with this ID.
func (l *UserList) User(_ context.Context, id string) (User, error) {
	u, ok := l.users[id]
	if !ok {
		return User{}, fmt.Errorf("user %q: %w", id, ErrUserNotFound)
	}
	return u, nil
}

// UserNamed returns the ID of the user with this username.
func (l *UserList) UserNamed(_ context.Context, username string) (string, error) {
	id, ok := l.byName[username]
	if !ok {
		return "", fmt.Errorf("user %q: %w", username, ErrUserNotFound)
	}
	return id, nil
}

// UsersMatching returns the IDs of the users in whose username part occurs.
func (l *UserList) UsersMatching(_ context.Context, part string) ([]string, error) {
	var ids []string
	for name, id := range l.byName {
		if store.ContainsFold(name, part) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, store.CompareUsers)
	return ids, nil
}
