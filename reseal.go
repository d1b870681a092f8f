package authtoken

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtoken/authtoken/store"
)

// Resealed is what a call of [Service.Reseal] has done.
type Resealed struct {
	Done    int // keys that were sealed anew
	Current int // keys that were sealed with the current secret already

	// Failed are the tokens whose keys the Sealer can't open. They are as they
	// were: their keys are good, but can't be shown.
	Failed []Token

	// Cursor is where the next call is to go on; empty if there is nothing left.
	Cursor string
}

// Reseal seals keys anew, so that an older secret of the [Sealer] is needed no
// longer. It looks at up to limit tokens, from where cursor points: "" for the
// beginning, else the Cursor of the call before.
//
// It may be called while others work, from several processes, and again from
// the beginning after an interruption. Tokens that others make meanwhile are sealed
// with what those have for a current secret, so let every process have the new
// one first. Once a run from the beginning finds nothing but current keys,
// nothing needs the older secret.
//
// If the Sealer has the method Current of [AESSealer], Reseal leaves alone what
// is current already. Without it, as with an AEAD of Tink, it seals every key in
// every run, and counts none as Current; one run is enough then.
//
// A key that is sealed anew stays the same. The token gets another
// [Token.Revision], as with every change, and there is no event.
//
// If there is an error, what is returned along with it has been done, and its
// Cursor is where to try again. Without a Sealer the error matches [ErrNoSealer].
func (s *Service) Reseal(ctx context.Context, cursor string, limit int) (Resealed, error) {
	p := resealing{s: s, left: limit, Resealed: Resealed{Cursor: cursor}}
	if err := p.run(ctx); err != nil {
		return p.Resealed, fmt.Errorf("reseal keys: %w", err)
	}
	return p.Resealed, nil
}

// resealing is a call of Reseal that is under way.
type resealing struct {
	Resealed
	s     *Service
	left  int           // how many tokens to look at yet
	after *store.Record // the last one that was looked at
}

// byPK is an order that no change of a token touches, so that none is missed.
var byPK = []store.Order{{Field: store.FieldPK}}

func (p *resealing) run(ctx context.Context) (err error) {
	if p.s.sealer == nil {
		return ErrNoSealer
	}
	if p.left < 1 {
		return fmt.Errorf("limit is %d, not positive", p.left)
	}
	if p.Cursor != "" {
		if p.after, err = parseCursor(p.Cursor, byPK); err != nil {
			return err
		}
	}
	more := true
	for more && p.left > 0 {
		err := retry(ctx, false, func() error {
			left := p.left
			var err error
			if more, err = p.piece(ctx); errors.Is(err, store.ErrStale) && p.left < left {
				more, err = true, nil // it got ahead, so this is no attempt in vain
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if !more {
		p.Cursor = ""
	}
	return nil
}

// piece reads some tokens and deals with them, and reports whether there are
// more. With ErrStale, one has changed meanwhile, and the next piece begins with it.
func (p *resealing) piece(ctx context.Context) (more bool, err error) {
	size := min(p.left, 200)
	records, err := p.s.store.List(ctx, store.Query{Order: byPK, After: p.after, Limit: size})
	if err != nil {
		return false, err
	}
	for i := range records {
		r := &records[i]
		if err := p.reseal(ctx, *r); err != nil {
			return false, err
		}
		if p.Cursor, err = formatCursor(r, byPK); err != nil {
			return false, err
		}
		p.after = r
		p.left--
	}
	return len(records) == size, nil
}

// reseal seals the key of r anew, if it has to be.
func (p *resealing) reseal(ctx context.Context, r store.Record) error {
	if len(r.Sealed) == 0 {
		return nil
	}
	if sealer, ok := p.s.sealer.(interface{ Current(_, _ []byte) bool }); ok && sealer.Current(r.Sealed, r.PK[:]) {
		p.Resealed.Current++
		return nil
	}
	plain, err := p.s.sealer.Decrypt(r.Sealed, r.PK[:])
	if err != nil {
		p.Failed = append(p.Failed, tokenOf(&r))
		return nil
	}
	before := r
	if r.Sealed, err = p.s.sealer.Encrypt(plain, r.PK[:]); err != nil {
		return fmt.Errorf("seal key: %w", err)
	}
	err = p.s.store.Update(ctx, r)
	p.s.changed.forget(before)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // it was deleted
	case err != nil:
		return err
	}
	p.Done++
	return nil
}
