package authtoken

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtoken/authtoken/store"
)

// SetKey gives the token a key that was made elsewhere. The key has at least 32 bytes,
// unless MinKeyLength of [Config] says otherwise, and at most 1,024. It must not contain
// white space or control characters. From then on the token's earlier keys are refused.
//
// Only trusted code and superusers may set keys. For others the error matches
// [ErrForbidden]. If the key has a fault, or another token has or had it, SetKey returns
// a [*ValidationError] about "key". Other errors are as for [Access.Update].
func (a *Access) SetKey(ctx context.Context, identifier, key string, conditions ...Condition) (err error) {
	defer wrap(&err, "set key")
	s := a.s
	_, err = a.change(ctx, identifier, conditions, EventKeySet, func(r *store.Record, by *actor, now time.Time) (EventKind, error) {
		if !by.seesAll() {
			return "", ErrForbidden
		}
		if err := s.keys.checkImported(key); err != nil {
			return "", err
		}
		// The store refuses only a key that is the current one of another token. That
		// token's earlier keys may still be valid too.
		switch other, err := s.store.GetByDigest(ctx, digestOf(key)); {
		case err == nil && other.PK != r.PK:
			return "", fault(FieldError{Field: "key", Code: CodeTaken})
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return "", err
		}
		return s.replaceKey(r, by, KeyOf(key), now, now)
	})
	return err
}

// setKey makes key the current key of r. It does not remember the one before.
func (s *Service) setKey(r *store.Record, key Key) error {
	r.Digest = digestOf(key.Reveal())
	r.Sealed = nil
	if s.sealer == nil {
		return nil
	}
	pk := r.PK // a copy, so that the whole record need not be on the heap
	sealed, err := s.sealer.Encrypt([]byte(key.Reveal()), pk[:])
	if err != nil {
		return fmt.Errorf("seal key: %w", err)
	}
	r.Sealed = sealed
	return nil
}

// Reveal returns the key of the token. The error matches [ErrNoSealer] if there is no
// [Sealer], if there was none when the key was made, or if the Sealer does not have the
// secret that sealed the key. Other errors are as for [Access.Delete].
func (a *Access) Reveal(ctx context.Context, identifier string) (key Key, err error) {
	defer wrap(&err, "reveal key")
	s, now := a.s, a.s.now()
	by, r, err := a.target(ctx, identifier, nil, now)
	switch {
	case err != nil:
		return Key{}, err
	case !s.policy.mayUse(by, &r):
		return Key{}, ErrForbidden
	case s.sealer == nil || len(r.Sealed) == 0:
		return Key{}, ErrNoSealer
	}
	plain, err := s.sealer.Decrypt(r.Sealed, r.PK[:])
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrNoSealer, err)
	}
	if err := a.stillHeld(ctx, tokenOf(&r)); err != nil {
		return Key{}, err
	}
	s.emitBy(ctx, EventRevealed, by, tokenOf(&r), now)
	return KeyOf(string(plain)), nil
}

// Reveals reports whether Reveal can return the keys of tokens that are made now.
func (s *Service) Reveals() bool { return s.sealer != nil }

// Rotate gives the token a new key and returns it. The previous key stays valid for
// overlap; zero means that it is refused at once. A negative overlap is a
// [*ValidationError] about "overlap". Other errors are as for [Access.Delete].
//
// Nothing else about the token changes. Its lifetime starts anew only if the [Policy] has
// FixedAPILifetime. Otherwise a token that has expired stays expired, and its new key is
// refused too.
//
// At most two keys are valid at any time: to rotate again ends the overlap before. A
// token remembers the digests of 17 replaced keys: the last one always, and 16 before it
// until each has been refused for Retention of the Policy. If there are more, Rotate
// forgets the oldest and sends EventForgotten. A key may not do that: the error matches
// [ErrForbidden].
//
// What happens if somebody uses a key after its overlap depends on RevokeOnReuse of the
// Policy.
func (a *Access) Rotate(ctx context.Context, identifier string, overlap time.Duration, conditions ...Condition) (token Token, key Key, err error) {
	defer wrap(&err, "rotate key")
	s := a.s
	token, err = a.change(ctx, identifier, conditions, EventRotated, func(r *store.Record, by *actor, now time.Time) (EventKind, error) {
		if overlap < 0 {
			return "", fault(FieldError{Field: "overlap", Code: CodeInvalid})
		}
		key = s.keys.generate()
		s.policy.renew(r, by, now)
		return s.replaceKey(r, by, key, now.Add(overlap.Truncate(time.Microsecond)), now)
	})
	if err == nil {
		err = a.stillHeld(ctx, token)
	}
	if err != nil {
		return Token{}, Key{}, err
	}
	return token, key, nil
}
