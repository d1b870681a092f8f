package authtoken

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken/store"
)

// Access gives one actor access to tokens. The actor is trusted code, a person, or a
// key. All three have the same methods, which allow them different things:
//
//   - A [Service] has the access of trusted code. It sees every token and may do
//     everything that the [Policy] allows.
//   - [Service.As] returns the access of a person who has signed in. A superuser sees
//     and manages all tokens and may name any owner. Any other user sees only their
//     own tokens: others are [ErrNotFound]. Such a user owns what they create, and does
//     not choose Expiring.
//   - [Service.For] returns the access of a key. A key may do what its owner may,
//     but only within its own lifetime, scopes and networks.
//
// Each method looks up the actor when it is called. If the actor is nobody, the error
// matches [ErrForbidden]; if the user is not in the directory, [ErrUserNotFound]; if the
// user is not active, [ErrUserInactive].
//
// The zero Access can't be used. Every other Access is safe for concurrent use.
type Access struct {
	s     *Service
	proof proof // says who acts

	// actor is complete for trusted code. For a key it has only the owner whom the check
	// found. For others it is zero.
	actor actor
}

type actorKind uint8

const (
	nobody actorKind = iota
	trustedCode
	aPerson
	aKey
)

// actor is who acts, as of now. The zero actor is nobody.
type actor struct {
	trusted bool
	user    User // zero for trusted code

	// These are set if the actor is a key.
	via     uuid.UUID // PK of the key's token
	version int64     // of that token, when it was read
	intent  Intent    // of that token
	*bounds           // nil if there are none
}

// bounds limit which tokens a key may manage.
type bounds struct {
	ends     time.Time // when the key ends; zero if it never ends, or if the policy has UnboundedKeys
	limited  bool      // whether the key's scopes are limited
	scopes   Scopes    // those scopes
	manages  bool      // whether those scopes let the key manage tokens
	networks string    // where the key may come from, as its record has it
}

// bounded reports whether there are bounds.
func (b *bounds) bounded() bool { return b != nil }

// isLimited reports whether the key has limited scopes.
func (b *bounds) isLimited() bool { return b != nil && b.limited }

// alone reports whether the key may only read its own token.
func (b *bounds) alone() bool { return b.isLimited() && !b.manages }

// sees reports whether the actor may know that r exists.
func (by *actor) sees(r *store.Record) bool {
	return by.seesAll() || by.user.ID == r.User
}

// seesAll reports whether the actor may see every token.
func (by *actor) seesAll() bool { return by.trusted || by.user.Superuser && !by.isLimited() }

// As returns the access of the user with this ID. The application must have signed the
// user in. Each method looks up the user again. If the ID is empty, the actor is nobody.
func (s *Service) As(user string) *Access {
	return s.For(SignedIn(user))
}

var errNobody = fmt.Errorf("%w: nobody has signed in", ErrForbidden)

// reader returns who acts, for a method that changes nothing and reveals no key.
func (a *Access) reader(ctx context.Context) (*actor, error) {
	switch a.proof.kind {
	case trustedCode:
		return &a.actor, nil
	case aKey:
		now := a.s.now()
		if age := now.UnixMicro() - a.proof.checked; 0 <= age && age < justNow.Microseconds() && !a.proof.scopes().Limited() {
			return &a.actor, nil
		}
		return a.s.holder(ctx, &a.proof, now)
	case aPerson:
		return a.s.person(ctx, a.proof.user)
	default:
		return nil, errNobody
	}
}

// writer returns who acts, for a method that changes a token or reveals its key. It
// checks a key again, however short ago that was done.
func (a *Access) writer(ctx context.Context, now time.Time) (*actor, error) {
	if a.proof.kind != aKey {
		return a.reader(ctx)
	}
	by, err := a.s.holder(ctx, &a.proof, now)
	if err == nil && by.alone() {
		return nil, ErrForbidden
	}
	return by, err
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

// User returns the user who acts: for a key its owner, for trusted code the zero User.
func (a *Access) User(ctx context.Context) (User, error) {
	by, err := a.reader(ctx)
	if err != nil {
		return User{}, err
	}
	return by.user, nil
}

// SeesAll reports whether the actor sees and manages the tokens of all users: trusted
// code, and a superuser who does not act through a limited key.
func (a *Access) SeesAll(ctx context.Context) (bool, error) {
	by, err := a.reader(ctx)
	if err != nil {
		return false, err
	}
	return by.seesAll(), nil
}
