package authtoken

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken/store"
)

// User is a user of the application. What decides about tokens is PK, Active,
// Superuser and Attributes; all else is for showing.
type User struct {
	PK       int64 // positive
	Username string
	Name     string
	Email    string

	Active    bool // keys of a user who is not are refused
	Superuser bool // sees and manages all tokens

	// Attributes hold anything; see [AttributeExpires] and
	// [AttributeMaximumLifetime] for those that mean something here.
	Attributes map[string]any

	Groups []Group
	Roles  []Role

	UUID   uuid.UUID
	UID    string
	Avatar string // a URL
	Path   string // authentik's folder for users; empty shows as "users"
	Type   string // "internal", "external", "service_account" or "internal_service_account"; anything else shows as "internal"

	DateJoined         time.Time
	LastLogin          time.Time // zero for never
	LastUpdated        time.Time
	PasswordChangeDate time.Time
}

// Group is a group of users. It is shown, and decides nothing.
type Group struct {
	PK         uuid.UUID
	NumPK      int64
	Name       string
	Superuser  bool
	Parent     uuid.UUID // zero for none
	ParentName string
	Attributes map[string]any
}

// Role is a role that a user has. It is shown, and decides nothing.
type Role struct {
	PK   uuid.UUID
	Name string
}

// Attributes of a user that decide about their tokens, by the names authentik
// gives them.
const (
	// AttributeExpires, if it is false, makes tokens that the user makes for
	// themselves not expire.
	AttributeExpires = "goauthentik.io/user/token-expires"

	// AttributeMaximumLifetime is the longest life a token of the user may be
	// given, in the manner of "days=1;hours=2;minutes=30"; the units are
	// weeks, days, hours, minutes, seconds, milliseconds and microseconds.
	AttributeMaximumLifetime = "goauthentik.io/user/token-maximum-lifetime"
)

// Directory is where the application keeps its users. Its methods must be safe
// for concurrent use.
type Directory interface {
	// User returns the user with this pk. If there is none, the error matches
	// ErrUserNotFound.
	User(ctx context.Context, pk int64) (User, error)
}

// UserFinder is what a [Directory] is too if superusers can list tokens by the
// username of their owners.
type UserFinder interface {
	// UserNamed returns the pk of the user with exactly this username. If there
	// is none, the error matches ErrUserNotFound.
	UserNamed(ctx context.Context, username string) (int64, error)

	// UsersMatching returns the pks of the users in whose username part occurs,
	// case aside.
	UsersMatching(ctx context.Context, part string) ([]int64, error)
}

// BatchDirectory is what a [Directory] is too if it can look up many users at
// once, as a database can. A list of tokens then costs one question for all of their
// owners.
type BatchDirectory interface {
	// Users returns the users with these pks, by pk. Those that do not exist are
	// not in the map. The pks are in ascending order and different from each
	// other. There is at least one, and at most as many as a page of a list has
	// tokens.
	Users(ctx context.Context, pks []int64) (map[int64]User, error)
}

// AnyUser is a [Directory] for applications that know their users elsewhere: it
// accepts every positive pk as an active user without a name, who is no
// superuser.
type AnyUser struct{}

// User returns a user with this pk.
func (AnyUser) User(_ context.Context, pk int64) (u User, err error) {
	if pk <= 0 {
		return User{}, fmt.Errorf("user %d: %w", pk, ErrUserNotFound)
	}
	u.PK, u.Active = pk, true
	return u, nil
}

// UserList is a [Directory] and [UserFinder] that holds its users in memory. It
// never changes.
type UserList struct {
	users  map[int64]User
	byName map[string]int64
}

// NewUserList returns a directory of users. It is an error if a pk is not
// positive or occurs twice, or if a username does.
func NewUserList(users ...User) (*UserList, error) {
	l := &UserList{
		users:  make(map[int64]User, len(users)),
		byName: make(map[string]int64, len(users)),
	}
	for _, u := range users {
		if u.PK <= 0 {
			return nil, fmt.Errorf("user %q: pk %d is not positive", u.Username, u.PK)
		}
		if _, ok := l.users[u.PK]; ok {
			return nil, fmt.Errorf("user %q: pk %d occurs twice", u.Username, u.PK)
		}
		if _, ok := l.byName[u.Username]; ok {
			return nil, fmt.Errorf("user %d: username %q occurs twice", u.PK, u.Username)
		}
		l.users[u.PK] = u
		if u.Username != "" {
			l.byName[u.Username] = u.PK
		}
	}
	return l, nil
}

// User returns the user with this pk.
func (l *UserList) User(_ context.Context, pk int64) (User, error) {
	u, ok := l.users[pk]
	if !ok {
		return User{}, fmt.Errorf("user %d: %w", pk, ErrUserNotFound)
	}
	return u, nil
}

// UserNamed returns the pk of the user with this username.
func (l *UserList) UserNamed(_ context.Context, username string) (int64, error) {
	pk, ok := l.byName[username]
	if !ok {
		return 0, fmt.Errorf("user %q: %w", username, ErrUserNotFound)
	}
	return pk, nil
}

// UsersMatching returns the pks of the users in whose username part occurs.
func (l *UserList) UsersMatching(_ context.Context, part string) ([]int64, error) {
	var pks []int64
	for name, pk := range l.byName {
		if store.ContainsFold(name, part) {
			pks = append(pks, pk)
		}
	}
	slices.Sort(pks)
	return pks, nil
}
