package storetest_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/authtoken/authtoken/store"
)

// onGet returns a broken store that changes what Get returns.
func onGet(name, fails string, change func(*store.Record)) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, get: func(ctx context.Context, identifier string) (store.Record, error) {
			r, err := n.Get(ctx, identifier)
			change(&r)
			return r, err
		}}
	}}
}

// onDigest returns a broken store that looks up digests in another way.
func onDigest(name, fails string, get func(s slice, d store.Digest) (store.Record, error)) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, getByDigest: func(ctx context.Context, d store.Digest) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				r, err = get(n.slice, d)
				return err
			})
			return r, err
		}}
	}}
}

// own returns the store's own record, Sealed and all.
func own(s slice, match func(store.Record) bool) (store.Record, error) {
	if i := slices.IndexFunc(s, match); i >= 0 {
		return s[i], nil
	}
	return store.Record{}, store.ErrNotFound
}

// onPurge returns a broken store that purges in another way.
func onPurge(name, fails string, purge func(s *slice, q store.Query) []store.Record) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, purge: func(ctx context.Context, q store.Query) (rs []store.Record, err error) {
			err = n.locked(ctx, func() error {
				rs = purge(&n.slice, q)
				return nil
			})
			return rs, err
		}}
	}}
}

// onCount returns a broken store that counts in another way.
func onCount(name, fails string, count func(s slice, q store.Query) int) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, count: func(ctx context.Context, q store.Query) (c int, err error) {
			err = n.locked(ctx, func() error {
				c = count(n.slice, q)
				return nil
			})
			return c, err
		}}
	}}
}

// brokenReads break a rule about what is returned.
var brokenReads = []broken{
	{"keeps-the-callers-sealed", "Aliasing/SealedIntoCreate", func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) error {
			return n.locked(ctx, func() error {
				err := n.slice.create(r, limit)
				if err == nil {
					n.find(r.PK).Sealed = r.Sealed
				}
				return err
			})
		}}
	}},
	onUpdate("keeps-the-updates-sealed", "Aliasing/SealedIntoUpdate", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if err == nil {
			n.find(r.PK).Sealed = r.Sealed
		}
		return err
	}),
	{"returns-its-own-sealed", "Aliasing/EarlierOutOfGet Aliasing/SealedOutOfGet", func(n *naive) patch {
		return patch{naive: n, get: func(ctx context.Context, identifier string) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				r, err = own(n.slice, func(x store.Record) bool { return x.Identifier == identifier })
				return err
			})
			return r, err
		}}
	}},
	onDigest("returns-its-own-sealed-by-digest", "Aliasing/EarlierOutOfGetByDigest Aliasing/SealedOutOfGetByDigest", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := own(s, func(x store.Record) bool { return x.Digest == d }); err == nil {
			return r, nil
		}
		return s.byDigest(d)
	}),
	listing("lists-its-own-sealed", "Aliasing/EarlierOutOfList Aliasing/SealedOutOfList", func(s slice, q store.Query) []store.Record { return pick(q, slices.Clone(s)) }),
	listing("lists-itself", "Aliasing/EarlierOutOfList Aliasing/RecordsOutOfList Aliasing/SealedOutOfList", func(s slice, q store.Query) []store.Record {
		for i := range s {
			s[i].Sealed = slices.Clone(s[i].Sealed)
		}
		if reflect.DeepEqual(q, store.Query{}) {
			pick(q, s)
			return s
		}
		return s.list(q)
	}),
	onList("sorts-the-callers-users", "Aliasing/Query", func(q *store.Query) { slices.Sort(q.Users) }),
	onList("folds-the-callers-words", "Aliasing/Query", func(q *store.Query) {
		for i := range q.Words {
			q.Words[i].Text = strings.ToLower(q.Words[i].Text)
		}
	}),
	{"sorts-the-callers-uses", "Aliasing/Uses", func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			slices.SortFunc(uses, func(a, b store.Use) int { return a.At.Compare(b.At) })
			return n.Touch(ctx, uses)
		}}
	}},

	onGet("local-time", "Times/UTC", func(r *store.Record) { r.Created = r.Created.In(time.FixedZone("here", 3600)) }),
	{"get-without-case", "Get/Exactly", func(n *naive) patch {
		return patch{naive: n, get: func(ctx context.Context, identifier string) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				if r, err = n.first(func(x *store.Record) bool { return x.Identifier == identifier }); err != nil {
					r, err = n.first(func(x *store.Record) bool { return strings.EqualFold(x.Identifier, identifier) })
				}
				return err
			})
			return r, err
		}}
	}},
	{"get-by-prefix", "Get/Exactly", func(n *naive) patch {
		return patch{naive: n, get: func(ctx context.Context, identifier string) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				if r, err = n.first(func(x *store.Record) bool { return x.Identifier == identifier }); err != nil && len(identifier) > 5 {
					r, err = n.first(func(x *store.Record) bool { return strings.HasPrefix(x.Identifier, identifier) })
				}
				return err
			})
			return r, err
		}}
	}},

	onDigest("retired-not-found", "GetByDigest/CurrentFirst GetByDigest/Retired GetByDigest/RetiredTwice GetByDigest/Rotated", func(s slice, d store.Digest) (store.Record, error) {
		return s.first(func(x *store.Record) bool { return x.Digest == d })
	}),
	onDigest("retired-preferred", "GetByDigest/CurrentFirst", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := s.first(func(x *store.Record) bool { return x.Retired == d && d != store.Digest{} }); err == nil {
			return r, nil
		}
		return s.byDigest(d)
	}),
	onDigest("first-that-ever-had-it", "GetByDigest/CurrentFirst", func(s slice, d store.Digest) (store.Record, error) {
		return s.first(func(x *store.Record) bool { return x.Digest == d || x.Retired == d && d != store.Digest{} })
	}),
	onDigest("zero-digest-found", "GetByDigest/Zero", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := s.byDigest(d); err == nil {
			return r, nil
		}
		return s.first(func(x *store.Record) bool { return x.Retired == d })
	}),
	onDigest("retired-while-good", "GetByDigest/Retired", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := s.first(func(x *store.Record) bool { return x.Digest == d }); err == nil {
			return r, nil
		}
		return s.first(func(x *store.Record) bool { return x.Retired == d && x.RetiredUntil.After(time.Unix(1e9, 0)) })
	}),
	onDigest("digests-as-text", "GetByDigest/CurrentFirst Uniqueness/DigestBytes", func(s slice, d store.Digest) (store.Record, error) {
		return s.first(func(x *store.Record) bool {
			text := func(d store.Digest) string { return strings.ToLower(strings.TrimRight(string(d[:]), "\x00 ")) }
			return d != store.Digest{} && (text(x.Digest) == text(d) || x.Retired == d)
		})
	}),

	onCount("count-up-to-limit", "Count/Filters Count/Regardless Count/Words", func(s slice, q store.Query) int { return len(s.list(store.Query{Users: q.Users, Limit: q.Limit})) }),
	onCount("count-from-after", "Count/Regardless", func(s slice, q store.Query) int {
		q.Offset, q.Limit = 0, 0
		return len(s.list(q))
	}),
	onCount("count-without-words", "Count/Filters Count/Words", func(s slice, q store.Query) int {
		q.Words = nil
		return s.count(q)
	}),
	onCount("count-of-all", "Count/Filters Count/Regardless Count/Words", func(s slice, q store.Query) int { return len(s) }),

	onPurge("purge-without-limit", "Purge/Limit Purge/Page", func(s *slice, q store.Query) []store.Record {
		rs := s.list(q)
		q.Limit = 0
		s.purge(q)
		return rs
	}),
	onPurge("purge-without-filter", "Purge/Filters", func(s *slice, q store.Query) []store.Record {
		q.Users = nil
		return s.purge(q)
	}),
	onPurge("purge-unordered", "Purge/Limit Purge/Ordered", func(s *slice, q store.Query) []store.Record {
		rs := s.purge(q)
		if q.Order != nil {
			pick(store.Query{}, rs)
		}
		return rs
	}),
	onPurge("purge-from-the-start", "Purge/Page", func(s *slice, q store.Query) []store.Record {
		q.Offset, q.After = 0, nil
		return s.purge(q)
	}),
	onPurge("purge-by-identifier-only", "Purge/Limit", func(s *slice, q store.Query) []store.Record {
		if q.Limit > 0 {
			q.Order = nil
		}
		return s.purge(q)
	}),
	onPurge("purge-returns-too-much", "Purge/Filters Purge/Limit Purge/Ordered Purge/Page Purge/WholeRecords", func(s *slice, q store.Query) []store.Record {
		s.purge(q)
		q.Limit = 0
		return append(s.list(q), s.purge(store.Query{Identifier: "nothing"})...)
	}),
	onPurge("purge-a-thousand-at-most", "Many/Purge", func(s *slice, q store.Query) []store.Record {
		if q.Limit <= 0 {
			q.Limit = 1000
		}
		return s.purge(q)
	}),
	onPurge("purge-without-sealed", "Purge/WholeRecords", func(s *slice, q store.Query) []store.Record {
		rs := s.purge(q)
		for i := range rs {
			rs[i].Sealed = nil
		}
		return rs
	}),
	{"purge-of-nothing-fails", "Purge/Filters Purge/Limit Purge/Nothing Purge/Page", func(n *naive) patch {
		return patch{naive: n, purge: func(ctx context.Context, q store.Query) ([]store.Record, error) {
			rs, err := n.Purge(ctx, q)
			if err == nil && len(rs) == 0 {
				err = store.ErrNotFound
			}
			return rs, err
		}}
	}},
}
