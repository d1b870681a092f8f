package memory

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// source is a part of the store that includes all matches of a query.
type source struct {
	rows    iter.Seq[*row]
	count   int  // how many rows there are at most
	exact   bool // the query matches all of them, and there are count
	ordered bool // the rows come in the order of the query
	skipped int  // how many rows of the query's Offset are left out already
}

// source returns the source for q with the fewest rows to look at.
func (x *index) source(q *store.Query) source {
	switch {
	case q.Identifier != "":
		return single(x.byIdentifier[q.Identifier])
	case q.Managed != "":
		return single(x.byManaged[q.Managed])
	}
	src := x.identifiers(q)
	if !q.ByExpiry() {
		return src
	}
	expiring := x.expiries(q)
	n, k := float64(src.count), float64(expiring.count)
	if src.ordered {
		// Rows in order are read only until there are enough. If k of n rows match,
		// that is about n/k for each wanted one.
		n *= float64(wanted(q, src.count)) / max(k, 1)
	}
	if k <= n {
		return expiring
	}
	return src
}

func single(w *row) source {
	if w == nil {
		return source{rows: none, ordered: true}
	}
	return source{rows: func(yield func(*row) bool) { yield(w) }, count: 1, ordered: true}
}

func none(func(*row) bool) {}

// identifiers returns the source for queries by owner, or without any other index.
func (x *index) identifiers(q *store.Query) source {
	rest := *q
	rest.Users = nil
	exact := unfiltered(rest)
	if q.Users == nil {
		return span[textKey]{&x.all, x.all.start(), x.all.end()}.source(q, exact)
	}
	owners := x.among(q.Users)
	if len(owners) == 1 {
		own := &owners[0].own
		return span[textKey]{own, own.start(), own.end()}.source(q, exact)
	}
	src := source{exact: exact}
	for _, o := range owners {
		src.count += o.own.size
	}
	src.rows = func(yield func(*row) bool) {
		for _, o := range owners {
			for w := range o.own.up(o.own.start(), o.own.end()) {
				if !yield(w) {
					return
				}
			}
		}
	}
	return src
}

// among returns the users who have tokens, each once.
func (x *index) among(users []string) []*owner {
	var owners []*owner
	for _, user := range users {
		if o := x.owners[user]; o != nil {
			owners = append(owners, o)
		}
	}
	slices.SortFunc(owners, func(a, b *owner) int { return cmp.Compare(a.id, b.id) })
	return slices.Compact(owners)
}

// expiries returns the source for queries with a range of expiry.
func (x *index) expiries(q *store.Query) source {
	list := &x.byExpiry
	sp := span[timeKey]{list, list.start(), list.end()}
	if !q.ExpiryFrom.IsZero() {
		sp.from = list.find(&row{expires: q.ExpiryFrom.UnixMicro()})
	}
	if !q.ExpiryBefore.IsZero() {
		sp.to = list.find(&row{expires: q.ExpiryBefore.UnixMicro()})
	}
	rest := *q
	rest.ExpiryFrom, rest.ExpiryBefore = time.Time{}, time.Time{}
	src := source{
		count:   sp.count(),
		exact:   unfiltered(rest),
		ordered: len(q.Order) == 1 && q.Order[0] == store.Order{Field: store.FieldExpires},
	}
	if src.ordered && q.After != nil {
		sp.from = later(sp.from, list.find(&row{expires: q.After.Expires.UnixMicro()}))
	}
	src.rows = list.up(sp.from, sp.to)
	return src
}

// span is a part of a sorted list.
type span[K key[K]] struct {
	list     *sorted[K, *row]
	from, to position
}

func (sp span[K]) count() int { return sp.list.count(sp.from, sp.to) }

// source returns the source of a span that is sorted by identifier. If the order of q
// allows it, rows that q.After or q.Offset exclude are left out. No two rows share an
// identifier, so keys after it in the order don't matter.
func (sp span[K]) source(q *store.Query, exact bool) source {
	src := source{count: sp.count(), exact: exact, ordered: true}
	desc := false
	if len(q.Order) > 0 {
		desc = q.Order[0].Desc
		src.ordered = q.Order[0].Field == store.FieldIdentifier
	}
	switch {
	case !src.ordered:
	case q.After != nil:
		after := row{identifier: q.After.Identifier}
		if desc {
			sp.to = sp.list.findAfter(&after)
		} else {
			sp.from = sp.list.find(&after)
		}
	case exact:
		src.skipped = min(max(q.Offset, 0), src.count)
		if desc {
			sp.to = sp.list.back(sp.to, src.skipped)
		} else {
			sp.from = sp.list.at(sp.from, src.skipped)
		}
	}
	if src.ordered && desc {
		src.rows = sp.list.down(sp.from, sp.to)
	} else {
		src.rows = sp.list.up(sp.from, sp.to)
	}
	return src
}
