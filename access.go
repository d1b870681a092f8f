package authtoken

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken/store"
)

// Access is access to tokens for one actor: trusted code, a person, or a key.
// All three have the same methods.
//
//   - A [Service] is the access of trusted code. It sees every token and may do
//     whatever the [Policy] allows at all.
//   - [Service.As] is the access of a person who has signed in. A superuser sees
//     and manages all tokens and may name any owner. Anybody else sees only their
//     own tokens (any other is [ErrNotFound]), owns what they create, and does not
//     choose Expiring.
//   - [Service.For] is the access of whoever holds a key. It is that of the key's
//     owner, less what would outlast the key: see [Service.For].
//
// Each method looks up the actor when it is called. An actor who is nobody gets
// an error that matches [ErrForbidden]. A user who is not in the directory gets
// [ErrUserNotFound], and one who is not active [ErrUserInactive].
//
// The zero Access can't be used. Every other one is safe for concurrent use.
type Access struct {
	s    *Service
	kind actorKind

	// actor is trusted code, the ID of a person, or what a check has found out about
	// the owner of a key.
	actor actor
	proof proof // of a key; zero for all others
}

type actorKind uint8

const (
	nobody actorKind = iota
	trustedCode
	aPerson
	aKey
)

// actor is who acts, at one moment. The zero actor is nobody.
type actor struct {
	trusted bool
	user    User // zero for trusted code

	// These are set if the actor is a key.
	via     uuid.UUID // the token it is of
	version int64     // of that token, when it was read
	intent  Intent    // of that token
	ends    time.Time // when the key ends; zero if it never does, or if the policy says that this does not matter
}

// sees reports whether the actor may know of r.
func (by *actor) sees(r *store.Record) bool {
	return by.trusted || by.user.Superuser || by.user.ID == r.User
}

// seesAll reports whether the actor may know of every token.
func (by *actor) seesAll() bool { return by.trusted || by.user.Superuser }

// As returns the access of the user with this ID, who has signed in. The
// application vouches for that. The user is looked up whenever something is done.
func (s *Service) As(user string) *Access {
	return &Access{s: s, kind: aPerson, actor: actor{user: User{ID: user}}}
}

var errNobody = fmt.Errorf("%w: nobody has signed in", ErrForbidden)

// reader returns who acts, for an act that changes nothing.
func (a *Access) reader(ctx context.Context) (*actor, error) {
	switch a.kind {
	case trustedCode:
		return &a.actor, nil
	case aKey:
		now := a.s.now()
		if age := now.UnixMicro() - a.proof.checked; 0 <= age && age < justNow.Microseconds() {
			return &a.actor, nil
		}
		return a.s.holder(ctx, &a.proof, now)
	case aPerson:
		return a.s.person(ctx, a.actor.user.ID)
	default:
		return nil, errNobody
	}
}

// writer returns who acts, for an act that changes a token or shows its key.
func (a *Access) writer(ctx context.Context, now time.Time) (*actor, error) {
	if a.kind == aKey {
		return a.s.holder(ctx, &a.proof, now)
	}
	return a.reader(ctx)
}

// person returns the user with this ID as an actor.
func (s *Service) person(ctx context.Context, id string) (*actor, error) {
	if id == "" {
		return nil, errNobody
	}
	u, err := s.lookUp(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look up user %q: %w", id, err)
	}
	if !u.Active {
		return nil, ErrUserInactive
	}
	return &actor{user: u}, nil
}

// User returns the user who acts. It is the zero User for trusted code.
func (a *Access) User(ctx context.Context) (User, error) {
	by, err := a.reader(ctx)
	if err != nil {
		return User{}, err
	}
	return by.user, nil
}
