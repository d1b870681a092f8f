package storetest_test

import (
	"context"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// brokenEarlier break a rule about the keys that a token had before.
var brokenEarlier = []broken{
	onDigest("earlier-not-found", "Earlier/Found Earlier/Last Earlier/OfItsOwn Earlier/Rotated", func(s slice, d store.Digest) (store.Record, error) {
		r, err := s.byDigest(d)
		if err == nil && r.Digest != d && r.Retired != d {
			return store.Record{}, store.ErrNotFound
		}
		return r, err
	}),
	onDigest("only-last-earlier-found", "Earlier/Found Earlier/Rotated", func(s slice, d store.Digest) (store.Record, error) {
		r, err := s.byDigest(d)
		if err == nil && r.Digest != d && r.Retired != d && r.Earlier[len(r.Earlier)-1].Digest != d {
			return store.Record{}, store.ErrNotFound
		}
		return r, err
	}),
	onDigest("earlier-before-retired", "Earlier/Last", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := s.first(func(x *store.Record) bool { return x.Digest == d }); err == nil {
			return r, nil
		}
		if r, err := s.first(func(x *store.Record) bool { return hadEarlier(x, d) }); err == nil {
			return r, nil
		}
		return s.byDigest(d)
	}),
	onDigest("earlier-before-current", "Earlier/Last", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := s.first(func(x *store.Record) bool { return hadEarlier(x, d) }); err == nil && d != (store.Digest{}) {
			return r, nil
		}
		return s.byDigest(d)
	}),
	onDigest("zero-digest-found-earlier", "GetByDigest/Zero", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := s.byDigest(d); err == nil {
			return r, nil
		}
		return s.first(func(x *store.Record) bool { return hadEarlier(x, d) })
	}),
	onDigest("earlier-without-a-time-not-found", "Earlier/Found", func(s slice, d store.Digest) (store.Record, error) {
		r, err := s.byDigest(d)
		if err == nil && r.Digest != d && r.Retired != d &&
			!slices.ContainsFunc(r.Earlier, func(k store.EarlierKey) bool { return k.Digest == d && !k.Until.IsZero() }) {
			return store.Record{}, store.ErrNotFound
		}
		return r, err
	}),
	onWrites("earlier-unique", "Earlier/Last GetByDigest/Zero? Uniqueness/Retired", func(n *naive, r store.Record) error {
		for _, k := range r.Earlier {
			if n.other(r, func(x store.Record) bool { return hadEarlier(&x, k.Digest) }) != nil {
				return taken(store.FieldDigest)
			}
		}
		return nil
	}),
	onCreate("create-drops-earlier", "Earlier/Empty Earlier/Found Earlier/Kept Earlier/Last Earlier/OfItsOwn Earlier/Rotated", func(r *store.Record) { r.Earlier = nil }),
	onCreate("earlier-reversed", "Earlier/Empty Earlier/Found Earlier/Kept Earlier/Last Earlier/OfItsOwn Earlier/Rotated", func(r *store.Record) {
		r.Earlier = slices.Clone(r.Earlier)
		slices.Reverse(r.Earlier)
	}),
	onCreate("earlier-cut", "Earlier/Found", func(r *store.Record) { r.Earlier = r.Earlier[:min(len(r.Earlier), 16)] }),
	onCreate("earlier-once", "Earlier/OfItsOwn", func(r *store.Record) {
		r.Earlier = slices.CompactFunc(slices.Clone(r.Earlier), func(a, b store.EarlierKey) bool { return a == b })
	}),
	onCreate("earlier-in-seconds", "Times/Microseconds Times/Nanoseconds? Times/Years", func(r *store.Record) {
		r.Earlier = slices.Clone(r.Earlier)
		for i := range r.Earlier {
			r.Earlier[i].Until = r.Earlier[i].Until.Truncate(time.Second)
		}
	}),
	onUpdate("update-keeps-earlier", "Earlier/Empty Earlier/Kept Earlier/OfItsOwn Earlier/Rotated Update/EmptiesFields Update/EveryField", func(n *naive, r store.Record) error {
		if x := n.find(r.PK); x != nil {
			r.Earlier = x.Earlier
		}
		return n.slice.update(r)
	}),
	onUpdate("update-adds-to-earlier", "Earlier/Empty Earlier/OfItsOwn Earlier/Rotated Update/EmptiesFields Update/EveryField", func(n *naive, r store.Record) error {
		if x := n.find(r.PK); x != nil {
			for _, k := range x.Earlier {
				if !hadEarlier(&r, k.Digest) {
					r.Earlier = append(slices.Clone(r.Earlier), k)
				}
			}
		}
		return n.slice.update(r)
	}),
	{"earlier-found-for-ever", "Earlier/OfItsOwn Earlier/Rotated GetByDigest/Gone GetByDigest/Zero?", func(n *naive) patch {
		had := map[store.Digest]store.PK{}
		note := func(r store.Record) {
			for _, k := range r.Earlier {
				had[k.Digest] = r.PK
			}
		}
		return patch{naive: n,
			create: func(ctx context.Context, r store.Record, limit int) error {
				err := n.Create(ctx, r, limit)
				if err == nil {
					note(r)
				}
				return err
			},
			update: func(ctx context.Context, r store.Record) error {
				err := n.Update(ctx, r)
				if err == nil {
					note(r)
				}
				return err
			},
			getByDigest: func(ctx context.Context, d store.Digest) (store.Record, error) {
				r, err := n.GetByDigest(ctx, d)
				if pk, ok := had[d]; err != nil && ok {
					return n.first(func(x *store.Record) bool { return x.PK == pk })
				}
				return r, err
			},
		}
	}},

	{"keeps-the-callers-earlier", "Aliasing/EarlierIntoCreate", func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) error {
			return n.locked(ctx, func() error {
				err := n.slice.create(r, limit)
				if err == nil {
					n.find(r.PK).Earlier = r.Earlier
				}
				return err
			})
		}}
	}},
	onUpdate("keeps-the-updates-earlier", "Aliasing/EarlierIntoUpdate", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if err == nil {
			n.find(r.PK).Earlier = r.Earlier
		}
		return err
	}),
	{"returns-its-own-earlier", "Aliasing/EarlierOutOfGet", func(n *naive) patch {
		return patch{naive: n, get: func(ctx context.Context, identifier string) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				r, err = own(n.slice, func(x store.Record) bool { return x.Identifier == identifier })
				r.Sealed = slices.Clone(r.Sealed)
				return err
			})
			return r, err
		}}
	}},
	onDigest("returns-its-own-earlier-by-earlier", "Aliasing/EarlierOutOfGetByDigest", func(s slice, d store.Digest) (store.Record, error) {
		r, err := s.byDigest(d)
		if err == nil && r.Digest != d && r.Retired != d {
			r, err = own(s, func(x store.Record) bool { return x.PK == r.PK })
			r.Sealed = slices.Clone(r.Sealed)
		}
		return r, err
	}),
	listing("lists-its-own-earlier", "Aliasing/EarlierOutOfList", func(s slice, q store.Query) []store.Record {
		rs := pick(q, slices.Clone(s))
		for i := range rs {
			rs[i].Sealed = slices.Clone(rs[i].Sealed)
		}
		return rs
	}),
}
