package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

const (
	ifEveryFilter = "A record matches if every filter that is set does."
	zeroQuery     = "Its zero value matches all of them, by identifier."
	exactly       = "exactly; empty for any"
	oneOfThem     = "Users and Intents match a record whose User, or Intent, is one of them. Nil is any; empty but not nil is none."
	oneState      = "States matches a record whose State is one of them. Nil is any; empty but not nil is none."
	oneScope      = "one of the names in Scopes, exactly; empty for any"
	exactVia      = "exactly; zero for any"
	exactExpiry   = "exactly, to the microsecond; zero for any"
	eitherWay     = "nil for either"
	expiryRange   = "ExpiryFrom and ExpiryBefore match records that are Expiring and whose Expires, which must be set, is not before the one and is before the other. Zero is no bound."
	noMatch       = "No match is no error."
)

// shelf returns six records that differ in what queries look at. They are in
// order of their identifiers, and in no order of anything else.
func shelf() []store.Record {
	put := func(n int, identifier, intent, user, description, managed string, expires int, expiring bool) store.Record {
		r := bare(n, identifier)
		r.Intent, r.User, r.Description, r.Managed, r.Expiring = intent, user, description, managed, expiring
		if expires != 0 {
			r.Expires = seconds(expires)
		}
		return r
	}
	records := []store.Record{
		put(4, "alpha", "api", "1", "first", "", 0, false),
		put(2, "bravo", "api", "2", "", "m/bravo", 100, true),
		put(6, "charlie", "recovery", "2", "first", "", 200, true),
		put(1, "delta", "app_password", "3", "First", "m/delta", 200, false),
		put(5, "echo", "verification", "-1", "", "", 0, true),
		put(3, "foxtrot", "api", "1", "sixth%", "", 300, true),
	}
	for i, limits := range []struct {
		scopes string
		state  store.State
		via    store.PK
	}{
		{"*", store.StateActive, store.PK{}},
		{"notes:read notes:write", store.StateSuspended, record(1).PK},
		{"notes_read", store.StateLocked, record(1).PK},
		{"notes:read", store.StateActive, record(1).PK}, // and the next one has none
		{"", 0, store.PK{}},
		{"Notes:read tokens", store.StateActive, store.PK{}},
	} {
		records[i].Scopes, records[i].State, records[i].Via = limits.scopes, limits.state, limits.via
	}
	return records
}

// filter is a query and the records of the shelf that it matches.
type filter struct {
	name, rule string
	q          store.Query
	want       []string
}

func filters() []filter {
	yes, no := true, false
	api := []string{"api"}
	return []filter{
		{"All", zeroQuery, store.Query{}, []string{"alpha", "bravo", "charlie", "delta", "echo", "foxtrot"}},

		{"Identifier", exactly, store.Query{Identifier: "bravo"}, []string{"bravo"}},
		{"IdentifierCase", exactly, store.Query{Identifier: "Bravo"}, nil},
		{"IdentifierPart", exactly, store.Query{Identifier: "brav"}, nil},
		{"IdentifierPattern", exactly, store.Query{Identifier: "b%"}, nil},
		{"Description", exactly, store.Query{Description: "first"}, []string{"alpha", "charlie"}},
		{"DescriptionCase", exactly, store.Query{Description: "FIRST"}, nil},
		{"DescriptionPart", exactly, store.Query{Description: "sixth"}, nil},
		{"DescriptionPattern", exactly, store.Query{Description: "sixth%"}, []string{"foxtrot"}},
		{"Managed", exactly, store.Query{Managed: "m/delta"}, []string{"delta"}},
		{"ManagedPart", exactly, store.Query{Managed: "m/"}, nil},

		{"OneUser", oneOfThem, store.Query{Users: []string{"2"}}, []string{"bravo", "charlie"}},
		{"TwoUsers", oneOfThem, store.Query{Users: []string{"3", "1"}}, []string{"alpha", "delta", "foxtrot"}},
		{"SameUserTwice", oneOfThem, store.Query{Users: []string{"2", "1", "2"}}, []string{"alpha", "bravo", "charlie", "foxtrot"}},
		{"SignedUser", oneOfThem, store.Query{Users: []string{"-1"}}, []string{"echo"}},
		{"OtherUser", oneOfThem, store.Query{Users: []string{"4"}}, nil},
		{"NilUsers", oneOfThem, store.Query{Users: nil, Description: "first"}, []string{"alpha", "charlie"}},
		{"NoUsers", oneOfThem, store.Query{Users: []string{}}, nil},
		{"OneIntent", oneOfThem, store.Query{Intents: []string{"api"}}, []string{"alpha", "bravo", "foxtrot"}},
		{"TwoIntents", oneOfThem, store.Query{Intents: []string{"recovery", "app_password"}}, []string{"charlie", "delta"}},
		{"SameIntentTwice", oneOfThem, store.Query{Intents: []string{"api", "recovery", "api"}}, []string{"alpha", "bravo", "charlie", "foxtrot"}},
		{"IntentCase", oneOfThem, store.Query{Intents: []string{"API"}}, nil},
		{"IntentPattern", oneOfThem, store.Query{Intents: []string{"app%password", "ap_"}}, nil},
		{"NilIntents", oneOfThem, store.Query{Intents: nil, Description: "first"}, []string{"alpha", "charlie"}},
		{"NoIntents", oneOfThem, store.Query{Intents: []string{}}, nil},
		{"NoUsersButIntents", oneOfThem, store.Query{Users: []string{}, Intents: []string{"api"}}, nil},

		{"OneState", oneState, store.Query{States: []store.State{store.StateActive}}, []string{"alpha", "delta", "foxtrot"}},
		{"TwoStates", oneState, store.Query{States: []store.State{store.StateLocked, store.StateSuspended}}, []string{"bravo", "charlie"}},
		{"NoneOfTheStates", oneState, store.Query{States: []store.State{0}}, []string{"echo"}},
		{"OtherState", oneState, store.Query{States: []store.State{4}}, nil},
		{"NilStates", oneState, store.Query{States: nil, Description: "first"}, []string{"alpha", "charlie"}},
		{"NoStates", oneState, store.Query{States: []store.State{}}, nil},
		{"Scope", oneScope, store.Query{Scope: "notes:read"}, []string{"bravo", "delta"}},
		{"ScopeLast", oneScope, store.Query{Scope: "notes:write"}, []string{"bravo"}},
		{"ScopeOfAll", oneScope, store.Query{Scope: "*"}, []string{"alpha"}},
		{"ScopePart", oneScope, store.Query{Scope: "notes"}, nil},
		{"ScopeEnd", oneScope, store.Query{Scope: "read"}, nil},
		{"ScopeCase", oneScope, store.Query{Scope: "NOTES:READ"}, nil},
		{"ScopeAnyCharacter", oneScope, store.Query{Scope: "notes_read"}, []string{"charlie"}},
		{"ScopePattern", oneScope, store.Query{Scope: "notes%"}, nil},
		{"ScopeGlob", oneScope, store.Query{Scope: "notes?read"}, nil},
		{"ScopesTogether", oneScope, store.Query{Scope: "notes:read notes:write"}, nil},
		{"Via", exactVia, store.Query{Via: record(1).PK}, []string{"bravo", "charlie", "delta"}},
		{"ViaOther", exactVia, store.Query{Via: store.PK{2}}, nil},

		{"Expires", exactExpiry, store.Query{Expires: seconds(200)}, []string{"charlie", "delta"}},
		{"ExpiresElsewhere", exactExpiry, store.Query{Expires: seconds(100).In(zone)}, []string{"bravo"}},
		{"ExpiresFiner", exactExpiry, store.Query{Expires: seconds(100).Add(999)}, []string{"bravo"}},
		{"ExpiresNext", exactExpiry, store.Query{Expires: seconds(100).Add(time.Microsecond)}, nil},
		{"Expiring", eitherWay, store.Query{Expiring: &yes}, []string{"bravo", "charlie", "echo", "foxtrot"}},
		{"NotExpiring", eitherWay, store.Query{Expiring: &no}, []string{"alpha", "delta"}},

		{"ExpiryFrom", expiryRange, store.Query{ExpiryFrom: seconds(200)}, []string{"charlie", "foxtrot"}},
		{"ExpiryFromNext", expiryRange, store.Query{ExpiryFrom: seconds(200).Add(time.Microsecond)}, []string{"foxtrot"}},
		{"ExpiryBefore", expiryRange, store.Query{ExpiryBefore: seconds(200)}, []string{"bravo"}},
		{"ExpiryBeforeNext", expiryRange, store.Query{ExpiryBefore: seconds(200).Add(time.Microsecond).In(zone)}, []string{"bravo", "charlie"}},
		{"ExpiryBetween", expiryRange, store.Query{ExpiryFrom: seconds(100), ExpiryBefore: seconds(300)}, []string{"bravo", "charlie"}},
		{"ExpiryNever", expiryRange, store.Query{ExpiryFrom: seconds(300), ExpiryBefore: seconds(100)}, nil},
		{"ExpiryEmpty", expiryRange, store.Query{ExpiryFrom: seconds(200), ExpiryBefore: seconds(200)}, nil},
		{"ExpiryAfterAll", expiryRange, store.Query{ExpiryFrom: seconds(301)}, nil},
		{"ExpiryBeforeAll", expiryRange, store.Query{ExpiryBefore: seconds(100)}, nil},
		{"ExpiryOfTheImmortal", expiryRange, store.Query{ExpiryFrom: seconds(0), Expiring: &no}, nil},
		{"ExpiryFromTheYear1", expiryRange, store.Query{ExpiryFrom: time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)}, []string{"bravo", "charlie", "foxtrot"}},
		{"ExpiryTillTheYear9999", expiryRange, store.Query{ExpiryBefore: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, []string{"bravo", "charlie", "foxtrot"}},

		{"IdentifierAndUser", ifEveryFilter, store.Query{Identifier: "bravo", Users: []string{"1"}}, nil},
		{"IdentifierAndManaged", ifEveryFilter, store.Query{Identifier: "bravo", Managed: "m/delta"}, nil},
		{"ManagedAndIntent", ifEveryFilter, store.Query{Managed: "m/bravo", Intents: api}, []string{"bravo"}},
		{"ManagedAndOtherIntent", ifEveryFilter, store.Query{Managed: "m/delta", Intents: api}, nil},
		{"UserAndIntent", ifEveryFilter, store.Query{Users: []string{"2"}, Intents: api}, []string{"bravo"}},
		{"UserAndExpiry", ifEveryFilter, store.Query{Users: []string{"1", "2"}, ExpiryFrom: seconds(200)}, []string{"charlie", "foxtrot"}},
		{"IntentAndExpiry", ifEveryFilter, store.Query{Intents: api, ExpiryBefore: seconds(250)}, []string{"bravo"}},
		{"DescriptionAndExpiring", ifEveryFilter, store.Query{Description: "first", Expiring: &yes}, []string{"charlie"}},
		{"ExpiresAndExpiring", ifEveryFilter, store.Query{Expires: seconds(200), Expiring: &no}, []string{"delta"}},
		{"ExpiresAndExpiry", ifEveryFilter, store.Query{Expires: seconds(200), ExpiryFrom: seconds(100)}, []string{"charlie"}},
		{"WordAndUser", ifEveryFilter, store.Query{Users: []string{"1"}, Words: []store.Word{{Text: "first"}}}, []string{"alpha"}},
		{"StateAndUser", ifEveryFilter, store.Query{Users: []string{"2"}, States: []store.State{store.StateLocked}}, []string{"charlie"}},
		{"ScopeAndUser", ifEveryFilter, store.Query{Users: []string{"3"}, Scope: "notes:read"}, []string{"delta"}},
		{"ViaAndIntent", ifEveryFilter, store.Query{Via: record(1).PK, Intents: api}, []string{"bravo"}},
		{"ScopeAndStateAndVia", ifEveryFilter, store.Query{Scope: "notes:read", States: []store.State{store.StateSuspended}, Via: record(1).PK}, []string{"bravo"}},
		{"EveryFilter", ifEveryFilter, store.Query{
			States: []store.State{store.StateSuspended}, Scope: "notes:read", Via: record(1).PK,
			Identifier: "bravo", Managed: "m/bravo", Users: []string{"2"}, Intents: api, Expires: seconds(100), Expiring: &yes,
			ExpiryFrom: seconds(100), ExpiryBefore: seconds(101), Words: []store.Word{{Text: "rav"}},
		}, []string{"bravo"}},
	}
}

var listCases = []testCase{
	{"Empty", noMatch, func(s subject) {
		s.identifiers("List of an empty store", s.list(store.Query{}))
		s.identifiers("List of an empty store", s.list(store.Query{Users: []string{"1"}, Limit: 3, Offset: 2}))
	}},
	{"WholeRecords", "List returns the records that match q", func(s subject) {
		want := []store.Record{record(1), bare(2, "x"), record(3)}
		s.create(want...)
		got := s.list(store.Query{Order: []store.Order{{Field: store.FieldPK}}})
		if len(got) != len(want) {
			s.Fatalf("List returns %s, want %s", names(got), names(want))
		}
		for i := range got {
			s.same("List", got[i], want[i])
		}
	}},
	{"AfterChanges", "List returns the records that match q", func(s subject) {
		// What records were before is not found any more.
		a, b, c := shelf()[0], shelf()[1], shelf()[2]
		s.create(a, b, c)
		a.User, a.Intent = "9", "recovery"
		b.Managed, b.Description = "", "changed"
		c.Expires, c.Expiring = seconds(999), true
		s.update(a)
		s.update(b)
		s.update(c)
		for _, f := range []filter{
			{q: store.Query{Users: []string{"1"}}},
			{q: store.Query{Users: []string{"9"}}, want: []string{"alpha"}},
			{q: store.Query{Managed: "m/bravo"}},
			{q: store.Query{Description: "changed"}, want: []string{"bravo"}},
			{q: store.Query{Intents: []string{"recovery"}}, want: []string{"alpha", "charlie"}},
			{q: store.Query{Expires: seconds(200)}},
			{q: store.Query{ExpiryFrom: seconds(200)}, want: []string{"charlie"}},
		} {
			s.identifiers("List("+describe(f.q)+") after updates", s.list(f.q), f.want...)
		}
	}},
	{"WordsAfterChanges", occurs, func(s subject) {
		r := bare(1, "before")
		s.create(r)
		r.Identifier, r.Intent, r.Description = "After", "Elsewhere", "Été"
		s.update(r)
		for text, want := range map[string][]string{"before": nil, "api": nil, "after": {"After"}, "else": {"After"}, "été": {"After"}} {
			q := store.Query{Words: []store.Word{{Text: text}}}
			s.identifiers("List("+describe(q)+") after an update", s.list(q), want...)
		}
	}},
}

func filterCases() []testCase {
	var cases []testCase
	for _, f := range filters() {
		cases = append(cases, testCase{f.name, f.rule, func(s subject) {
			s.identifiers("List("+describe(f.q)+")", s.list(f.q), f.want...)
		}})
	}
	return cases
}

var countCases = []testCase{
	{"Empty", "Count returns how many records match q", func(s subject) {
		if n := s.count(store.Query{}); n != 0 {
			s.Fatalf("Count of an empty store is %d, want 0", n)
		}
	}},
	{"Filters", "Count returns how many records match q", func(s subject) {
		s.create(shelf()...)
		for _, f := range filters() {
			if n := s.count(f.q); n != len(f.want) {
				s.Errorf("Count(%s) is %d, want %d", describe(f.q), n, len(f.want))
			}
		}
	}},
	{"Words", "Count returns how many records match q", func(s subject) {
		s.create(prose()...)
		for _, f := range searches() {
			if n := s.count(f.q); n != len(f.want) {
				s.Errorf("Count(%s) is %d, want %d", describe(f.q), n, len(f.want))
			}
		}
	}},
	{"Regardless", "without regard to its Order, After, Offset and Limit", func(s subject) {
		s.create(shelf()...)
		after := shelf()[3]
		for _, q := range []store.Query{
			{Limit: 2}, {Offset: 4}, {Offset: 1, Limit: 1}, {After: &after}, {Order: []store.Order{{Field: store.FieldUser, Desc: true}}},
			{Limit: 2, Offset: 100, After: &after, Order: []store.Order{{Field: store.FieldManaged}}},
		} {
			if n := s.count(q); n != 6 {
				s.Errorf("Count(%s) is %d, want 6", describe(q), n)
			}
			q.Users = []string{"1"}
			if n := s.count(q); n != 2 {
				s.Errorf("Count(%s) is %d, want 2", describe(q), n)
			}
		}
	}},
}

var purgeCases = []testCase{
	{"Filters", "Purge deletes the records that List would return for q and returns them", func(s subject) {
		for _, f := range append(filters(), filter{q: store.Query{Words: []store.Word{{Text: "RAV"}}}, want: []string{"bravo"}}) {
			s.create(shelf()...)
			s.identifiers("Purge("+describe(f.q)+")", s.purge(f.q), f.want...)
			s.holds(slices.DeleteFunc(shelf(), func(r store.Record) bool { return slices.Contains(f.want, r.Identifier) })...)
			s.purge(store.Query{})
		}
	}},
	{"WholeRecords", "Purge deletes the records that List would return for q and returns them", func(s subject) {
		s.create(record(1), bare(2, "x"))
		got := s.purge(store.Query{Order: []store.Order{{Field: store.FieldPK}}})
		if len(got) != 2 {
			s.Fatalf("Purge of both records returns %s", names(got))
		}
		s.same("Purge", got[0], record(1))
		s.same("Purge", got[1], bare(2, "x"))
		s.holds()
	}},
	{"Ordered", "in the same order", func(s subject) {
		for _, o := range []struct {
			order []store.Order
			want  []string
		}{
			{nil, []string{"alpha", "bravo", "charlie", "delta", "echo", "foxtrot"}},
			{[]store.Order{{Field: store.FieldExpires}}, []string{"bravo", "delta", "charlie", "foxtrot", "alpha", "echo"}},
			{[]store.Order{{Field: store.FieldCreated, Desc: true}}, []string{"charlie", "echo", "alpha", "foxtrot", "bravo", "delta"}},
		} {
			s.create(shelf()...)
			s.identifiers(fmt.Sprintf("Purge by %v", o.order), s.purge(store.Query{Order: o.order}), o.want...)
		}
	}},
	{"Limit", "Purge deletes the records that List would return for q and returns them", func(s subject) {
		s.create(shelf()...)
		q := store.Query{ExpiryBefore: seconds(1000), Order: []store.Order{{Field: store.FieldExpires}}, Limit: 2}
		s.identifiers("Purge of the first two that expire", s.purge(q), "bravo", "charlie")
		s.identifiers("List after that", s.list(store.Query{}), "alpha", "delta", "echo", "foxtrot")
		s.identifiers("Purge of two more", s.purge(q), "foxtrot")
		s.identifiers("Purge of yet more", s.purge(q))
		s.identifiers("List after that", s.list(store.Query{}), "alpha", "delta", "echo")
		q = store.Query{Order: []store.Order{{Field: store.FieldCreated}}, Limit: 2}
		s.identifiers("Purge of the oldest two", s.purge(q), "delta", "alpha")
		s.holds(shelf()[4])
	}},
	{"Page", "Purge deletes the records that List would return for q and returns them", func(s subject) {
		s.create(shelf()...)
		after := shelf()[1]
		s.identifiers("Purge of one page", s.purge(store.Query{After: &after, Offset: 1, Limit: 2}), "delta", "echo")
		s.identifiers("List after that", s.list(store.Query{}), "alpha", "bravo", "charlie", "foxtrot")
		s.identifiers("Purge of the last", s.purge(store.Query{Offset: 3}), "foxtrot")
		s.identifiers("Purge past the end", s.purge(store.Query{Offset: 3}))
		s.identifiers("List after that", s.list(store.Query{}), "alpha", "bravo", "charlie")
	}},
	{"Nothing", noMatch, func(s subject) {
		s.identifiers("Purge of an empty store", s.purge(store.Query{}))
		s.create(shelf()...)
		s.identifiers("Purge of what is not there", s.purge(store.Query{Identifier: "golf"}))
		s.holds(shelf()...)
	}},
}
