package storetest

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/authtoken/authtoken/store"
)

const (
	callersOwn = "What goes in and what comes out is the caller's: changing a Record, its Sealed bytes, its Earlier keys, a Query or a slice after the call changes nothing in the store."
	exactText  = "Strings come back exactly as they went in."
	kept       = "Times are kept to the microsecond and come back in UTC; anything finer may be dropped."
	zeroTime   = `The zero time.Time stands for "none" and comes back as such.`
	anyYear    = "Any time from the year 1 to the year 9999 can be kept."
)

// scribble changes every byte of b.
func scribble(b []byte) {
	for i := range b {
		b[i] ^= 0xff
	}
}

var aliasingCases = []testCase{
	{"SealedIntoCreate", callersOwn, func(s subject) {
		r := record(1)
		s.create(r)
		scribble(r.Sealed)
		s.holds(record(1))
	}},
	{"SealedIntoUpdate", callersOwn, func(s subject) {
		s.create(record(1))
		r := record(1)
		r.Sealed = []byte("sealed anew")
		want := s.update(r)
		want.Sealed = []byte("sealed anew")
		scribble(r.Sealed)
		s.holds(want)
	}},
	{"SealedOutOfGet", callersOwn, func(s subject) {
		s.create(record(1))
		scribble(s.get(record(1).Identifier).Sealed)
		s.holds(record(1))
	}},
	{"SealedOutOfGetByDigest", callersOwn, func(s subject) {
		s.create(record(1))
		scribble(s.getByDigest(record(1).Digest).Sealed)
		scribble(s.getByDigest(record(1).Retired).Sealed)
		s.same("Get", s.get(record(1).Identifier), record(1))
		scribble(s.getByDigest(record(1).Digest).Sealed)
		s.same("GetByDigest", s.getByDigest(record(1).Digest), record(1))
	}},
	{"SealedOutOfList", callersOwn, func(s subject) {
		s.create(record(1))
		scribble(s.list(store.Query{})[0].Sealed)
		s.holds(record(1))
	}},
	{"EarlierIntoCreate", callersOwn, func(s subject) {
		r := record(1)
		s.create(r)
		clear(r.Earlier)
		s.holds(record(1))
		s.same("GetByDigest", s.getByDigest(record(1).Earlier[0].Digest), record(1))
	}},
	{"EarlierIntoUpdate", callersOwn, func(s subject) {
		s.create(record(1))
		r := record(1)
		r.Earlier = record(2).Earlier
		want := s.update(r)
		want.Earlier = record(2).Earlier
		clear(r.Earlier)
		s.holds(want)
		s.same("GetByDigest", s.getByDigest(want.Earlier[0].Digest), want)
	}},
	{"EarlierOutOfGet", callersOwn, func(s subject) {
		s.create(record(1))
		r := s.get(record(1).Identifier)
		_ = append(r.Earlier[:1], store.EarlierKey{})
		clear(r.Earlier)
		s.holds(record(1))
	}},
	{"EarlierOutOfGetByDigest", callersOwn, func(s subject) {
		s.create(record(1))
		for _, d := range digests(record(1)) {
			clear(s.getByDigest(d).Earlier)
			s.same("Get", s.get(record(1).Identifier), record(1))
		}
	}},
	{"EarlierOutOfList", callersOwn, func(s subject) {
		s.create(record(1))
		clear(s.list(store.Query{})[0].Earlier)
		s.holds(record(1))
	}},
	{"RecordsOutOfList", callersOwn, func(s subject) {
		want := []store.Record{record(1), record(2), record(3)}
		s.create(want...)
		rs := s.list(store.Query{})
		rs[0], rs[1] = rs[1], store.Record{}
		_ = append(rs[:1], record(9))
		s.holds(want...)
	}},
	{"RecordsOutOfPurge", callersOwn, func(s subject) {
		s.create(record(1), record(2), record(3), record(4))
		rs := s.purge(store.Query{Limit: 2})
		_ = append(rs, record(8), record(9))
		clear(rs)
		s.holds(record(3), record(4))
	}},
	{"Query", callersOwn, func(s subject) {
		s.create(record(1), record(2), record(3))
		query := func() store.Query {
			after, yes := record(1), true
			return store.Query{
				Users:        []string{"9", "7", "8", "7"},
				Intents:      []string{"recovery", "api", "api"},
				Expiring:     &yes,
				ExpiryBefore: seconds(100_000).In(time.FixedZone("", 3600)),
				Words:        []store.Word{{Text: "TOKEN", Users: []string{"3", "2"}}, {Text: "É", Users: []string{"7"}}},
				Order:        []store.Order{{Field: store.FieldUser, Desc: true}, {Field: store.FieldIdentifier}},
				After:        &after,
				Offset:       1,
				Limit:        1,
			}
		}
		q := query()
		for _, method := range []struct {
			name string
			call func()
		}{
			{"List", func() { s.list(q) }},
			{"Count", func() { s.count(q) }},
			{"Purge", func() { s.purge(q) }},
		} {
			if method.call(); !reflect.DeepEqual(q, query()) {
				s.Fatalf("%s has changed the query it was given to %s", method.name, describe(q))
			}
		}
	}},
	{"Uses", callersOwn, func(s subject) {
		r := record(1)
		s.create(r)
		uses := []store.Use{{PK: record(2).PK, At: seconds(200)}, {PK: r.PK, At: seconds(100), From: "a"}, {PK: r.PK, At: seconds(99), From: "b"}}
		given := slices.Clone(uses)
		s.touch(uses...)
		if !slices.Equal(uses, given) {
			s.Fatalf("Touch has changed the slice it was given to %v, want %v", uses, given)
		}
		clear(uses)
		r.LastUsed, r.LastUsedFrom = seconds(100), "a"
		s.holds(r)
	}},
}

// texts are strings that are easily spoilt.
var texts = []string{
	"plain", " leading and trailing ", "tab\tnewline\ncarriage return\r\nend\n", "\x01\x02\x1b[31m\x7f",
	`'single' "double" ` + "`back`", `back\slash \n \x00 \\`, "100% _ * ? [a-z]", "; DROP TABLE tokens; --", "$1 ? :name @p1 %s %d {0}",
	"NULL", "0", "-1", "1e10", "007", "true",
	"ÆØÅ æøå", "naïve cafe\u0301 café", "日本語", "עברית العربية", "\u202eright to left", "\ufeffmark\u200b\u00ad\u00a0\u2028",
	"😀👩‍👩‍👧‍👦🏳️‍🌈", "\U0010ffff\uffff\ufffd", "ﬁ ß ẞ İ ı K ſ",
}

var textCases = []testCase{
	{"Anything", exactText, func(s subject) {
		var want []store.Record
		for i, text := range append(texts, strings.Repeat("x", 255), strings.Repeat("é", 255), strings.Repeat("😀", 255)) {
			r := record(i)
			r.Identifier, r.Intent, r.Description, r.Managed, r.LastUsedFrom = text, text, text, text, text
			s.create(r)
			want = append(want, r)
		}
		for _, r := range want {
			s.same("Get", s.get(r.Identifier), r)
		}
		s.holds(want...)
	}},
	{"Updated", exactText, func(s subject) {
		r := record(1)
		s.create(r)
		for i, text := range texts {
			r.Identifier, r.Intent, r.Description, r.Managed = text, text, text, text
			r = s.update(r)
			r.LastUsed, r.LastUsedFrom = seconds(1000+i), text
			s.touch(store.Use{PK: r.PK, At: r.LastUsed, From: text})
			s.same("Get", s.get(text), r)
		}
	}},
	{"Empty", exactText, func(s subject) {
		r := record(1)
		r.Intent, r.Description, r.Managed, r.LastUsedFrom = "", "", "", ""
		s.create(r)
		s.holds(r)
	}},
	{"Long", exactText, func(s subject) {
		r := record(1)
		r.Description = strings.Repeat("A long story, é. ", 20_000)
		s.create(r)
		s.holds(r)
	}},
}

// zone is somewhere else, and no whole number of hours away.
var zone = time.FixedZone("elsewhere", -(3*60*60 + 30*60))

// timed returns the nth record with all its times set to t.
func timed(n int, t time.Time) store.Record {
	r := record(n)
	r.Expires, r.RetiredUntil, r.Created, r.LastUsed = t, t, t, t
	r.Earlier[0].Until = t
	return r
}

// timesOf returns the times of r by name.
func timesOf(r store.Record) map[string]time.Time {
	return map[string]time.Time{
		"Expires": r.Expires, "RetiredUntil": r.RetiredUntil, "Created": r.Created, "LastUsed": r.LastUsed,
		"Earlier[0].Until": r.Earlier[0].Until,
	}
}

var timeCases = []testCase{
	{"Microseconds", kept, func(s subject) {
		for i, t := range []time.Time{
			epoch.Add(time.Microsecond), epoch.Add(999_999 * time.Microsecond), epoch.Add(123_456 * time.Microsecond),
			time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Unix(0, 0).UTC(), time.Date(1901, 2, 3, 4, 5, 6, 7000, time.UTC),
		} {
			s.create(timed(i, t))
			s.same("Get", s.get(record(i).Identifier), timed(i, t))
			touched := t.Add(time.Microsecond)
			s.touch(store.Use{PK: record(i).PK, At: touched})
			if got := s.get(record(i).Identifier).LastUsed; !got.Equal(touched) {
				s.Fatalf("LastUsed is %v after Touch at %v", got, touched)
			}
		}
	}},
	{"UTC", kept, func(s subject) {
		s.create(timed(1, epoch.In(zone)), timed(2, epoch.In(time.Local)))
		s.touch(store.Use{PK: record(2).PK, At: seconds(1).In(zone)})
		rs := append(s.list(store.Query{}), s.get(record(1).Identifier), s.getByDigest(record(1).Digest), s.getByDigest(record(1).Retired))
		rs = append(rs, s.purge(store.Query{})...)
		for _, r := range rs {
			for field, t := range timesOf(r) {
				if t.Location() != time.UTC {
					s.Errorf("%s of %s comes back as %v, in %v; want UTC", field, name(r), t, t.Location())
				}
			}
		}
		s.same("Purge", rs[len(rs)-2], timed(1, epoch))
	}},
	{"Nanoseconds", kept, func(s subject) {
		for i, t := range []time.Time{epoch.Add(123_456_789), time.Date(1960, 1, 1, 0, 0, 0, 999_999_999, time.UTC)} {
			s.create(timed(i, t))
			for field, got := range timesOf(s.get(record(i).Identifier)) {
				if !got.Equal(t) && !got.Equal(t.Truncate(time.Microsecond)) {
					s.Errorf("%s set to %v comes back as %v, want that, or without what is finer than microseconds", field, t, got)
				}
			}
		}
	}},
	{"None", zeroTime, func(s subject) {
		r := timed(1, time.Time{})
		s.create(r, record(2))
		u := timed(2, time.Time{})
		u.Version = record(2).Version
		u = s.update(u)
		u.Created, u.LastUsed = record(2).Created, record(2).LastUsed
		s.holds(r, u)
		for _, r := range s.list(store.Query{}) {
			if r.Expires != (time.Time{}) || r.RetiredUntil != (time.Time{}) || r.Earlier[0].Until != (time.Time{}) {
				s.Errorf("no time comes back as %#v, want time.Time{}", r.Expires)
			}
		}
	}},
	{"Years", anyYear, func(s subject) {
		var want []store.Record
		for i, t := range []time.Time{
			time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(1, 12, 31, 23, 59, 59, 0, time.UTC),
			time.Date(1582, 10, 10, 0, 0, 0, 0, time.UTC), time.Date(1677, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC), time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		} {
			want = append(want, timed(i, t))
			s.create(want[i])
		}
		s.holds(want...)
		s.identifiers("List by expiry", s.list(store.Query{Order: []store.Order{{Field: store.FieldExpires}}}),
			"token-000", "token-001", "token-002", "token-003", "token-004", "token-005", "token-006")
	}},
}

var createCases = []testCase{
	{"AsItIs", "Create adds r as it is, including its Version and LastUsed.", func(s subject) {
		a, b := record(1), bare(2, "bare")
		s.create(a, b)
		s.same("Get", s.get(a.Identifier), a)
		s.same("Get", s.get(b.Identifier), b)
		s.holds(a, b)
	}},
	{"Numbers", "Create adds r as it is, including its Version and LastUsed.", func(s subject) {
		var want []store.Record
		for i, n := range []int64{0, 1, 1 << 40, math.MaxInt64, 1<<53 + 1} {
			r := record(i)
			r.Version = n
			want = append(want, r)
			s.create(r)
		}
		s.holds(want...)
	}},
	{"ExpiryOfTheImmortal", "whether Expires means anything", func(s subject) {
		a, b := record(1), record(2)
		a.Expiring = false // but Expires is kept
		b.Expires = time.Time{}
		s.create(a, b)
		s.holds(a, b)
	}},
	{"Sealed", "the current key, encrypted; nil for none, and empty is the same as nil", func(s subject) {
		a, b, c := record(1), record(2), record(3)
		a.Sealed, b.Sealed, c.Sealed = nil, []byte{}, make([]byte, 70_000)
		for i := range c.Sealed {
			c.Sealed[i] = byte(i)
		}
		s.create(a, b, c)
		s.holds(a, b, c)
	}},
	{"TakenTwice", "Create returns a *TakenError naming a field whose value another record has; if several are taken, it names any one of them.", func(s subject) {
		s.create(record(1), record(2))
		r := record(3)
		r.Identifier, r.Digest, r.Managed = record(1).Identifier, record(1).Digest, record(2).Managed
		s.taken("Create of a record three fields of which are taken", s.Create(s.Context(), r, 0),
			store.FieldIdentifier, store.FieldDigest, store.FieldManaged)
		s.taken("Create of the same record again", s.Create(s.Context(), record(1), 0),
			store.FieldPK, store.FieldIdentifier, store.FieldDigest, store.FieldManaged)
	}},
}

var getCases = []testCase{
	{"Found", "Get returns the record with this identifier, or ErrNotFound.", func(s subject) {
		s.create(record(1), record(2), record(3))
		s.same("Get", s.get(record(2).Identifier), record(2))
	}},
	{"Exactly", "Get returns the record with this identifier, or ErrNotFound.", func(s subject) {
		s.create(record(1))
		for _, identifier := range []string{"", "token", "token-00", "token-0011", "TOKEN-001", "token-001 ", " token-001", "token-%", "token-00_", "token-*", "*", "%"} {
			_, err := s.Get(s.Context(), identifier)
			s.is(fmt.Sprintf("Get(%q) where there is only %q", identifier, record(1).Identifier), err, store.ErrNotFound)
		}
	}},
	{"Emptied", "Get returns the record with this identifier, or ErrNotFound.", func(s subject) {
		_, err := s.Get(s.Context(), "anything")
		s.is("Get from an empty store", err, store.ErrNotFound)
		s.create(record(1))
		s.delete(record(1))
		_, err = s.Get(s.Context(), record(1).Identifier)
		s.is("Get of a record that was deleted", err, store.ErrNotFound)
	}},
}
