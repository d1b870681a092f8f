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

// Authenticate returns whom key speaks for. The key must be that of a token that
// has not expired, whose intent is one of intents, and whose owner is active.
// Without intents, the intent must be IntentAPI; Intents()... accepts any, and an
// empty list none.
// Authenticate costs one look into the store, and none for text that can't be a
// key.
//
// For a key that is not accepted the error matches [ErrRefused] and says why, by
// matching [ErrKeyUnknown], [ErrKeyExpired], [ErrKeyRetired], [ErrKeyIntent] or
// [ErrUserInactive]. Keep that from whoever presented the key.
func (s *Service) Authenticate(ctx context.Context, key string, intents ...Intent) (Principal, error) {
	return s.check(ctx, key, nil, "", intents)
}

// Credentials are a key as a request presents it, and what is known beside it.
type Credentials struct {
	Key Key

	// Username, unless it is nil, is whom the key is said to belong to. If the
	// token's owner has another username, the key is refused.
	Username *string

	// From says where the key came from, usually a remote address. It is
	// noted with [Config.TrackLastUsed], and in the [Event] if the key is refused.
	From string
}

// Check is Authenticate for a key of which more is known. A key that is not its
// Username's matches [ErrKeyUser].
func (s *Service) Check(ctx context.Context, c Credentials, intents ...Intent) (Principal, error) {
	return s.check(ctx, c.Key.Reveal(), c.Username, cleanFrom(c.From), intents)
}

func (s *Service) check(ctx context.Context, key string, username *string, from string, intents []Intent) (who Principal, err error) {
	if intents == nil {
		intents = apiOnly
	}
	now := s.now()
	var r store.Record
	reason, err := s.find(ctx, &r, &who.proof.digest, key, intents, now)
	if reason == nil && err == nil {
		// Into its place at once: to copy users takes as long as to find tokens.
		who.User, err = s.lookUp(ctx, r.User)
		switch {
		case errors.Is(err, ErrUserNotFound), err == nil && !who.User.Active:
			reason, err = ErrUserInactive, nil
		case err == nil && who.User.olderToken(&r):
			reason = ErrKeyUser
		case err == nil && username != nil && *username != who.User.Username:
			reason = ErrKeyUser
		}
	}
	switch {
	case err != nil:
		return Principal{}, fmt.Errorf("authenticate: %w", err)
	case reason != nil:
		return Principal{}, s.refuse(ctx, reason, &r, who.proof.digest, from, now)
	}
	s.uses.note(&r, now, from)
	who.Token = tokenOf(&r)
	p := &who.proof
	p.kind, p.superuser, p.user, p.of = aKey, who.User.Superuser, who.User.ID, s.origin
	p.intent, p.checked = who.Token.Intent, now.UnixMicro()
	return who, nil
}

var apiOnly = []Intent{IntentAPI}

// find sets digest to that of key, and r to the record with this key. It returns
// why the key is not accepted, as far as its token goes, if it is not.
func (s *Service) find(ctx context.Context, r *store.Record, digest *store.Digest, key string, intents []Intent, now time.Time) (reason, err error) {
	if !s.keys.plausible(key) {
		return ErrKeyUnknown, nil
	}
	*digest = digestOf(key)
	if s.cache != nil {
		// Only what is accepted may be out of date: all else is looked at again.
		if cached, ok := s.cache.get(*digest, now); ok && acceptable(&cached, *digest, intents, now) == nil {
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
	reason = acceptable(r, *digest, intents, now)
	if reason == nil {
		s.cache.put(*digest, r, now, changes)
	}
	return reason, nil
}

// cleanFrom returns what of from a store can be asked to keep: it may come out
// of a header.
func cleanFrom(from string) string {
	const maxLength = 255
	if len(from) > maxLength {
		from = from[:maxLength]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(from, ""), "\x00", "")
}

// acceptable returns why the key with this digest, by which r was found, is not
// accepted, as far as its token goes.
func acceptable(r *store.Record, digest store.Digest, intents []Intent, now time.Time) error {
	switch {
	case r.Digest != digest && (r.Retired != digest || !now.Before(r.RetiredUntil)): // an earlier key has no overlap
		return ErrKeyRetired
	case expired(r.Expiring, r.Expires, now):
		return ErrKeyExpired
	case !slices.Contains(intents, Intent(r.Intent)):
		return ErrKeyIntent
	}
	return nil
}

// refuse tells of a key that is not accepted, and returns the error for its
// caller. r is the record it was found by, without a version if there is none.
func (s *Service) refuse(ctx context.Context, reason error, r *store.Record, digest store.Digest, from string, now time.Time) error {
	e := Event{Kind: EventRefused, Time: now, Reason: reason, From: from}
	if r.Version != 0 {
		e.Token = tokenOf(r)
	}
	s.emit(ctx, e)
	if errors.Is(reason, ErrKeyRetired) && s.policy.RevokeOnReuse {
		if err := s.revokeReused(context.WithoutCancel(ctx), *r, digest, now); err != nil {
			return fmt.Errorf("authenticate: revoke token: %w", err)
		}
	}
	return reason
}

// revokeReused deletes the token that r is of, even if it has changed since it was found
// by digest.
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
