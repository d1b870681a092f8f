package authtoken

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtoken/authtoken/store"
)

// SetKey gives the token a key that was made elsewhere: at least 32 bytes
// unless [Config] says otherwise, at most 1024, without white space. The
// keys it had are refused from then on.
//
// It is for trusted code and superusers; for others the error matches
// [ErrForbidden]. Faults in the key are a [*ValidationError] about "key". Other
// errors are as for [Access.Update].
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
		// Stores keep current keys apart. A key that another token has had, and that
		// may be good still, is for us to look out for.
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

// setKey makes key the current one of r.
func (s *Service) setKey(r *store.Record, key Key) error {
	r.Digest = digestOf(key.Reveal())
	r.Sealed = nil
	if s.sealer == nil {
		return nil
	}
	pk := r.PK // or the whole record would have to be on the heap, sealer or not
	sealed, err := s.sealer.Encrypt([]byte(key.Reveal()), pk[:])
	if err != nil {
		return fmt.Errorf("seal key: %w", err)
	}
	r.Sealed = sealed
	return nil
}

// Reveal returns the key of the token. The error matches ErrNoSealer if the key
// can't be had: it is kept as a digest only, because there is no [Sealer] or was
// none when the key was made, or it was sealed with a secret that the Sealer does
// not have. Other errors are as for [Access.Update].
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
	if err := a.stillHeld(ctx, r.PK); err != nil {
		return Key{}, err
	}
	s.emitBy(ctx, EventRevealed, by, tokenOf(&r), now)
	return KeyOf(string(plain)), nil
}

// Reveals reports whether the keys of tokens made now can be shown again.
func (s *Service) Reveals() bool { return s.sealer != nil }

// Rotate gives the token a new key, which it returns, and lets the key it had
// stay good for as long as overlap says; zero is not at all. Nothing else about
// the token changes, and it lives no longer unless the policy has FixedAPILifetime.
// At most two keys are good at any time: rotating again ends the overlap before.
//
// A token remembers the digests of 17 replaced keys: the last one, and up to 16
// before it until they have been refused for Retention of [Policy]. At that bound
// a rotation through a key is [ErrForbidden]. For anybody else the oldest digest is
// forgotten, which is an event.
//
// A token that has expired stays expired, without FixedAPILifetime, and its new key is
// refused like the old one. A negative overlap is a [*ValidationError] about "overlap".
//
// What comes of a key that is used after its overlap is up to [Policy] and the
// [Observer].
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
		err = a.stillHeld(ctx, token.PK)
	}
	if err != nil {
		return Token{}, Key{}, err
	}
	return token, key, nil
}
