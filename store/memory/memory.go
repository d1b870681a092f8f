package memory

import (
	"context"
	"sync"

	"github.com/authtoken/authtoken/store"
)

// Store is a [store.Store] in memory. Make one with [New]; the zero value is not ready
// for use. It is safe for concurrent use.
//
// Its methods return no errors except [store.ErrNotFound], [store.ErrStale],
// [store.ErrLimit], [*store.TakenError] and that of a context that has ended.
type Store struct {
	mu sync.RWMutex
	index
}

var _ store.Store = (*Store)(nil)

// New returns an empty store, which needs no closing.
func New() *Store { return &Store{index: newIndex()} }

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, r store.Record, limit int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := newRow(&r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit != 0 && s.owned(r.User) >= limit {
		return store.ErrLimit
	}
	if err := s.taken(nil, w); err != nil {
		return err
	}
	s.swap(nil, w)
	return nil
}

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, identifier string) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	s.mu.RLock()
	w := s.byIdentifier[identifier]
	s.mu.RUnlock()
	if w == nil {
		return store.Record{}, store.ErrNotFound
	}
	return w.record(), nil
}

// GetByDigest implements [store.Store].
func (s *Store) GetByDigest(ctx context.Context, digest store.Digest) (r store.Record, err error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	s.mu.RLock()
	w := s.byDigest.get(digest)
	if w == nil {
		w = s.formerly(digest)
	}
	s.mu.RUnlock()
	if w == nil {
		return store.Record{}, store.ErrNotFound
	}
	w.copyTo(&r)
	return r, nil
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, r store.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := newRow(&r)
	w.version++
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.current(r.PK, r.Version)
	if err != nil {
		return err
	}
	if err := s.taken(old, w); err != nil {
		return err
	}
	w.created, w.lastUsed, w.lastUsedFrom = old.created, old.lastUsed, old.lastUsedFrom
	s.swap(old, w)
	return nil
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, pk store.PK, version int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.current(pk, version)
	if err != nil {
		return err
	}
	s.swap(old, nil)
	return nil
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, use := range uses {
		old := s.byPK.get(use.PK)
		if old == nil || use.At.UnixMicro() <= old.lastUsed {
			continue
		}
		w := *old
		w.lastUsed, w.lastUsedFrom = use.At.UnixMicro(), use.From
		s.swap(old, &w)
	}
	return nil
}

// Purge implements [store.Store]. It holds the lock while it searches, which is through
// every token unless q sets Identifier, Managed, Users or a range of expiry.
func (s *Store) Purge(ctx context.Context, q store.Query) ([]store.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sel := newSelection(&q, s.source(&q))
	if err := sel.addAll(ctx, sel.rows); err != nil {
		return nil, err
	}
	found, err := sel.page(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range found {
		s.swap(w, nil)
	}
	return records(found), nil
}
