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
func (a *Access) SetKey(ctx context.Context, identifier, key string, conditions ...Condition) error {
	s := a.s
	_, err := a.change(ctx, identifier, conditions, EventKeySet, func(r *store.Record, by *actor, now time.Time) (EventKind, error) {
		if !by.seesAll() {
			return "", ErrForbidden
		}
		if fault := s.keys.checkImported(key); fault != nil {
			return "", &ValidationError{Fields: []FieldError{*fault}}
		}
		// Stores keep current keys apart. A key that another token has had, and that
		// may be good still, is for us to look out for.
		switch other, err := s.store.GetByDigest(ctx, digestOf(key)); {
		case err == nil && other.PK != r.PK:
			var f faults
			f.addTaken(store.FieldDigest)
			return "", f.err()
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return "", err
		}
		return s.replaceKey(r, by, Key{&key}, now, now)
	})
	if err != nil {
		return fmt.Errorf("set key: %w", err)
	}
	return nil
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
func (a *Access) Reveal(ctx context.Context, identifier string) (Key, error) {
	key, err := a.reveal(ctx, identifier)
	if err != nil {
		return Key{}, fmt.Errorf("reveal key: %w", err)
	}
	return key, nil
}

// Reveals reports whether the keys of tokens made now can be shown again.
func (s *Service) Reveals() bool { return s.sealer != nil }

func (a *Access) reveal(ctx context.Context, identifier string) (Key, error) {
	s, now := a.s, a.s.now()
	by, err := a.writer(ctx, now)
	if err != nil {
		return Key{}, err
	}
	r, err := s.read(ctx, identifier, by, nil)
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
	secret := string(plain)
	s.emitBy(ctx, EventRevealed, by, tokenOf(&r), now)
	return Key{&secret}, nil
}

// Rotate gives the token a new key, which it returns, and lets the key it had
// stay good for as long as overlap says; zero is not at all. Nothing else about
// the token changes, nor does it live any longer. At most two keys are good at
// any time: rotating again ends the overlap before.
//
// A token remembers the digests of 17 replaced keys: the last one, and up to 16
// before it until they have been refused for Retention of [Policy]. At that bound
// a rotation through a key is [ErrForbidden]. For anybody else the oldest digest is
// forgotten, which is an event.
//
// A token that has expired stays expired, and its new key is refused like the old
// one. A negative overlap is a [*ValidationError] about "overlap".
//
// What comes of a key that is used after its overlap is up to [Policy] and the
// [Observer].
func (a *Access) Rotate(ctx context.Context, identifier string, overlap time.Duration, conditions ...Condition) (Token, Key, error) {
	var key Key
	s := a.s
	token, err := a.change(ctx, identifier, conditions, EventRotated, func(r *store.Record, by *actor, now time.Time) (EventKind, error) {
		if overlap < 0 {
			return "", &ValidationError{Fields: []FieldError{{"overlap", CodeInvalid, "Ensure this value is greater than or equal to 0."}}}
		}
		key = s.keys.generate()
		return s.replaceKey(r, by, key, now.Add(overlap.Truncate(time.Microsecond)), now)
	})
	if err != nil {
		return Token{}, Key{}, fmt.Errorf("rotate key: %w", err)
	}
	return token, key, nil
}

// Revoke deletes all tokens that fit f, in one go, and returns them. Their keys
// are refused from then on.
//
// Trusted code and superusers must say whose tokens: f names a User or a Username,
// or has AllUsers. So a user id that is empty by mistake is an error, not
// everybody. Anybody else revokes only their own. For a key that ends (see
// [Service.For]) the error matches [ErrForbidden].
func (a *Access) Revoke(ctx context.Context, f Filter) ([]Token, error) {
	tokens, err := a.revoke(ctx, &f)
	if err != nil {
		return nil, fmt.Errorf("revoke tokens: %w", err)
	}
	return tokens, nil
}

func (a *Access) revoke(ctx context.Context, f *Filter) ([]Token, error) {
	now := a.s.now()
	by, err := a.writer(ctx, now)
	switch {
	case err != nil:
		return nil, err
	case !by.ends.IsZero():
		return nil, ErrForbidden
	case by.seesAll() && f.User == 0 && f.Username == "" && !f.AllUsers:
		return nil, errors.New("the filter names no user; AllUsers is for the tokens of all")
	}
	q, err := a.s.query(ctx, f, by)
	if err != nil {
		return nil, err
	}
	return a.s.purge(ctx, q, EventRevoked, by, now)
}
