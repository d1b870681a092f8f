package authtoken

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/authtoken/authtoken/store"
)

// User is a user of the application, as far as the rules about tokens need to know.
type User struct {
	// ID identifies the user in the application, such as a UUID, an email address or a
	// number. It has 1 to 255 characters, is compared byte by byte, and never changes.
	ID string

	Username  string // may be empty
	Active    bool   // the keys of an inactive user are refused
	Superuser bool   // sees and manages the tokens of all users

	// Created is when the user was made. Keys of tokens made before that time are
	// refused. So when an ID is reused, the new user does not inherit the old user's
	// keys. Zero means not known: then no key is refused for this reason.
	Created time.Time

	// MaxLifetime is the longest lifetime of the user's tokens. It overrides MaxLifetime
	// of the [Policy]. Zero means that the Policy decides. If it is negative, each token
	// has expired when it is made.
	MaxLifetime time.Duration

	// KeepsTokens means that the tokens which this user makes for themselves never
	// expire. It does not apply to superusers, who choose Expiring.
	KeepsTokens bool
}

// olderToken reports whether r was made before u was. If so, r belonged to an earlier
// user with the same ID.
func (u *User) olderToken(r *store.Record) bool {
	return !u.Created.IsZero() && r.Created.UnixMicro() < u.Created.UnixMicro()
}

// Directory looks up the application's users. The Service asks it at each check of a
// key, and whenever a user does something. Its methods must be safe for concurrent use.
type Directory interface {
	// User returns the user with this ID. If no such user exists, the error must match
	// ErrUserNotFound.
	User(ctx context.Context, id string) (User, error)
}

// BatchDirectory is an optional interface of a [Directory]. It looks up many users with
// one call, so that [Access.Owners] needs only one for all owners of a page.
type BatchDirectory interface {
	// Users returns the users with these IDs, by ID. It leaves out IDs that no user
	// has. The IDs are distinct and in the order of [store.CompareUsers].
	Users(ctx context.Context, ids []string) (map[string]User, error)
}

// UserFinder is an optional interface of a [Directory]. With it, trusted code and
// superusers can list tokens by the usernames of their owners.
type UserFinder interface {
	// UserNamed returns the ID of the user with exactly this username. If no such user
	// exists, the error must match ErrUserNotFound.
	UserNamed(ctx context.Context, username string) (string, error)

	// UsersMatching returns the IDs of the users whose username contains part, ignoring
	// case.
	UsersMatching(ctx context.Context, part string) ([]string, error)
}

// AnyUser is a [Directory] for applications that manage their users elsewhere. To it,
// every valid ID is an active user without a username, who is not a superuser.
type AnyUser struct{}

// User returns a user with this ID. If id is not 1 to 255 characters, the error matches
// ErrUserNotFound.
func (AnyUser) User(_ context.Context, id string) (User, error) {
	if !isUserID(id) {
		return User{}, fmt.Errorf("user %q: %w", id, ErrUserNotFound)
	}
	return User{ID: id, Active: true}, nil
}

const maxUserIDLength = 255 // characters

func isUserID(id string) bool {
	for i := range len(id) {
		if c := id[i]; c == 0 || c >= utf8.RuneSelf { // not as in nearly every ID
			return isText(id) && length(id) <= maxUserIDLength
		}
	}
	return id != "" && len(id) <= maxUserIDLength
}

// UserList is a [Directory] and [UserFinder] that holds its users in memory. Make one
// with [NewUserList]. It never changes, and is safe for concurrent use. The zero
// UserList has no users.
type UserList struct {
	users  map[string]User
	byName map[string]string
}

// NewUserList returns a directory of these users. It returns an error if an ID is not 1
// to 255 characters, or if two users have the same ID or username. Any number of users
// may have no username.
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

// User returns the user with this ID. If no such user exists, the error matches
// ErrUserNotFound.
func (l *UserList) User(_ context.Context, id string) (User, error) {
	u, ok := l.users[id]
	if !ok {
		return User{}, fmt.Errorf("user %q: %w", id, ErrUserNotFound)
	}
	return u, nil
}

// UserNamed returns the ID of the user with exactly this username. If no such user
// exists, the error matches ErrUserNotFound.
func (l *UserList) UserNamed(_ context.Context, username string) (string, error) {
	id, ok := l.byName[username]
	if !ok {
		return "", fmt.Errorf("user %q: %w", username, ErrUserNotFound)
	}
	return id, nil
}

// UsersMatching returns the IDs of the users whose username contains part, ignoring case.
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
