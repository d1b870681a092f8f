package authtoken

import (
	"fmt"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// maxEarlier is how many keys a token remembers, besides the current key and the one that
// was replaced last.
const maxEarlier = 16

// replaceKey gives r a new key on behalf of by. The key it replaces stays valid until the
// given time, which is not before now.
//
// r remembers the digests of its replaced keys, so that the event for a refused key names
// the token. It keeps the digest of the last one always, and the others until they
// have been refused for the Retention. If there are too many, it forgets the oldest, and
// replaceKey returns EventForgotten. If by is a key, that is ErrForbidden instead:
// otherwise a thief could rotate the stolen key until nobody recognises it any more.
func (s *Service) replaceKey(r *store.Record, by *actor, key Key, until, now time.Time) (more EventKind, err error) {
	digest := digestOf(key.Reveal())
	if digest == r.Digest { // the token keeps its key, but an overlap ends
		if now.Before(r.RetiredUntil) {
			r.RetiredUntil = now
		}
		return "", s.setKey(r, key)
	}
	earlier := r.Earlier
	if r.Retired != (store.Digest{}) {
		last := store.EarlierKey{Digest: r.Retired, Until: r.RetiredUntil}
		if now.Before(last.Until) {
			last.Until = now
		}
		earlier = append(slices.Clip(earlier), last)
	}
	earlier = slices.DeleteFunc(slices.Clone(earlier), func(e store.EarlierKey) bool {
		return e.Digest == digest || !now.Before(e.Until.Add(s.policy.Retention))
	})
	if len(earlier) > maxEarlier {
		if by.via != (store.PK{}) {
			return "", fmt.Errorf("%w: the token remembers its last %d keys, and a key may not make it forget one", ErrForbidden, len(earlier)+1)
		}
		earlier, more = earlier[len(earlier)-maxEarlier:], EventForgotten
	}
	r.Earlier, r.Retired, r.RetiredUntil = earlier, r.Digest, until
	return more, s.setKey(r, key)
}
