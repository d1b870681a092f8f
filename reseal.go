package authtoken

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtoken/authtoken/store"
)

// Resealed says what a call of [Service.Reseal] has done.
type Resealed struct {
	Done    int // keys that were sealed anew
	Current int // keys that the current secret had sealed already

	// Failed are the tokens whose keys the Sealer can't open. They are unchanged: their
	// keys are valid, but can't be revealed.
	Failed []Token

	// Cursor is where the next call goes on. It is empty once a call has found fewer tokens
	// than it may look at.
	Cursor string
}

// Reseal seals keys anew with the current secret of the [Sealer], so that an older secret
// can be removed. It looks at up to limit tokens, starting at cursor: "" for the
// beginning, or the Cursor that the previous call returned.
//
// Reseal may run while tokens are in use, in several processes at once, and again from
// the beginning after an interruption. Another process seals new keys with its own
// current secret, so give every process the new secret first. When a run from the
// beginning finds only current keys, the older secret is no longer needed.
//
// If the Sealer has a method Current like that of [AESSealer], Reseal leaves current keys
// as they are. Without it, as with an AEAD of Tink, Reseal seals every key in every run
// and counts none as Current. Then one run is enough.
//
// Reseal does not change the key itself. The token gets a new [Token.Revision], as with
// every change. No event is sent.
//
// If Reseal returns an error, the Resealed says what was done before it, and its Cursor is
// where to continue. Without a Sealer, the error matches [ErrNoSealer].
func (s *Service) Reseal(ctx context.Context, cursor string, limit int) (did Resealed, err error) {
	defer wrap(&err, "reseal keys")
	did.Cursor = cursor
	if s.sealer == nil {
		return did, ErrNoSealer
	}
	if limit < 1 {
		return did, fmt.Errorf("limit is %d, not positive", limit)
	}
	q := store.Query{Order: []store.Order{{Field: store.FieldPK}}} // never changes, so no token is missed
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

// reseal seals the key of r anew, unless it is current, and counts it in did.
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
