package storetest

import (
	"fmt"

	"github.com/authtoken/authtoken/store"
)

const (
	noTwo      = "No two records share a PK, an Identifier, a Digest, or a Managed that is not empty."
	byteByByte = `Identifiers and Managed are compared byte by byte: "A" and "a" differ.`
)

// lookalikes are texts that a collation other than bytes may take for one.
var lookalikes = []string{
	"a", "A", "a ", " a", "a\u00a0", "á", "Á", "a\u0301", "ａ", "ß", "ss", "ẞ", "K", "k", "\u212a", "I", "i", "İ", "ı",
	"%", "_", "*", "\\", "a%", "a_", "1", "01", "1.0", "1e0", "0x1", "true",
}

var uniquenessCases = []testCase{
	{"PKOnCreate", noTwo, onCreate(0)},
	{"IdentifierOnCreate", noTwo, onCreate(1)},
	{"ManagedOnCreate", noTwo, onCreate(2)},
	{"DigestOnCreate", noTwo, onCreate(3)},
	{"IdentifierOnUpdate", noTwo, onUpdate(1)},
	{"ManagedOnUpdate", noTwo, onUpdate(2)},
	{"DigestOnUpdate", noTwo, onUpdate(3)},

	{"EmptyManaged", noTwo, func(s subject) {
		a, b, c := bare(1, "a"), bare(2, "b"), record(3)
		s.create(a, b, c)
		c.Managed = ""
		c = s.update(c)
		s.holds(a, b, c)
	}},
	{"FreedByUpdate", noTwo, func(s subject) {
		a := record(1)
		s.create(a)
		b := record(2)
		b.PK, b.Version, b.Created, b.LastUsed = a.PK, a.Version, a.Created, a.LastUsed
		b = s.update(b)
		// All that the first had but its PK is free again.
		c := record(1)
		c.PK = record(3).PK
		s.create(c)
		s.holds(b, c)
	}},
	{"FreedByDelete", noTwo, func(s subject) {
		s.create(record(1), record(2))
		s.delete(record(1))
		s.create(record(1))
		s.holds(record(1), record(2))
	}},
	{"FreedByPurge", noTwo, func(s subject) {
		s.create(record(1), record(2))
		s.purge(store.Query{Identifier: record(1).Identifier})
		s.create(record(1))
		s.holds(record(1), record(2))
	}},

	{"IdentifierBytes", byteByByte, func(s subject) {
		var want []store.Record
		for i, text := range lookalikes {
			r := bare(i, text)
			want = append(want, r)
			s.create(r)
		}
		for i, text := range lookalikes {
			s.same(fmt.Sprintf("Get(%q)", text), s.get(text), want[i])
		}
	}},
	{"ManagedBytes", byteByByte, func(s subject) {
		for i, text := range lookalikes {
			r := bare(i, fmt.Sprint("token-", i))
			r.Managed = text
			s.create(r)
		}
	}},
	{"DigestBytes", noTwo, func(s subject) {
		// Digests are bytes, all of which count.
		var want []store.Record
		for i, d := range []store.Digest{
			{0: 'a'}, {0: 'A'}, {0: 'a', 1: ' '}, {0: 0xff}, {0: 0xfe}, {31: 1}, {31: 2}, {30: 1}, {0: 0xc3, 1: 0x28},
		} {
			r := bare(i, fmt.Sprint("token-", i))
			r.Digest = d
			want = append(want, r)
			s.create(r)
		}
		for _, r := range want {
			s.same("GetByDigest", s.getByDigest(r.Digest), r)
		}
	}},
	{"PKBytes", noTwo, func(s subject) {
		var want []store.Record
		for i, pk := range []store.PK{
			{}, {0: 'a'}, {0: 'A'}, {0: 'a', 1: ' '}, {0: 0xff}, {15: 1}, {15: 2}, {7: 1}, {0: 0xc3, 1: 0x28},
		} {
			r := bare(i, fmt.Sprint("token-", i))
			r.PK = pk
			want = append(want, r)
			s.create(r)
		}
		for i := range want {
			want[i] = s.update(want[i])
		}
		s.holds(want...)
	}},

	{"Retired", "Retired and Earlier digests need not be unique.", func(s subject) {
		a, b, c := record(1), record(2), record(3)
		b.Retired = a.Retired // the same as another's
		c.Retired = a.Digest  // another's current one
		b.Earlier[0].Digest, b.Earlier[1].Digest = a.Earlier[1].Digest, a.Retired
		c.Earlier[0].Digest, c.Earlier[1].Digest = a.Digest, a.Digest
		s.create(a, b, c)
		a.Retired = a.Digest // its own
		a.Earlier[0].Digest = a.Digest
		a = s.update(a)
		s.holds(a, b, c)
	}},
	{"Self", "A record does not collide with itself.", func(s subject) {
		r := record(1)
		s.create(r)
		r = s.update(r) // all the same
		r.Identifier = "another"
		r = s.update(r)
		r.Managed = "another"
		r = s.update(r)
		r.Digest = digest(1000)
		r = s.update(r)
		s.holds(r)
	}},
}

// onCreate is the case of a record that has one field of another's.
func onCreate(i int) func(subject) {
	return func(s subject) {
		field := uniqueFields[i]
		s.create(record(1))
		r := record(2)
		field.copy(&r, record(1))
		s.taken(fmt.Sprintf("Create with a %s that another record has", field.name), s.Create(s.Context(), r, 0), field.name)
		s.holds(record(1))
	}
}

// onUpdate is the same for an update.
func onUpdate(i int) func(subject) {
	return func(s subject) {
		field := uniqueFields[i]
		s.create(record(1), record(2))
		r := record(2)
		field.copy(&r, record(1))
		s.taken(fmt.Sprintf("Update to a %s that another record has", field.name), s.Update(s.Context(), r), field.name)
		s.holds(record(1), record(2))
	}
}
