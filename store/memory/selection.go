package memory

import (
	"context"
	"iter"
	"math"
	"reflect"

	"github.com/authtoken/authtoken/store"
)

// selection collects from a source the rows that answer a query.
type selection struct {
	source
	q       *store.Query
	matcher *store.Matcher
	wanted  int // how many rows up to the end of the page
	found   []*row

	full        bool         // wanted rows are found, and worst is the last of them
	worst       store.Record // the fields that view sets
	view, other store.Record // to compare with
}

func newSelection(q *store.Query, src source) *selection {
	return &selection{source: src, q: q, matcher: q.Matcher(), wanted: wanted(q, src.count) - src.skipped}
}

// wanted returns how many of count rows q needs at most, including those that it skips.
func wanted(q *store.Query, count int) int {
	offset := max(q.Offset, 0)
	if q.Limit <= 0 || q.Limit > math.MaxInt-offset {
		return count
	}
	return min(offset+q.Limit, count)
}

// add considers w and reports whether more rows are needed. After an error, none are.
func (s *selection) add(ctx context.Context, w *row) (more bool, err error) {
	w.view(&s.view)
	ok, err := s.matcher.Match(ctx, &s.view)
	if err != nil {
		return false, err
	}
	if !ok || !s.isAfter() || s.full && s.q.Compare(&s.view, &s.worst) >= 0 {
		return true, nil
	}
	s.found = append(s.found, w)
	if s.ordered {
		return len(s.found) < s.wanted, nil
	}
	// Keeping the best few of many is cheaper than sorting all.
	if len(s.found) >= max(2*s.wanted, 256) {
		if err := s.prune(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

// addAll considers rows until no more are needed.
func (s *selection) addAll(ctx context.Context, rows iter.Seq[*row]) error {
	for w := range rows {
		if more, err := s.add(ctx, w); !more || err != nil {
			return err
		}
	}
	return nil
}

// isAfter reports whether the row in view comes after q.After.
func (s *selection) isAfter() bool {
	if s.q.After == nil || s.ordered && len(s.found) > 0 { // the one before was
		return true
	}
	return s.q.Compare(&s.view, s.q.After) > 0
}

// prune sorts the found rows and drops those beyond wanted.
func (s *selection) prune(ctx context.Context) error {
	err := store.Sort(ctx, s.found, func(a, b *row) int {
		a.view(&s.view)
		b.view(&s.other)
		return s.q.Compare(&s.view, &s.other)
	})
	if err != nil {
		return err
	}
	if len(s.found) >= s.wanted && s.wanted > 0 {
		s.found = s.found[:s.wanted]
		s.full = true
		s.found[s.wanted-1].view(&s.worst)
	}
	return nil
}

// page returns the rows of the page.
func (s *selection) page(ctx context.Context) ([]*row, error) {
	if !s.ordered {
		if err := s.prune(ctx); err != nil {
			return nil, err
		}
	}
	page := s.found[min(max(s.q.Offset, 0)-s.skipped, len(s.found)):]
	if s.q.Limit > 0 {
		page = page[:min(s.q.Limit, len(page))]
	}
	return page, nil
}

// unfiltered reports whether q sets no filter, so that it matches every record.
func unfiltered(q store.Query) bool {
	q.Order, q.After, q.Offset, q.Limit = nil, nil, 0, 0
	if len(q.Words) == 0 {
		q.Words = nil
	}
	return reflect.ValueOf(&q).Elem().IsZero()
}
