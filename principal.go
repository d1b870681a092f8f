package authtoken

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Principal is who sent a request. [Service.Check] makes one from a key, and [SignedIn]
// makes one from a user's ID. The zero Principal is nobody.
//
// Token and User are for the application to read. SignedIn leaves them zero. Changing them
// adds no rights: [Service.For] ignores it, or takes the principal for nobody.
type Principal struct {
	Token Token
	User  User

	proof proof
}

// proof says who acts. It is the part of a principal that [Service.For] trusts. Only this
// package sets it.
type proof struct {
	kind      actorKind
	superuser bool
	user      string

	// Check sets these.
	of      *origin      // of the service that checked the key
	digest  store.Digest // of the key
	intent  Intent       // of the key's token
	limits  *limits      // of the key's token; nil for ScopeAll from anywhere
	checked int64        // time of the check, in microseconds since 1970
}

// limits are what a check found out about a key that may not do everything, or that may
// not come from anywhere.
type limits struct {
	scopes Scopes
	from   string // where the key came from
}

// scopes returns the scopes of the key.
func (p *proof) scopes() Scopes {
	if p.limits == nil {
		return ScopeAll
	}
	return p.limits.scopes
}

// from returns where the key came from, if its token has Networks.
func (p *proof) from() string {
	if p.limits == nil {
		return ""
	}
	return p.limits.from
}

// origin identifies a service that New made, together with the services that WithStore
// derives from it. Its address is its identity.
type origin struct{ catalogue catalogue }

// justNow is how long after its check a key may read without being checked again.
const justNow = time.Second

// SignedIn returns the principal of the user with this ID. The application must have
// signed the user in by other means than a key, such as a session. The user is looked
// up each time the principal acts: see [Service.For].
func SignedIn(user string) Principal { return Principal{proof: proof{kind: aPerson, user: user}} }

// Can reports whether the key permits this scope: its token has the scope, or another one
// that implies it, or [ScopeAll]. Can(ScopeAll) reports whether the key may do everything
// that its owner may do. Can is false for a scope that the [Policy] does not list, for the
// zero Principal, and for a principal of [SignedIn]: only the application knows what a
// person may do.
//
// A scope is not a right of the user. The application must still ask whether the owner
// may do it.
func (p Principal) Can(scope string) bool {
	return p.proof.of != nil && p.proof.of.catalogue.permits(p.proof.scopes(), scope, p.proof.superuser)
}

type contextKey struct{}

// WithPrincipal returns a context that carries who. The guard of package httpadapter uses
// it, and so may tests of an application's handlers.
func WithPrincipal(ctx context.Context, who Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, who)
}

// PrincipalFrom returns the principal that ctx carries. It returns the zero Principal and
// false if ctx carries none.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	who, ok := ctx.Value(contextKey{}).(Principal)
	return who, ok
}

// Format writes the ID of the principal's user, and the identifier of the token if there
// is one. It never writes the digest of the key.
func (p Principal) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "user "+p.proof.user)
	if p.Token.Identifier != "" {
		_, _ = io.WriteString(f, " by token "+p.Token.Identifier)
	}
}

// For returns the access of a principal. For a principal of [SignedIn] it is the access
// that [Service.As] returns.
//
// For a principal of [Service.Check] it is the access of the key. The key of a token
// that never expires, has [ScopeAll] and no Networks may do what its owner may. Any other
// key is bounded. A key ends if its token expires, or if it was replaced and its overlap is
// running. A key is limited if its token has other scopes than ScopeAll.
//
//   - A bounded key creates, changes, rotates, reveals and deletes only tokens within it:
//     tokens that have the intent of its own token, expire no later than the key ends,
//     have no more scopes, and no wider Networks. Each of these Networks must be within a
//     single one of the key's. This must hold before and after the change. For any other
//     token the error matches [ErrForbidden].
//   - Parameters beyond the key are a [*ValidationError]. If they name no expiry, it is cut
//     to the end of the key. If they name no scopes or Networks, a new token gets those of
//     the key.
//   - A bounded key resumes no token, and [Access.Revoke] is forbidden.
//   - A limited key reads its own token. Everything else is forbidden, unless its scopes
//     include ManageScope of the [Policy]. Then it reads all tokens of its owner, and
//     manages those within it. It sees nobody else's, even if the owner is a superuser, and
//     never uses [Access.SetKey].
//
// Bounded keys that are not limited read everything that their owner may see. So nobody can
// use a key to get one that lives longer or does more. UnboundedKeys of the Policy lifts the
// limit of time.
//
// Before each such act, the Service reads the key's token and its owner again and does
// not use the cache. For a method that only reads, it does so if the check is more than
// a second old, or if the key is limited. If the key is no longer accepted, the error
// matches [ErrRefused]. No method returns a key after the acting key has been revoked: see
// [Access.Revoke].
//
// The actor is nobody for the zero Principal, for a principal that neither Check nor
// SignedIn made or whose User was changed, and for one that Check of another service made.
// A service that [Service.WithStore] derives counts as the same service.
func (s *Service) For(who Principal) *Access {
	a := &Access{s: s}
	p := &who.proof
	switch {
	case p.kind == aPerson:
		a.proof = *p
	case p.kind == aKey && p.of == s.origin && who.User.ID == p.user && who.User.Superuser == p.superuser:
		a.proof, a.actor.user = *p, who.User
	}
	return a
}

// held reads the token of a key that was checked before. It returns an error if the key
// is no longer accepted.
func (s *Service) held(ctx context.Context, p *proof, now time.Time) (store.Record, error) {
	r, err := s.store.GetByDigest(ctx, p.digest)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return r, ErrKeyUnknown
	case err != nil:
		return r, err
	}
	return r, acceptable(&r, p.digest, p.from(), []Intent{p.intent}, now)
}

// holder returns the actor that a key is, from what the store and the directory say now.
func (s *Service) holder(ctx context.Context, p *proof, now time.Time) (*actor, error) {
	r, err := s.held(ctx, p, now)
	if err != nil {
		return nil, err
	}
	u, err := s.lookUp(ctx, r.User)
	reason, err := ownerRefuses(&u, &r, err)
	switch {
	case reason != nil:
		return nil, reason
	case err != nil:
		return nil, fmt.Errorf("look up user %q: %w", r.User, err)
	}
	return &actor{
		user: u, via: r.PK, version: r.Version, intent: Intent(r.Intent), bounds: s.boundsOf(&r, p, u.Superuser),
	}, nil
}

// boundsOf returns the bounds of a key whose token r is, or nil if there are none.
func (s *Service) boundsOf(r *store.Record, p *proof, superuser bool) *bounds {
	b := bounds{scopes: Scopes(r.Scopes), networks: r.Networks}
	if b.limited = b.scopes.Limited(); b.limited {
		b.manages = s.policy.ManageScope != "" && s.policy.catalogue.permits(b.scopes, s.policy.ManageScope, superuser)
	}
	if !s.policy.UnboundedKeys {
		b.ends = end(r, p.digest)
	}
	if !b.limited && b.networks == anywhere && b.ends.IsZero() {
		return nil
	}
	return new(b)
}

// stillHeld returns an error if the actor is a key that is no longer accepted, or that t
// is no longer within. Methods that return a key of t call it after the store has written
// and before they return, since the acting key may be revoked or narrowed meanwhile. If t
// is the acting token itself, the check of its version has already ensured that.
func (a *Access) stillHeld(ctx context.Context, t Token) error {
	if a.proof.kind != aKey {
		return nil
	}
	r, err := a.s.held(ctx, &a.proof, a.s.now())
	switch {
	case r.PK == t.PK:
		return nil
	case err != nil:
		return err
	}
	by := actor{user: a.actor.user, intent: Intent(r.Intent), bounds: a.s.boundsOf(&r, &a.proof, a.actor.user.Superuser)}
	made := store.Record{
		Intent: string(t.Intent), Expires: t.Expires, Expiring: t.Expiring, Scopes: string(t.Scopes), Networks: networksText(t.Networks),
	}
	if by.alone() || !a.s.policy.holds(&by, &made) {
		return ErrForbidden
	}
	return nil
}
