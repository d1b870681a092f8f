package memory

import (
	"context"
	"slices"

	"github.com/authtoken/authtoken/store"
)

// lookMax is how many rows a reader looks at while it holds the lock. If there are
// more, it gathers them and frees the lock first, since rows never change. So a search
// through a million tokens does not hold up the check of a key.
const lookMax = 4096

// List implements [store.Store].
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, err := s.list(ctx, &q)
	if err != nil {
		return nil, err
	}
	return records(found), nil
}

func (s *Store) list(ctx context.Context, q *store.Query) ([]*row, error) {
	s.mu.RLock()
	sel := newSelection(q, s.source(q))
	var rest []*row
	var err error
	looked := 0
	inside := lookMax
	if len(q.Words) > 0 {
		inside = 0 // texts can be long
	}
	for w := range sel.rows {
		if looked++; looked <= inside {
			var more bool
			if more, err = sel.add(ctx, w); !more {
				break
			}
			continue
		}
		if rest == nil {
			rest = make([]*row, 0, sel.count-inside)
		}
		rest = append(rest, w)
	}
	s.mu.RUnlock()

	if err != nil {
		return nil, err
	}
	if err := sel.addAll(ctx, slices.Values(rest)); err != nil {
		return nil, err
	}
	return sel.page(ctx)
}

// Count implements [store.Store].
func (s *Store) Count(ctx context.Context, q store.Query) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	q.Order, q.After, q.Offset, q.Limit = nil, nil, 0, 0
	s.mu.RLock()
	src := s.source(&q)
	var rows []*row
	if !src.exact {
		rows = slices.AppendSeq(make([]*row, 0, src.count), src.rows)
	}
	s.mu.RUnlock()
	if src.exact {
		return src.count, nil
	}

	n := 0
	matcher := q.Matcher()
	var view store.Record
	for _, w := range rows {
		w.view(&view)
		ok, err := matcher.Match(ctx, &view)
		if err != nil {
			return 0, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

func records(rows []*row) []store.Record {
	rs := make([]store.Record, len(rows))
	for i, w := range rows {
		rs[i] = w.record()
	}
	return rs
}
