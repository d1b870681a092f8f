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
// Errors are as for [Service.Update]; faults in the key are reported about the
// field "key".
func (s *Service) SetKey(ctx context.Context, identifier, key string) error {
	return s.importKey(ctx, identifier, key, nil)
}

func (s *Service) importKey(ctx context.Context, identifier, key string, by *Caller) error {
	_, err := s.change(ctx, identifier, "", by, EventKeySet, func(r *store.Record, _ time.Time) error {
		if by != nil && !by.user.Superuser {
			return ErrForbidden
		}
		if fault := s.keys.checkImported(key); fault != nil {
			return &ValidationError{Fields: []FieldError{*fault}}
		}
		// Stores keep current keys apart. A key that another token has retired,
		// and that may be good still, is for us to look out for.
		switch other, err := s.store.GetByDigest(ctx, digestOf(key)); {
		case err == nil && other.PK != r.PK:
			var f faults
			f.addTaken(store.FieldDigest)
			return f.err()
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		}
		return s.setKey(r, Key{&key})
	})
	if err != nil {
		return fmt.Errorf("set key: %w", err)
	}
	return nil
}

// setKey makes key the only one of r.
func (s *Service) setKey(r *store.Record, key Key) error {
	r.Digest = digestOf(key.Reveal())
	r.Sealed = nil
	r.Retired, r.RetiredUntil = store.Digest{}, time.Time{}
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

// Reveal returns the key of the token. It returns ErrNoSealer if the token's
// key is kept as a digest only: because there is no [Sealer], or there was none
// when the key was made.
func (s *Service) Reveal(ctx context.Context, identifier string) (Key, error) {
	return s.reveal(ctx, identifier, nil)
}

// Reveals reports whether the keys of tokens made now can be shown again.
func (s *Service) Reveals() bool { return s.sealer != nil }

func (s *Service) reveal(ctx context.Context, identifier string, by *Caller) (Key, error) {
	r, err := s.read(ctx, identifier, by)
	if err == nil && (s.sealer == nil || len(r.Sealed) == 0) {
		err = ErrNoSealer
	}
	if err != nil {
		return Key{}, fmt.Errorf("reveal key: %w", err)
	}
	plain, err := s.sealer.Decrypt(r.Sealed, r.PK[:])
	if err != nil {
		return Key{}, fmt.Errorf("reveal key, which another sealer may have sealed: %w", err)
	}
	secret := string(plain)
	s.emitBy(ctx, EventRevealed, by, tokenOf(&r), s.now())
	return Key{&secret}, nil
}

// Rotate gives the token a new key, which it returns, and lets the key it had
// stay good for as long as overlap says; zero is not at all. Nothing else about
// the token changes, nor does it live any longer. At most two keys are good at
// any time: rotating again ends the overlap before.
//
// A token that has expired stays expired, and its new key is refused like the old
// one. A negative overlap is a [*ValidationError] about "overlap".
//
// What comes of a key that is used after its overlap is up to [Policy] and the
// [Observer].
func (s *Service) Rotate(ctx context.Context, identifier string, overlap time.Duration) (Token, Key, error) {
	return s.rotate(ctx, identifier, "", overlap, nil)
}

// RotateIf is Rotate if the token still has this [Token.Revision]. If it has
// another, it keeps its keys, and the error matches [ErrStale]: of two people who
// rotate it at once, the second learns of it rather than end the first's new key.
func (s *Service) RotateIf(ctx context.Context, identifier, revision string, overlap time.Duration) (Token, Key, error) {
	return s.rotate(ctx, identifier, revision, overlap, nil)
}

func (s *Service) rotate(ctx context.Context, identifier, revision string, overlap time.Duration, by *Caller) (Token, Key, error) {
	var key Key
	token, err := s.change(ctx, identifier, revision, by, EventRotated, func(r *store.Record, now time.Time) error {
		if overlap < 0 {
			return &ValidationError{Fields: []FieldError{{"overlap", CodeInvalid, "Ensure this value is greater than or equal to 0."}}}
		}
		key = s.keys.generate()
		retired := r.Digest
		if err := s.setKey(r, key); err != nil {
			return err
		}
		r.Retired, r.RetiredUntil = retired, now.Add(overlap.Truncate(time.Microsecond))
		return nil
	})
	if err != nil {
		return Token{}, Key{}, fmt.Errorf("rotate key: %w", err)
	}
	return token, key, nil
}

// Revoke deletes all tokens that fit f, in one go, and returns them. Their keys
// are refused from then on. f must set something besides the order, except for a
// caller who sees their own tokens only: to revoke everything there is, revoke
// each intent. A User of zero is any user, not none: look at a pk before it gets
// here.
func (s *Service) Revoke(ctx context.Context, f Filter) ([]Token, error) {
	return s.revoke(ctx, f, nil)
}

func (s *Service) revoke(ctx context.Context, f Filter, by *Caller) ([]Token, error) {
	if f.empty() && (by == nil || by.user.Superuser) {
		return nil, errors.New("revoke tokens: the filter is for all tokens there are")
	}
	q, err := s.query(ctx, &f, by)
	if err != nil {
		return nil, fmt.Errorf("revoke tokens: %w", err)
	}
	tokens, err := s.purge(ctx, q, EventRevoked, by, s.now())
	if err != nil {
		return nil, fmt.Errorf("revoke tokens: %w", err)
	}
	return tokens, nil
}
