package storetest_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/storetest"
)

func TestNaive(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return new(naive) })
}

// naive is the simplest store there is: a slice and a mutex.
type naive struct {
	mu    sync.Mutex
	calls int // how often the store was used
	slice
}

var _ store.Store = (*naive)(nil)

func (s *naive) locked(ctx context.Context, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

func (s *naive) Create(ctx context.Context, r store.Record, limit int) error {
	return s.locked(ctx, func() error { return s.create(r, limit) })
}

func (s *naive) Get(ctx context.Context, identifier string) (r store.Record, err error) {
	err = s.locked(ctx, func() error {
		r, err = s.first(func(x *store.Record) bool { return x.Identifier == identifier })
		return err
	})
	return r, err
}

func (s *naive) GetByDigest(ctx context.Context, digest store.Digest) (r store.Record, err error) {
	err = s.locked(ctx, func() error {
		r, err = s.byDigest(digest)
		return err
	})
	return r, err
}

func (s *naive) Update(ctx context.Context, r store.Record) error {
	return s.locked(ctx, func() error { return s.update(r) })
}

func (s *naive) Delete(ctx context.Context, pk store.PK, version int64) error {
	return s.locked(ctx, func() error { return s.delete(pk, version) })
}

func (s *naive) List(ctx context.Context, q store.Query) (rs []store.Record, err error) {
	err = s.locked(ctx, func() error {
		rs, err = s.selected(ctx, q)
		return err
	})
	return rs, err
}

func (s *naive) Count(ctx context.Context, q store.Query) (int, error) {
	q.Order, q.After, q.Offset, q.Limit = nil, nil, 0, 0
	rs, err := s.List(ctx, q)
	return len(rs), err
}

func (s *naive) Purge(ctx context.Context, q store.Query) (rs []store.Record, err error) {
	err = s.locked(ctx, func() error {
		rs = s.purge(q)
		return nil
	})
	return rs, err
}

func (s *naive) Touch(ctx context.Context, uses []store.Use) error {
	return s.locked(ctx, func() error {
		s.touch(uses)
		return nil
	})
}

// slice is what the naive store does under its lock.
type slice []store.Record

func (s *slice) create(r store.Record, limit int) error {
	if limit != 0 && s.count(store.Query{Users: []string{r.User}}) >= limit {
		return store.ErrLimit
	}
	if s.find(r.PK) != nil {
		return &store.TakenError{Field: store.FieldPK}
	}
	if err := s.taken(r); err != nil {
		return err
	}
	*s = append(*s, clone(r))
	return nil
}

func (s *slice) byDigest(digest store.Digest) (store.Record, error) {
	if digest == (store.Digest{}) {
		return store.Record{}, store.ErrNotFound
	}
	if r, err := s.first(func(x *store.Record) bool { return x.Digest == digest }); err == nil {
		return r, nil
	}
	if r, err := s.first(func(x *store.Record) bool { return x.Retired == digest }); err == nil {
		return r, nil
	}
	return s.first(func(x *store.Record) bool { return hadEarlier(x, digest) })
}

func hadEarlier(r *store.Record, digest store.Digest) bool {
	return slices.ContainsFunc(r.Earlier, func(k store.EarlierKey) bool { return k.Digest == digest })
}

func (s *slice) update(r store.Record) error {
	x, err := s.current(r.PK, r.Version)
	if err != nil {
		return err
	}
	if err := s.taken(r); err != nil {
		return err
	}
	r.Created, r.LastUsed, r.LastUsedFrom = x.Created, x.LastUsed, x.LastUsedFrom
	r.Version++
	*x = clone(r)
	return nil
}

func (s *slice) delete(pk store.PK, version int64) error {
	if _, err := s.current(pk, version); err != nil {
		return err
	}
	s.remove(pk)
	return nil
}

func (s *slice) selected(ctx context.Context, q store.Query) ([]store.Record, error) {
	rs, err := q.Select(ctx, slices.Clone(*s))
	for i := range rs {
		rs[i] = clone(rs[i])
	}
	return rs, err
}

func (s *slice) list(q store.Query) []store.Record {
	rs, _ := s.selected(always, q)
	return rs
}

// pick is Select with a context that never ends.
func pick(q store.Query, rs []store.Record) []store.Record {
	rs, _ = q.Select(always, rs)
	return rs
}

func (s *slice) count(q store.Query) (n int) {
	for i := range *s {
		if q.Match(&(*s)[i]) {
			n++
		}
	}
	return n
}

func (s *slice) purge(q store.Query) []store.Record {
	rs := s.list(q)
	gone := map[store.PK]bool{}
	for i := range rs {
		gone[rs[i].PK] = true
	}
	*s = slices.DeleteFunc(*s, func(x store.Record) bool { return gone[x.PK] })
	return rs
}

func (s *slice) touch(uses []store.Use) {
	for _, use := range uses {
		if r := s.find(use.PK); r != nil && use.At.After(r.LastUsed) {
			r.LastUsed, r.LastUsedFrom = micro(use.At), use.From
		}
	}
}

func (s *slice) first(match func(*store.Record) bool) (store.Record, error) {
	for i := range *s {
		if match(&(*s)[i]) {
			return clone((*s)[i]), nil
		}
	}
	return store.Record{}, store.ErrNotFound
}

func (s *slice) find(pk store.PK) *store.Record {
	for i := range *s {
		if r := &(*s)[i]; r.PK == pk {
			return r
		}
	}
	return nil
}

func (s *slice) current(pk store.PK, version int64) (*store.Record, error) {
	r := s.find(pk)
	switch {
	case r == nil:
		return nil, store.ErrNotFound
	case r.Version != version:
		return nil, store.ErrStale
	}
	return r, nil
}

func (s *slice) taken(r store.Record) error {
	for i := range *s {
		switch x := &(*s)[i]; {
		case x.PK == r.PK:
		case x.Identifier == r.Identifier:
			return &store.TakenError{Field: store.FieldIdentifier}
		case x.Managed == r.Managed && r.Managed != "":
			return &store.TakenError{Field: store.FieldManaged}
		case x.Digest == r.Digest:
			return &store.TakenError{Field: store.FieldDigest}
		}
	}
	return nil
}

func (s *slice) remove(pk store.PK) {
	*s = slices.DeleteFunc(*s, func(x store.Record) bool { return x.PK == pk })
}

func micro(t time.Time) time.Time { return t.Truncate(time.Microsecond).UTC() }

func clone(r store.Record) store.Record {
	r.Sealed, r.Earlier = bytes.Clone(r.Sealed), slices.Clone(r.Earlier)
	for i := range r.Earlier {
		r.Earlier[i].Until = micro(r.Earlier[i].Until)
	}
	for _, t := range []*time.Time{&r.Expires, &r.RetiredUntil, &r.Created, &r.LastUsed} {
		*t = micro(*t)
	}
	return r
}
