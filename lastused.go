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
	// useResolution is how exactly it is known when a token was last used.
	useResolution = time.Minute

	// maxUses bounds what is remembered between two flushes. Beyond it, uses of
	// further tokens are not noted.
	maxUses = 100_000
)

// uses remembers which tokens were used since the last flush.
type uses struct {
	mu      sync.RWMutex
	pending map[store.PK]store.Use
}

// note remembers that the token of r was used, unless that is known well
// enough already.
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

func (u *uses) take() map[store.PK]store.Use {
	u.mu.Lock()
	defer u.mu.Unlock()
	pending := u.pending
	u.pending = nil
	return pending
}

// putBack returns what could not be written, but for what is known better by now.
func (u *uses) putBack(pending map[store.PK]store.Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.pending)+len(pending) > maxUses {
		return
	}
	maps.Copy(pending, u.pending)
	u.pending = pending
}

// FlushLastUsed writes down when tokens were last used, as far as [Service]
// remembers it and has not done so. It does nothing unless [Config] has
// TrackLastUsed. [Service.RunJanitor] calls it; if nothing does for a
// minute, uses are still not lost until the process ends.
func (s *Service) FlushLastUsed(ctx context.Context) error {
	if s.uses == nil {
		return nil
	}
	const batch = 500
	pending := s.uses.take()
	for chunk := range slices.Chunk(slices.Collect(maps.Values(pending)), batch) {
		if err := s.store.Touch(ctx, chunk); err != nil {
			s.uses.putBack(pending) // all of it, since to write a use twice does no harm
			return fmt.Errorf("write last use: %w", err)
		}
	}
	return nil
}
