package storetest

import (
	"fmt"
	"time"

	"github.com/authtoken/authtoken/store"
)

const (
	oldestFirst = "Earlier is the keys before the retired one, the oldest first."
	noEarlier   = "It may be empty, which is the same as nil."
)

var earlierCases = []testCase{
	{"Kept", oldestFirst, func(s subject) {
		a, b, c := record(1), record(2), record(3)
		b.Earlier = []store.EarlierKey{{Digest: digest(1000), Until: seconds(5)}, {Digest: digest(1001), Until: seconds(-5)}, {}}
		c.Retired = store.Digest{} // whether or not there is a retired one
		s.create(a, b, c)
		s.holds(a, b, c)
		c.Earlier[0], c.Earlier[1] = c.Earlier[1], c.Earlier[0]
		c = s.update(c)
		s.holds(a, b, c)
		s.agree("Purge", s.purge(store.Query{}), []store.Record{a, b, c})
	}},
	{"Empty", noEarlier, func(s subject) {
		a, b, c := record(1), record(2), record(3)
		a.Earlier, b.Earlier = nil, []store.EarlierKey{}
		s.create(a, b, c)
		s.holds(a, b, c)
		a.Earlier, b.Earlier, c.Earlier = []store.EarlierKey{}, nil, []store.EarlierKey{}
		a, b, c = s.update(a), s.update(b), s.update(c)
		s.holds(a, b, c)
	}},
	{"Found", byDigest, func(s subject) {
		a, b, c := record(1), record(2), record(3)
		for n := range 50 {
			b.Earlier = append(b.Earlier, store.EarlierKey{Digest: digest(400_000 + n), Until: seconds(n)})
		}
		c.Earlier[0].Until = time.Time{}
		s.create(a, b, c)
		for _, r := range []store.Record{a, b, c} {
			for _, k := range r.Earlier {
				s.same("GetByDigest of an earlier digest", s.getByDigest(k.Digest), r)
			}
		}
	}},
	{"Last", byDigest, func(s subject) {
		// Whoever has a digest now comes first, then whoever has retired it,
		// whichever is older.
		a, b, c, d := record(1), record(2), record(3), record(4)
		a.Earlier[1].Digest, d.Earlier[0].Digest = b.Digest, b.Digest
		c.Retired = b.Digest
		s.create(a, b, c, d)
		s.same("GetByDigest of a digest that is current in one record, retired in one, and earlier in two", s.getByDigest(b.Digest), b)
		s.delete(b)
		s.same("GetByDigest of a digest that is retired in one record, and earlier in two", s.getByDigest(b.Digest), c)
		s.delete(c)
		if got := s.getByDigest(b.Digest).PK; got != a.PK && got != d.PK {
			s.Fatalf("GetByDigest of a digest that is earlier in two records returns the PK %x", got)
		}
		s.delete(d)
		s.same("GetByDigest of a digest that is earlier in one record", s.getByDigest(b.Digest), a)
		s.delete(a)
		_, err := s.GetByDigest(s.Context(), b.Digest)
		s.is("GetByDigest of a digest that no record has any more", err, store.ErrNotFound)
	}},
	{"OfItsOwn", byDigest, func(s subject) {
		// A token can have had a key that it has again, or twice.
		r := record(1)
		r.Earlier[0].Digest, r.Earlier[1].Digest = r.Digest, r.Retired
		r.Earlier = append(r.Earlier, r.Earlier[1])
		s.create(r)
		for _, d := range digests(r) {
			s.same("GetByDigest", s.getByDigest(d), r)
		}
		was := r.Retired
		r.Retired, r.Earlier = store.Digest{}, r.Earlier[1:]
		r = s.update(r)
		s.same("GetByDigest of a digest that is earlier, and not retired any more", s.getByDigest(was), r)
		r.Earlier = r.Earlier[:1]
		r = s.update(r)
		s.same("GetByDigest of a digest that was there twice", s.getByDigest(was), r)
		r.Earlier = nil
		s.update(r)
		_, err := s.GetByDigest(s.Context(), was)
		s.is("GetByDigest of a digest that was earlier", err, store.ErrNotFound)
	}},
	{"Rotated", byDigest, func(s subject) {
		r := bare(1, "a")
		s.create(r, record(2))
		var forgotten []store.Digest
		for n := range 8 {
			if r.Retired != (store.Digest{}) {
				r.Earlier = append(r.Earlier, store.EarlierKey{Digest: r.Retired, Until: r.RetiredUntil})
			}
			if len(r.Earlier) > 3 {
				forgotten = append(forgotten, r.Earlier[0].Digest)
				r.Earlier = r.Earlier[1:]
			}
			r.Digest, r.Retired, r.RetiredUntil = digest(1000+n), r.Digest, seconds(n)
			r = s.update(r)
			s.holds(r, record(2))
			for _, d := range digests(r) {
				s.same("GetByDigest of a key of a token that was rotated", s.getByDigest(d), r)
			}
			// What has nothing to do with keys leaves them alone.
			r.Identifier, r.Description = fmt.Sprint("name-", n), fmt.Sprint("update ", n)
			r = s.update(r)
			r.LastUsed = seconds(1000 + n)
			s.touch(store.Use{PK: r.PK, At: r.LastUsed})
			for _, d := range digests(r) {
				s.same("GetByDigest of a key of a token that was rotated, renamed and used", s.getByDigest(d), r)
			}
		}
		for _, d := range forgotten {
			_, err := s.GetByDigest(s.Context(), d)
			s.is("GetByDigest of an earlier digest that an update removed", err, store.ErrNotFound)
		}
	}},
}
