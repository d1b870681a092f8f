package storetest

import (
	"fmt"
	"math"
	"time"

	"github.com/authtoken/authtoken/store"
)

const (
	byDigest = "GetByDigest returns the record whose Digest is digest; if there is none, one whose Retired digest is; if there is none either, one that has it among its Earlier keys; otherwise ErrNotFound."
	fields   = "Every field is replaced but for PK, Created, LastUsed and LastUsedFrom, which keep their stored values."
)

var digestCases = []testCase{
	{"Current", byDigest, func(s subject) {
		s.create(record(1), record(2), record(3))
		s.same("GetByDigest", s.getByDigest(record(2).Digest), record(2))
	}},
	{"Retired", byDigest, func(s subject) {
		// It does not matter whether RetiredUntil is past, to come or not set.
		a, b, c := record(1), record(2), record(3)
		a.RetiredUntil = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		b.RetiredUntil = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)
		c.RetiredUntil = time.Time{}
		s.create(a, b, c)
		for _, r := range []store.Record{a, b, c} {
			s.same("GetByDigest of a retired digest", s.getByDigest(r.Retired), r)
		}
	}},
	{"CurrentFirst", byDigest, func(s subject) {
		// The record that has a digest now is preferred to one that had it,
		// whichever is older.
		a, b, c := record(1), record(2), record(3)
		a.Retired, c.Retired = b.Digest, b.Digest
		s.create(a, b, c)
		s.same("GetByDigest of a digest that is current in one record and retired in two", s.getByDigest(b.Digest), b)
		s.delete(b)
		if got := s.getByDigest(b.Digest).PK; got != a.PK && got != c.PK {
			s.Fatalf("GetByDigest of a digest retired in two records returns the PK %x", got)
		}
	}},
	{"RetiredTwice", byDigest, func(s subject) {
		a, b := record(1), record(2)
		b.Retired = a.Retired
		s.create(a, b)
		s.delete(a)
		s.same("GetByDigest of a retired digest that a deleted record had too", s.getByDigest(b.Retired), b)
		s.create(a)
		a.Retired = store.Digest{}
		s.update(a)
		s.same("GetByDigest of a retired digest that another record had before an update", s.getByDigest(b.Retired), b)
		s.delete(b)
		_, err := s.GetByDigest(s.Context(), b.Retired)
		s.is("GetByDigest of a retired digest that no record has any more", err, store.ErrNotFound)
	}},
	{"Rotated", byDigest, func(s subject) {
		r := record(1)
		s.create(r)
		first, before := r.Digest, r.Retired
		r.Retired, r.Digest = r.Digest, digest(1000)
		r = s.update(r)
		s.same("GetByDigest of the digest that an update brought", s.getByDigest(r.Digest), r)
		s.same("GetByDigest of the digest that an update retired", s.getByDigest(first), r)
		_, err := s.GetByDigest(s.Context(), before)
		s.is("GetByDigest of the digest that was retired before", err, store.ErrNotFound)
		r.Retired = store.Digest{}
		s.update(r)
		_, err = s.GetByDigest(s.Context(), first)
		s.is("GetByDigest of a retired digest that an update removed", err, store.ErrNotFound)
	}},
	{"Gone", byDigest, func(s subject) {
		s.create(record(1), record(2))
		s.delete(record(1))
		s.purge(store.Query{})
		gone := func() {
			for _, d := range append(digests(record(1)), digests(record(2))...) {
				_, err := s.GetByDigest(s.Context(), d)
				s.is("GetByDigest of a record that is gone", err, store.ErrNotFound)
			}
		}
		gone()
		// Nor does another record with the same PK inherit what they had.
		a, b := bare(1, "a"), bare(2, "b")
		a.Digest, b.Digest = digest(1000), digest(1001)
		s.create(a, b)
		gone()
	}},
	{"Zero", "The zero digest is never found.", func(s subject) {
		none := bare(3, "c")
		none.Earlier = []store.EarlierKey{{}}
		s.create(bare(1, "a"), bare(2, "b"), none) // which have never retired a key
		_, err := s.GetByDigest(s.Context(), store.Digest{})
		s.is("GetByDigest of the zero digest", err, store.ErrNotFound)
	}},
}

var updateCases = []testCase{
	{"EveryField", fields, func(s subject) {
		s.create(record(1), record(2))
		r := store.Record{
			PK: record(1).PK, Identifier: "new", Intent: "recovery", User: "new@example.com", Description: "also new", Managed: "new",
			Expires: seconds(77), Expiring: false, Digest: digest(1000), Sealed: []byte("new"),
			Retired: digest(1001), RetiredUntil: seconds(78), Version: record(1).Version,
			Earlier: []store.EarlierKey{{Digest: digest(1002), Until: seconds(79)}},
			Scopes:  "*", Networks: "*", State: store.StateLocked, Metadata: `{"new":"1"}`, Via: store.PK{9},
		}
		r = s.update(r)
		r.Created, r.LastUsed, r.LastUsedFrom = record(1).Created, record(1).LastUsed, record(1).LastUsedFrom
		s.holds(r, record(2))
		s.same("Get by the new identifier", s.get("new"), r)
		_, err := s.Get(s.Context(), record(1).Identifier)
		s.is("Get by the old identifier", err, store.ErrNotFound)
		for _, d := range digests(record(1)) {
			_, err = s.GetByDigest(s.Context(), d)
			s.is("GetByDigest of a digest that the record had before", err, store.ErrNotFound)
		}
	}},
	{"EmptiesFields", fields, func(s subject) {
		s.create(record(1))
		r := bare(1, record(1).Identifier)
		r.Version = record(1).Version
		r = s.update(r)
		r.Created, r.LastUsed, r.LastUsedFrom = record(1).Created, record(1).LastUsed, record(1).LastUsedFrom
		s.holds(r)
	}},
	{"KeepsCreated", fields, func(s subject) {
		s.create(record(1))
		r := record(1)
		r.Created = seconds(-5000)
		s.update(r)
		if got := s.get(r.Identifier).Created; !got.Equal(record(1).Created) {
			s.Fatalf("Created is %v after an update, want %v as before", got, record(1).Created)
		}
	}},
	{"KeepsLastUsed", fields, func(s subject) {
		// Neither an earlier nor a later use, nor none, overwrites what is there.
		a, b, c := record(1), record(2), record(3)
		c.LastUsed, c.LastUsedFrom = time.Time{}, ""
		s.create(a, b, c)
		for _, t := range []time.Time{seconds(-5000), seconds(5000), {}} {
			for _, r := range []*store.Record{&a, &b, &c} {
				u := *r
				u.LastUsed, u.LastUsedFrom = t, "elsewhere"
				r.Version = s.update(u).Version
			}
			s.holds(a, b, c)
		}
	}},
	{"Version", ifStill, func(s subject) {
		r := record(1)
		r.Version = 0
		s.create(r)
		for version := range int64(5) {
			for _, wrong := range []int64{version - 1, version + 1, version + 1000, -version - 1, math.MaxInt64} {
				u := r
				u.Version = wrong
				s.is(fmt.Sprintf("Update at version %d of a record at %d", wrong, version), s.Update(s.Context(), u), store.ErrStale)
			}
			r.Version = version
			s.update(r)
			if got := s.get(r.Identifier).Version; got != version+1 {
				s.Fatalf("the version is %d after an update at %d, want %d", got, version, version+1)
			}
			r.Version = version + 1
		}
	}},
	{"Missing", "It returns ErrNotFound if there is no such PK, ErrStale if the version is another one, and a *TakenError like Create.", func(s subject) {
		s.create(record(1))
		s.is("Update of a PK that no record has", s.Update(s.Context(), record(2)), store.ErrNotFound)
		r := record(1) // all but the PK is there
		r.PK = record(2).PK
		s.is("Update of a PK that no record has, with another's fields", s.Update(s.Context(), r), store.ErrNotFound)
		s.holds(record(1))
	}},
	{"StaleAndTaken", "If several of these apply, it returns the first.", func(s subject) {
		s.create(record(1), record(2))
		r := record(1)
		r.Identifier, r.Version = record(2).Identifier, r.Version-1
		s.is("Update at an outdated version to an identifier that is taken", s.Update(s.Context(), r), store.ErrStale)
	}},
	{"Others", ifStill, func(s subject) {
		s.create(record(1), record(2), record(3))
		r := s.update(record(2))
		s.holds(record(1), r, record(3))
	}},
}

const deletes = "Delete removes the record that has this PK if its version is still version."

var deleteCases = []testCase{
	{"One", deletes, func(s subject) {
		s.create(record(1), record(2), record(3))
		s.delete(record(2))
		s.holds(record(1), record(3))
		_, err := s.Get(s.Context(), record(2).Identifier)
		s.is("Get of a record that was deleted", err, store.ErrNotFound)
	}},
	{"Version", deletes, func(s subject) {
		r := record(1)
		s.create(r)
		for _, wrong := range []int64{0, r.Version - 1, r.Version + 1, -r.Version} {
			s.is(fmt.Sprintf("Delete at version %d of a record at %d", wrong, r.Version), s.Delete(s.Context(), r.PK, wrong), store.ErrStale)
		}
		r = s.update(r)
		s.delete(r)
		s.holds()
	}},
	{"Twice", "It returns ErrNotFound if there is no such PK and ErrStale if the version is another one.", func(s subject) {
		s.create(record(1))
		s.delete(record(1))
		s.is("Delete of a record that was deleted", s.Delete(s.Context(), record(1).PK, record(1).Version), store.ErrNotFound)
	}},
}

const (
	touches  = "Touch sets LastUsed and LastUsedFrom of each record named, where At is later than the LastUsed it has."
	passes   = "It leaves the version alone, and passes over PKs that are not there."
	usesAll  = "All uses are recorded, or none."
	fromText = "From is free text, usually a remote address."
)

var touchCases = []testCase{
	{"Later", touches, func(s subject) {
		a, b, c := record(1), record(2), record(3)
		c.LastUsed, c.LastUsedFrom = time.Time{}, ""
		s.create(a, b, c)
		a.LastUsed, a.LastUsedFrom = seconds(1000), "2001:db8::1"
		c.LastUsed, c.LastUsedFrom = seconds(-1000), "192.0.2.7"
		s.touch(store.Use{PK: c.PK, At: c.LastUsed, From: c.LastUsedFrom}, store.Use{PK: a.PK, At: a.LastUsed, From: a.LastUsedFrom})
		s.holds(a, b, c)
	}},
	{"NotEarlier", touches, func(s subject) {
		r := record(1)
		s.create(r)
		for _, at := range []time.Time{r.LastUsed, r.LastUsed.Add(-time.Microsecond), r.LastUsed.Add(-time.Hour), {}} {
			s.touch(store.Use{PK: r.PK, At: at, From: "elsewhere"})
			s.holds(r)
		}
		r.LastUsed, r.LastUsedFrom = r.LastUsed.Add(time.Microsecond), "elsewhere"
		s.touch(store.Use{PK: r.PK, At: r.LastUsed, From: r.LastUsedFrom})
		s.holds(r)
	}},
	{"From", fromText, func(s subject) {
		// It goes with the time, even if it is empty.
		r := record(1)
		s.create(r)
		for n, from := range []string{"", "a proxy, by way of another: ‘é’", "192.0.2.1:443"} {
			r.LastUsed, r.LastUsedFrom = seconds(1000+n), from
			s.touch(store.Use{PK: r.PK, At: r.LastUsed, From: from})
			s.holds(r)
		}
	}},
	{"Version", passes, func(s subject) {
		r := record(1)
		s.create(r)
		r.LastUsed = seconds(1000)
		s.touch(store.Use{PK: r.PK, At: r.LastUsed, From: r.LastUsedFrom})
		if got := s.get(r.Identifier).Version; got != r.Version {
			s.Fatalf("the version is %d after Touch, want %d as before", got, r.Version)
		}
		s.holds(s.update(r))
	}},
	{"Unknown", passes, func(s subject) {
		r := record(1)
		s.create(r)
		r.LastUsed, r.LastUsedFrom = seconds(1000), "a"
		s.touch(
			store.Use{PK: record(2).PK, At: seconds(1000), From: "b"},
			store.Use{PK: r.PK, At: r.LastUsed, From: r.LastUsedFrom},
			store.Use{PK: record(3).PK, At: seconds(1000), From: "c"},
		)
		s.holds(r)
		s.touch(store.Use{PK: record(2).PK, At: seconds(1001), From: "b"})
		s.holds(r)
	}},
	{"Nothing", usesAll, func(s subject) {
		s.create(record(1))
		s.touch()
		s.touch([]store.Use{}...)
		s.holds(record(1))
	}},
	{"Twice", touches, func(s subject) {
		// The latest of several uses counts, wherever in the slice it is.
		a, b, c := record(1), record(2), record(3)
		s.create(a, b, c)
		var uses []store.Use
		for _, n := range []int{1002, 1003, 1001} {
			uses = append(uses, store.Use{PK: a.PK, At: seconds(n), From: fmt.Sprint("host-", n)})
		}
		for _, n := range []int{1003, 1001} {
			uses = append(uses, store.Use{PK: b.PK, At: seconds(n), From: fmt.Sprint("host-", n)})
		}
		for _, n := range []int{1001, 1003} {
			uses = append(uses, store.Use{PK: c.PK, At: seconds(n), From: fmt.Sprint("host-", n)})
		}
		s.touch(uses...)
		for _, r := range []*store.Record{&a, &b, &c} {
			r.LastUsed, r.LastUsedFrom = seconds(1003), "host-1003"
		}
		s.holds(a, b, c)
	}},
}
