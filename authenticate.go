package authtoken

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Authenticate returns the principal of a key. It accepts the key if the key's token has
// not expired and has one of the intents, and if the token's owner is active. Without
// intents, the intent must be IntentAPI. Intents()... accepts every intent, and a list
// that is empty but not nil accepts none.
//
// Authenticate does not know where the key comes from, so it refuses the key of a token
// that has Networks: use [Service.Check]. It accepts tokens with any scopes: ask
// [Principal.Can].
//
// Authenticate reads the store at most once, and not at all for text that can't be a key.
// RevokeOnReuse of [Policy] can make it delete a token.
//
// If the key is not accepted, the error matches [ErrRefused], and one of
// [ErrKeyUnknown], [ErrKeyExpired], [ErrKeyRetired], [ErrKeySuspended], [ErrKeyAddress],
// [ErrKeyIntent], [ErrKeyUser] and [ErrUserInactive] to say why. Do not tell the client
// why.
func (s *Service) Authenticate(ctx context.Context, key string, intents ...Intent) (Principal, error) {
	return s.check(ctx, key, &Credentials{}, intents)
}

// Credentials are the key that a request carries, and what else is known about the
// request.
type Credentials struct {
	Key Key

	// Username is the username that the request names beside the key. If the token's owner
	// has another one, the key is refused. Nil means that the request names none.
	Username *string

	// From says where the request came from, usually a remote address. It is stored with
	// [Config.TrackLastUsed], and is in the [Event] if the key is refused. May be empty. The
	// key of a token that has Networks is refused unless From is an IP address in one of
	// them, with or without a port.
	From string

	// Scopes names the scopes that the request needs, all of them. Nil accepts every token,
	// and the caller asks [Principal.Can]. Empty but not nil accepts only tokens that may do
	// everything that their owner may do.
	Scopes []string
}

// Check is [Service.Authenticate] with more of what a request says. If Username is not
// the owner's, the error matches [ErrKeyUser]. If the key lacks one of Scopes, it matches
// [ErrKeyScope].
func (s *Service) Check(ctx context.Context, c Credentials, intents ...Intent) (Principal, error) {
	return s.check(ctx, c.Key.Reveal(), &c, intents)
}

func (s *Service) check(ctx context.Context, key string, c *Credentials, intents []Intent) (who Principal, err error) {
	if intents == nil {
		intents = apiOnly
	}
	now := s.now()
	var r store.Record
	reason, err := s.findRecord(ctx, &r, &who.proof.digest, key, c.From, intents, now)
	if reason == nil && err == nil {
		// Assign into the result directly: copying a User costs as much as the look-up.
		who.User, err = s.lookUp(ctx, r.User)
		reason, err = ownerRefuses(&who.User, &r, err)
		switch {
		case reason != nil || err != nil:
		case c.Username != nil && *c.Username != who.User.Username:
			reason = ErrKeyUser
		case c.Scopes != nil && !s.policy.catalogue.permitsAll(Scopes(r.Scopes), c.Scopes, who.User.Superuser):
			reason = ErrKeyScope
		}
	}
	switch {
	case err != nil:
		return Principal{}, fmt.Errorf("authenticate: %w", err)
	case reason != nil:
		return Principal{}, s.refuse(ctx, reason, &r, who.proof.digest, cleanFrom(c.From), now)
	}
	s.uses.note(&r, now, cleanFrom(c.From))
	who.Token.set(&r)
	p := &who.proof
	p.kind, p.superuser, p.user, p.of = aKey, who.User.Superuser, who.User.ID, s.origin
	p.intent, p.checked = who.Token.Intent, now.UnixMicro()
	if who.Token.Scopes.Limited() || r.Networks != anywhere {
		p.limits = &limits{who.Token.Scopes, c.From}
	}
	return who, nil
}

var apiOnly = []Intent{IntentAPI}

// findRecord sets digest to the digest of key, and r to the record with this key. If the token
// does not let the key be accepted, it returns the reason. It does not look at the owner.
func (s *Service) findRecord(ctx context.Context, r *store.Record, digest *store.Digest, key, from string, intents []Intent, now time.Time) (reason, err error) {
	if !s.keys.plausible(key) {
		return ErrKeyUnknown, nil
	}
	*digest = digestOf(key)
	if s.cache != nil {
		// A cached record may only say yes. To say no, read the store.
		if cached, ok := s.cache.get(*digest, now); ok && acceptable(&cached, *digest, from, intents, now) == nil {
			*r = cached
			return nil, nil
		}
	}
	changes := s.cache.count()
	*r, err = s.store.GetByDigest(ctx, *digest)
	if errors.Is(err, store.ErrNotFound) {
		*r = store.Record{}
		return ErrKeyUnknown, nil
	}
	if err != nil {
		return nil, err
	}
	reason = acceptable(r, *digest, from, intents, now)
	if reason == nil {
		s.cache.put(*digest, r, now, changes)
	}
	return reason, nil
}

// cleanFrom makes from, which may come from a header, a text that a store can keep.
func cleanFrom(from string) string {
	const maxLength = 255
	if len(from) > maxLength {
		from = from[:maxLength]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(from, ""), "\x00", "")
}

// acceptable returns nil if r, which was found by this digest, lets the key be accepted,
// and the reason otherwise. It does not look at the owner.
func acceptable(r *store.Record, digest store.Digest, from string, intents []Intent, now time.Time) error {
	switch {
	case r.Digest != digest && (r.Retired != digest || !now.Before(r.RetiredUntil)): // keys before the retired one have no overlap
		return ErrKeyRetired
	case expired(r.Expiring, r.Expires, now):
		return ErrKeyExpired
	case r.State != store.StateActive:
		return ErrKeySuspended
	case r.Networks != anywhere && !fromWithin(r, ParseFrom(from)):
		return ErrKeyAddress
	case !slices.Contains(intents, Intent(r.Intent)):
		return ErrKeyIntent
	}
	return nil
}

// ownerRefuses returns why the owner of r keeps its keys from being accepted. u and err are
// what looking up the owner has returned. Any other error comes back as it is.
func ownerRefuses(u *User, r *store.Record, err error) (reason, failure error) {
	switch {
	case errors.Is(err, ErrUserNotFound), err == nil && !u.Active:
		return ErrUserInactive, nil
	case err == nil && u.olderToken(r):
		return ErrKeyUser, nil
	}
	return nil, err
}

// refuse reports a key that is not accepted, and returns the error for the caller. r is
// the record of the key, or zero if there is none.
func (s *Service) refuse(ctx context.Context, reason error, r *store.Record, digest store.Digest, from string, now time.Time) error {
	e := Event{Kind: EventRefused, Time: now, Reason: reason, From: from}
	if r.Version != 0 {
		e.Token = tokenOf(r)
	}
	s.emit(ctx, e)
	if errors.Is(reason, ErrKeyRetired) && s.policy.RevokeOnReuse && !locked(r) {
		if err := s.revokeReused(context.WithoutCancel(ctx), *r, digest, now); err != nil {
			return fmt.Errorf("authenticate: revoke token: %w", err)
		}
	}
	return reason
}

// revokeReused deletes the token of r, which was found by this digest, even if it has
// changed meanwhile.
func (s *Service) revokeReused(ctx context.Context, r store.Record, digest store.Digest, now time.Time) error {
	err := retry(ctx, false, func() error {
		if err := s.remove(ctx, &r); err != nil {
			return s.readAgain(ctx, &r, digest, err)
		}
		s.emit(ctx, Event{Kind: EventRevoked, Time: now, Token: tokenOf(&r), Reason: ErrKeyRetired})
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil // gone already
	}
	return err
}
