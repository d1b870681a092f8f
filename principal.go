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
	user      int64
	digest    store.Digest
}

// SignedIn returns the principal of the user with this pk, who has signed in by
// other means than a key, such as a session. The application vouches for that.
// The user is looked up whenever the principal acts: see [Service.For].
func SignedIn(user int64) Principal { return Principal{proof: proof{kind: aPerson, user: user}} }

// Format writes the principal's user and token, without the digest of its key.
func (p Principal) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "user %d", max(p.proof.user, p.User.PK))
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
// Before each such act the token and its owner are read again, past the cache. A
// key that is not accepted any more is an error that matches [ErrRefused].
//
// The zero Principal, and any other that neither Check nor SignedIn made, is
// nobody.
func (s *Service) For(who Principal) *Access {
	a := &Access{s: s}
	p := &who.proof
	switch {
	case p.kind == aPerson:
		return s.As(p.user)
	case p.kind == aKey && who.User.PK == p.user && who.User.Superuser == p.superuser:
		a.kind, a.digest, a.actor.user = aKey, p.digest, who.User
	}
	return a
}

// holder returns whoever holds the key with this digest as an actor, if the key
// is still accepted.
func (s *Service) holder(ctx context.Context, digest store.Digest, now time.Time) (*actor, error) {
	r, err := s.store.GetByDigest(ctx, digest)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, ErrKeyUnknown
	case err != nil:
		return nil, err
	}
	if err := acceptable(&r, digest, []Intent{Intent(r.Intent)}, now); err != nil {
		return nil, err
	}
	by, err := s.person(ctx, r.User)
	if errors.Is(err, ErrUserNotFound) {
		return nil, ErrUserInactive
	}
	if err != nil {
		return nil, err
	}
	by.via, by.intent = r.PK, Intent(r.Intent)
	if !s.policy.UnboundedKeys {
		by.ends = end(&r, digest)
	}
	return by, nil
}
