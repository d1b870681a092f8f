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
func (s *Service) Reseal(ctx context.Context, cursor string, limit int) (did Resealed, err error) {
	defer wrap(&err, "reseal keys")
	did.Cursor = cursor
	if s.sealer == nil {
		return did, ErrNoSealer
	}
	if limit < 1 {
		return did, fmt.Errorf("limit is %d, not positive", limit)
	}
	q := store.Query{Order: []store.Order{{Field: store.FieldPK}}} // no change of a token touches this order, so none is missed
	if q.After, err = parseCursor(cursor, q.Order); err != nil {
		return did, err
	}
	for limit > 0 {
		q.Limit = min(limit, 200)
		records, err := s.store.List(ctx, q)
		if err != nil {
			return did, err
		}
		for i := range records {
			if err := s.reseal(ctx, records[i], &did); err != nil {
				return did, err
			}
			if did.Cursor, err = formatCursor(&records[i], q.Order); err != nil {
				return did, err
			}
		}
		if len(records) < q.Limit {
			did.Cursor = ""
			break
		}
		q.After = &records[len(records)-1]
		limit -= len(records)
	}
	return did, nil
}

// reseal seals the key of r anew, if it has to be, and counts it in did.
func (s *Service) reseal(ctx context.Context, r store.Record, did *Resealed) error {
	return retry(ctx, false, func() error {
		if len(r.Sealed) == 0 {
			return nil
		}
		if sealer, ok := s.sealer.(interface{ Current(_, _ []byte) bool }); ok && sealer.Current(r.Sealed, r.PK[:]) {
			did.Current++
			return nil
		}
		plain, err := s.sealer.Decrypt(r.Sealed, r.PK[:])
		if err != nil {
			did.Failed = append(did.Failed, tokenOf(&r))
			return nil
		}
		after := r
		if after.Sealed, err = s.sealer.Encrypt(plain, r.PK[:]); err != nil {
			return fmt.Errorf("seal key: %w", err)
		}
		err = s.replace(ctx, &r, after)
		if err == nil {
			did.Done++
			return nil
		}
		if err = s.readAgain(ctx, &r, r.Digest, err); errors.Is(err, store.ErrNotFound) {
			return nil // it was deleted
		}
		return err
	})
}
