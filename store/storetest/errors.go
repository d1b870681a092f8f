package storetest

import (
	"github.com/authtoken/authtoken/store"
)

const nothingChanges = "When a method returns an error, nothing has changed."

var errorCases = []testCase{
	{"NotFound", "A method that finds nothing returns an error matching ErrNotFound", func(s subject) {
		s.create(record(1))
		other := record(2)
		_, err := s.Get(s.Context(), other.Identifier)
		s.is("Get of an identifier that no record has", err, store.ErrNotFound)
		_, err = s.GetByDigest(s.Context(), other.Digest)
		s.is("GetByDigest of a digest that no record has", err, store.ErrNotFound)
		s.is("Update of a PK that no record has", s.Update(s.Context(), other), store.ErrNotFound)
		s.is("Delete of a PK that no record has", s.Delete(s.Context(), other.PK, other.Version), store.ErrNotFound)
	}},
	{"Taken", "a write that would break a uniqueness rule returns a *TakenError, which matches ErrTaken", func(s subject) {
		s.create(record(1), record(2))
		r := record(3)
		r.Identifier = record(1).Identifier
		s.taken("Create of an identifier that another record has", s.Create(s.Context(), r, 0), store.FieldIdentifier)
		r = record(2)
		r.Identifier = record(1).Identifier
		s.taken("Update to an identifier that another record has", s.Update(s.Context(), r), store.FieldIdentifier)
	}},
	{"Stale", "a write based on an outdated version returns an error matching ErrStale", func(s subject) {
		s.create(record(1))
		s.update(record(1))
		old := record(1)
		s.is("Update at the version before", s.Update(s.Context(), old), store.ErrStale)
		s.is("Delete at the version before", s.Delete(s.Context(), old.PK, old.Version), store.ErrStale)
	}},

	{"Limit", "a Create beyond its limit returns an error matching ErrLimit", func(s subject) {
		s.create(record(1))
		s.is("Create of a second record with a limit of 1", s.Create(s.Context(), record(2), 1), store.ErrLimit)
	}},

	{"FailedCreate", nothingChanges, func(s subject) {
		s.create(record(1), record(2))
		for _, field := range uniqueFields {
			r := record(3)
			field.copy(&r, record(1))
			s.is("Create of a "+string(field.name)+" that is taken", s.Create(s.Context(), r, 0), store.ErrTaken)
			s.holds(record(1), record(2))
			s.untouched(record(3), record(1), record(2))
		}
		s.is("Create beyond its limit", s.Create(s.Context(), record(3), 2), store.ErrLimit)
		s.holds(record(1), record(2))
		s.untouched(record(3), record(1), record(2))
	}},
	{"FailedUpdate", nothingChanges, func(s subject) {
		s.create(record(1), record(2))
		// Everything about the new record is free, but for one field.
		for _, field := range uniqueFields[1:] {
			r := record(3)
			r.PK, r.Version = record(1).PK, record(1).Version
			field.copy(&r, record(2))
			s.is("Update to a "+string(field.name)+" that is taken", s.Update(s.Context(), r), store.ErrTaken)
			s.holds(record(1), record(2))
			s.untouched(record(3), record(1), record(2))
		}
		r := record(3)
		r.PK, r.Version = record(1).PK, record(1).Version+1
		s.is("Update at another version", s.Update(s.Context(), r), store.ErrStale)
		s.holds(record(1), record(2))
		s.untouched(record(3), record(1), record(2))
		s.is("Update of another PK", s.Update(s.Context(), record(3)), store.ErrNotFound)
		s.holds(record(1), record(2))
		s.untouched(record(3), record(1), record(2))
	}},
	{"FailedDelete", nothingChanges, func(s subject) {
		s.create(record(1), record(2))
		s.is("Delete at another version", s.Delete(s.Context(), record(1).PK, record(1).Version+1), store.ErrStale)
		s.holds(record(1), record(2))
		s.untouched(record(3), record(1), record(2))
	}},
}

// untouched checks that a write of absent which failed has left no trace in any
// index: that it is not found by anything it was to have, that its values are
// free, and that those present are found by all of theirs.
func (s subject) untouched(absent store.Record, present ...store.Record) {
	s.Helper()
	_, err := s.Get(s.Context(), absent.Identifier)
	s.is("after a failed write, Get of the identifier it had", err, store.ErrNotFound)
	for _, d := range digests(absent) {
		_, err = s.GetByDigest(s.Context(), d)
		s.is("after a failed write, GetByDigest of a digest it had", err, store.ErrNotFound)
	}
	for _, r := range present {
		s.same("after a failed write, Get of a record that was there", s.get(r.Identifier), r)
		s.same("after a failed write, GetByDigest of a record that was there", s.getByDigest(r.Digest), r)
		s.same("after a failed write, GetByDigest of a key retired before", s.getByDigest(r.Retired), r)
		for _, k := range r.Earlier {
			s.same("after a failed write, GetByDigest of an earlier key", s.getByDigest(k.Digest), r)
		}
	}
	s.create(absent)
	s.delete(absent)
}

// uniqueFields are the fields that no two records may share; the PK, which an
// update cannot change, is first.
var uniqueFields = []struct {
	name store.Field
	copy func(to *store.Record, from store.Record)
	same func(a, b store.Record) bool // whether they collide
}{
	{
		store.FieldPK,
		func(to *store.Record, from store.Record) { to.PK = from.PK },
		func(a, b store.Record) bool { return a.PK == b.PK },
	},
	{
		store.FieldIdentifier,
		func(to *store.Record, from store.Record) { to.Identifier = from.Identifier },
		func(a, b store.Record) bool { return a.Identifier == b.Identifier },
	},
	{
		store.FieldManaged,
		func(to *store.Record, from store.Record) { to.Managed = from.Managed },
		func(a, b store.Record) bool { return a.Managed == b.Managed && a.Managed != "" },
	},
	{
		store.FieldDigest,
		func(to *store.Record, from store.Record) { to.Digest = from.Digest },
		func(a, b store.Record) bool { return a.Digest == b.Digest },
	},
}
