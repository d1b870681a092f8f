package authtoken

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/authtoken/authtoken/store"
)

// Principal is whom a key speaks for: its token, and the token's owner.
type Principal struct {
	Token Token
	User  User
}

// Authenticate returns whom key speaks for, if it is the key of a token that has
// not expired, whose intent is one of intents (any, if none are given), and
// whose owner is active. It costs one look into the store, and none for what
// can't be a key.
//
// For a key that is not accepted the error matches [ErrRefused] and says why, by
// matching [ErrKeyUnknown], [ErrKeyExpired], [ErrKeyRetired], [ErrKeyIntent] or
// [ErrUserInactive]. Keep that from whoever presented the key.
func (s *Service) Authenticate(ctx context.Context, key string, intents ...Intent) (Principal, error) {
	if !s.keys.plausible(key) {
		return Principal{}, ErrKeyUnknown
	}
	digest := digestOf(key)
	r, err := s.store.GetByDigest(ctx, digest)
	if errors.Is(err, store.ErrNotFound) {
		return Principal{}, ErrKeyUnknown
	}
	if err != nil {
		return Principal{}, fmt.Errorf("authenticate: %w", err)
	}
	token, now := tokenOf(&r), s.now()
	switch {
	case r.Digest != digest && !now.Before(r.RetiredUntil):
		return Principal{}, ErrKeyRetired
	case token.Expired(now):
		return Principal{}, ErrKeyExpired
	case len(intents) > 0 && !slices.Contains(intents, token.Intent):
		return Principal{}, ErrKeyIntent
	}
	owner, err := s.owner(ctx, r.User, nil)
	if err != nil {
		return Principal{}, fmt.Errorf("authenticate: %w", err)
	}
	if !owner.Active {
		return Principal{}, ErrUserInactive
	}
	return Principal{Token: token, User: owner}, nil
}
