package authtoken

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/authtoken/authtoken/store"
)

const (
	// useResolution is how exact LastUsed is.
	useResolution = time.Minute

	// maxUses is the most uses to remember between two flushes. Uses of more tokens are
	// not noted.
	maxUses = 100_000
)

// uses remembers which tokens were used since the last flush. A nil uses notes nothing.
type uses struct {
	mu      sync.RWMutex
	pending map[store.PK]store.Use
}

// note remembers that the token of r was used, unless LastUsed is exact enough already.
func (u *uses) note(r *store.Record, now time.Time, from string) {
	if u == nil || now.Sub(r.LastUsed) < useResolution {
		return
	}
	u.mu.RLock()
	last, ok := u.pending[r.PK]
	full := len(u.pending) >= maxUses
	u.mu.RUnlock()
	if ok && now.Sub(last.At) < useResolution || full && !ok {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pending == nil {
		u.pending = make(map[store.PK]store.Use)
	}
	u.pending[r.PK] = store.Use{PK: r.PK, At: now, From: from}
}

// take returns the uses that are remembered, and forgets them.
func (u *uses) take() map[store.PK]store.Use {
	u.mu.Lock()
	defer u.mu.Unlock()
	pending := u.pending
	u.pending = nil
	return pending
}

// putBack remembers pending again, which could not be written. A later use that was noted
// meanwhile stays.
func (u *uses) putBack(pending map[store.PK]store.Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.pending)+len(pending) > maxUses {
		return
	}
	maps.Copy(pending, u.pending)
	u.pending = pending
}

// FlushLastUsed writes to the store when tokens were last used, as far as this Service
// remembers it. Without TrackLastUsed of [Config] it does nothing. [Service.RunJanitor]
// calls it regularly. Uses that are not written are lost when the process ends. If there
// is an error, they are kept for the next call, unless more than 100,000 tokens have been used
// by then.
func (s *Service) FlushLastUsed(ctx context.Context) error {
	if s.uses == nil {
		return nil
	}
	const batch = 500
	pending := s.uses.take()
	for chunk := range slices.Chunk(slices.Collect(maps.Values(pending)), batch) {
		if err := s.store.Touch(ctx, chunk); err != nil {
			s.uses.putBack(pending) // all of it: writing a use twice does no harm
			return fmt.Errorf("write last use: %w", err)
		}
	}
	return nil
}
