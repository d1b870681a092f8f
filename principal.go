package authtoken

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Principal is whom a request speaks for. [Service.Check] makes one from a key,
// and [SignedIn] one from a user. The zero Principal is nobody.
//
// Token and User are for reading. They are zero in a principal of SignedIn.
// Changing them gives nobody more rights.
type Principal struct {
	Token Token
	User  User

	proof proof
}

// proof is what makes a principal genuine.
type proof struct {
	kind      actorKind
	superuser bool
	user      string

	// These are set by a check.
	of      *origin      // the services that the key is good for
	digest  store.Digest // of the key
	intent  Intent       // of its token
	checked int64        // when, in microseconds since 1970
}

// origin is what a service has in common with those that WithStore derives from it,
// and with no other.
type origin struct{ _ byte }

// justNow is for how long the outcome of a check does for reading.
const justNow = time.Second

// SignedIn returns the principal of the user with this ID, who has signed in by
// other means than a key, such as a session. The application vouches for that.
// The user is looked up whenever the principal acts: see [Service.For].
func SignedIn(user string) Principal { return Principal{proof: proof{kind: aPerson, user: user}} }

// Format writes the principal's user and token, without the digest of its key.
func (p Principal) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "user "+p.proof.user)
	if p.Token.Identifier != "" {
		_, _ = io.WriteString(f, " by token "+p.Token.Identifier)
	}
}

// For returns the access of whoever a principal stands for. For a principal that
// [SignedIn] made it is [Service.As].
//
// For a principal that [Service.Check] made it is the access of the key, and so
// of the key's owner. The key of a token that never expires is as free as its
// owner. A key that ends, because its token expires or because it has been
// replaced and its overlap is running, is not. It reads all that its owner may
// see. But it creates, changes, rotates, reveals and deletes only tokens that
// have the intent of its own token and that expire no later than the key ends, both
// before and after the change. For any other token the error matches
// [ErrForbidden]. A later expiry in the parameters is a [*ValidationError]; an
// expiry that is not named is cut to the key's. [Access.Revoke] is forbidden. So
// a key can't be used to get one that lasts longer. UnboundedKeys of [Policy]
// lifts these limits.
//
// Before each such act the token and its owner are read again, past the cache, as
// they are for reading if the check was more than a second ago. A key that is not
// accepted any more is an error that matches [ErrRefused]. No key is handed out
// after the acting key has stopped being good: see [Access.Revoke].
//
// The zero Principal, any other that neither Check nor SignedIn made, and one that
// Check of another service made, is nobody. Services that [Service.WithStore]
// derives are the same service.
func (s *Service) For(who Principal) *Access {
	a := &Access{s: s}
	p := &who.proof
	switch {
	case p.kind == aPerson:
		return s.As(p.user)
	case p.kind == aKey && p.of == s.origin && who.User.ID == p.user && who.User.Superuser == p.superuser:
		a.kind, a.proof, a.actor.user = aKey, *p, who.User
	}
	return a
}

// held reads the token of a key that has been checked before. It is an error if the
// key is not accepted any more.
func (s *Service) held(ctx context.Context, p *proof, now time.Time) (store.Record, error) {
	r, err := s.store.GetByDigest(ctx, p.digest)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return r, ErrKeyUnknown
	case err != nil:
		return r, err
	}
	return r, acceptable(&r, p.digest, []Intent{p.intent}, now)
}

// holder returns whoever holds a key as an actor.
func (s *Service) holder(ctx context.Context, p *proof, now time.Time) (*actor, error) {
	r, err := s.held(ctx, p, now)
	if err != nil {
		return nil, err
	}
	by, err := s.person(ctx, r.User)
	switch {
	case errors.Is(err, ErrUserNotFound):
		return nil, ErrUserInactive
	case err != nil:
		return nil, err
	case by.user.olderToken(&r):
		return nil, ErrKeyUser
	}
	by.via, by.version, by.intent = r.PK, r.Version, Intent(r.Intent)
	if !s.policy.UnboundedKeys {
		by.ends = end(&r, p.digest)
	}
	return by, nil
}

// stillHeld returns an error if the actor is a key that is not accepted any more. It
// is asked between a change and the handing out of a key, since the acting key may
// have been revoked in between. A change of the acting token itself has seen to that.
func (a *Access) stillHeld(ctx context.Context, changed store.PK) error {
	if a.kind != aKey {
		return nil
	}
	r, err := a.s.held(ctx, &a.proof, a.s.now())
	if r.PK == changed {
		return nil
	}
	return err
}
