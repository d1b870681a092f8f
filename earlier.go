package authtoken

import (
	"fmt"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// maxEarlier is how many keys a token remembers besides the current one and the last
// one that was replaced.
const maxEarlier = 16

// replaceKey gives r a new key on behalf of by. The key that it had is good until a
// given time, which is now or later. Its digest and those of all keys before are
// remembered, so that their use names the token: the last one always, the others
// until they have been refused for the Retention.
//
// If there are too many to remember, the oldest is forgotten. But not by a key: whoever
// has stolen one could rotate until nobody knows of the others. It returns
// EventForgotten if one was.
func (s *Service) replaceKey(r *store.Record, by *actor, key Key, until, now time.Time) (more EventKind, err error) {
	digest := digestOf(key.Reveal())
	if digest == r.Digest { // it keeps its key, and only an overlap ends
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
			return "", fmt.Errorf("%w: the token remembers %d keys, and a key may not have it forget one", ErrForbidden, len(earlier)+1)
		}
		earlier, more = earlier[len(earlier)-maxEarlier:], EventForgotten
	}
	r.Earlier, r.Retired, r.RetiredUntil = earlier, r.Digest, until
	return more, s.setKey(r, key)
}
