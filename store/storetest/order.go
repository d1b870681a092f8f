package storetest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/authtoken/authtoken/store"
)

const (
	sortedBy   = "Order is what results are sorted by, first things first."
	textBytes  = "Other text sorts byte by byte, false before true, and a value that is not there (Managed, Expires, Created, LastUsed) after all that are."
	ties       = "Ties are settled by PK, ascending."
	noOrder    = "Empty is by identifier."
	afterThis  = "only what comes after this record, which need not exist any more"
	skipped    = "how many to skip; at most 0 is none"
	limited    = "how many to return; at most 0 is no limit"
	listReturn = "List returns the records that match q, in q's order, from after q.After, skipping q.Offset of them and stopping at q.Limit."
)

// pile returns six records to sort, with ties and missing values in most
// fields. The last byte of their PKs numbers them from 1.
func pile() []store.Record {
	none := time.Time{}
	tick := time.Microsecond
	put := func(n int, identifier, intent, user, description, managed string, expires time.Time, expiring bool, created, lastUsed time.Time) store.Record {
		r := bare(n, identifier)
		r.Intent, r.User, r.Description, r.Managed = intent, user, description, managed
		r.Expires, r.Expiring, r.Created, r.LastUsed = expires, expiring, created, lastUsed
		return r
	}
	return []store.Record{
		put(1, "B", "b", "10", "", "y", seconds(300), true, seconds(5), seconds(50).Add(tick)),
		put(2, "a", "B", "9", "é", "", none, true, seconds(5), none),
		put(3, "é", "a", "-", "z", "Z", seconds(200), false, seconds(1), seconds(50)),
		put(4, "\uffff", "b", "9", "", "", seconds(300), false, seconds(9), none),
		put(5, "\U00010000", "é", "1099511627776", "Z", "é", none, false, seconds(-3), seconds(60)),
		put(6, "A10", "b", "0", "a", "a", seconds(100), true, seconds(5).Add(tick), seconds(50)),
	}
}

// ordering is an order and the numbers of the pile in that order.
type ordering struct {
	name, rule string
	order      []store.Order
	want       string
}

func orderings() []ordering {
	up := func(f store.Field) store.Order { return store.Order{Field: f} }
	down := func(f store.Field) store.Order { return store.Order{Field: f, Desc: true} }
	both := func(name, rule string, f store.Field, ascending, descending string) []ordering {
		return []ordering{
			{name, rule, []store.Order{up(f)}, ascending},
			{name + "Descending", rule, []store.Order{down(f)}, descending},
		}
	}
	var os []ordering
	os = append(os, ordering{"None", noOrder, nil, "612345"}, ordering{"Empty", noOrder, []store.Order{}, "612345"})
	os = append(os, both("PK", sortedBy, store.FieldPK, "123456", "654321")...)
	os = append(os, both("Identifier", textBytes, store.FieldIdentifier, "612345", "543216")...)
	os = append(os, both("Intent", textBytes, store.FieldIntent, "231465", "514632")...)
	os = append(os, both("User", sortedBy, store.FieldUser, "362415", "512463")...)
	os = append(os, both("Description", textBytes, store.FieldDescription, "145632", "236514")...)
	os = append(os, both("Managed", textBytes, store.FieldManaged, "361524", "245163")...)
	os = append(os, both("Expires", textBytes, store.FieldExpires, "631425", "251436")...)
	os = append(os, both("Expiring", textBytes, store.FieldExpiring, "345126", "126345")...)
	os = append(os, both("Created", sortedBy, store.FieldCreated, "531264", "461235")...)
	os = append(os, both("LastUsed", textBytes, store.FieldLastUsed, "361524", "245136")...)
	return append(os,
		ordering{"UserIdentifierDescending", sortedBy, []store.Order{up(store.FieldUser), down(store.FieldIdentifier)}, "364215"},
		ordering{"IntentDescendingCreatedDescending", sortedBy, []store.Order{down(store.FieldIntent), down(store.FieldCreated)}, "546132"},
		ordering{"ManagedPKDescending", sortedBy, []store.Order{up(store.FieldManaged), down(store.FieldPK)}, "361542"},
		ordering{"DescriptionUser", sortedBy, []store.Order{up(store.FieldDescription), up(store.FieldUser)}, "415632"},
		ordering{"ExpiringIntentUser", sortedBy, []store.Order{up(store.FieldExpiring), up(store.FieldIntent), down(store.FieldUser)}, "345216"},
		ordering{"UserTwice", sortedBy, []store.Order{up(store.FieldUser), down(store.FieldUser)}, "362415"},
		ordering{"Ties", ties, []store.Order{up(store.FieldExpiring)}, "345126"},
		ordering{"TiesDescending", ties, []store.Order{down(store.FieldExpiring)}, "126345"},
	)
}

// numbers returns the numbers of records of the pile.
func numbers(rs []store.Record) string {
	var b strings.Builder
	for _, r := range rs {
		fmt.Fprint(&b, r.PK[15])
	}
	return b.String()
}

// numbered checks that got are the records of the pile with these numbers.
func (s subject) numbered(q store.Query, want string) {
	s.Helper()
	if got := numbers(s.list(q)); got != want {
		s.Fatalf("List(%s) returns the records whose PKs end in %s, want %s", describe(q), got, want)
	}
}

func orderCases() []testCase {
	var cases []testCase
	for _, o := range orderings() {
		cases = append(cases, testCase{o.name, o.rule, func(s subject) {
			s.numbered(store.Query{Order: o.order}, o.want)
		}})
	}
	return append(cases, testCase{"Filtered", sortedBy, func(s subject) {
		for _, o := range orderings() {
			want := strings.Map(func(n rune) rune {
				if strings.ContainsRune("146", n) {
					return n
				}
				return -1
			}, o.want)
			s.numbered(store.Query{Intents: []string{"b"}, Order: o.order}, want)
			s.numbered(store.Query{Users: []string{"0", "9", "10"}, Intents: []string{"b"}, Order: o.order}, want)
		}
	}})
}

var pageCases = []testCase{
	{"After", afterThis, func(s subject) {
		// Page after page gives each record once, whatever the order.
		s.create(pile()...)
		for _, o := range orderings() {
			for _, size := range []int{1, 4} {
				q := store.Query{Order: o.order, Limit: size}
				var got string
				for range 7 {
					page := s.list(q)
					if len(page) > size {
						s.Fatalf("List(%s) returns %d records", describe(q), len(page))
					}
					if got += numbers(page); len(page) == 0 {
						break
					}
					q.After = &page[len(page)-1]
				}
				if got != o.want {
					s.Fatalf("by %s, pages of %d return the records whose PKs end in %s, want %s", o.name, size, got, o.want)
				}
			}
		}
	}},
	{"LargestLimit", listReturn, func(s subject) {
		// No sum with the offset is that large.
		s.create(pile()...)
		for _, q := range []store.Query{
			{}, {Users: []string{pile()[0].User, pile()[1].User, pile()[2].User}, Words: []store.Word{{Text: ""}}},
		} {
			all := s.list(q)
			if len(all) < 3 {
				s.Fatalf("List(%s) returns %d records, too few for this", describe(q), len(all))
			}
			q.Offset, q.Limit = 1, math.MaxInt
			s.agree("List("+describe(q)+")", s.list(q), all[1:])
		}
	}},
	{"AfterWithoutLimit", afterThis, func(s subject) {
		s.create(pile()...)
		for _, o := range orderings() {
			for _, after := range pile() {
				n := fmt.Sprint(after.PK[15])
				_, want, _ := strings.Cut(o.want, n)
				s.numbered(store.Query{Order: o.order, After: &after}, want)
			}
		}
	}},
	{"AfterUndated", textBytes, func(s subject) {
		s.create(pile()...)
		undated := bare(7, "undated")
		undated.Created = time.Time{}
		s.create(undated)
		up := store.Query{Order: []store.Order{{Field: store.FieldCreated}}}
		down := store.Query{Order: []store.Order{{Field: store.FieldCreated, Desc: true}}}
		s.numbered(up, "5312647")
		s.numbered(down, "7461235")
		up.After, down.After = &undated, &undated
		s.numbered(up, "")
		s.numbered(down, "461235")
	}},
	{"AfterDeleted", afterThis, func(s subject) {
		for _, o := range orderings() {
			s.create(pile()...)
			after := pile()[o.want[2]-'1']
			s.delete(after)
			s.numbered(store.Query{Order: o.order, After: &after}, o.want[3:])
			s.purge(store.Query{})
		}
	}},
	{"AfterChanged", afterThis, func(s subject) {
		// Where the record was counts, not where it is.
		s.create(pile()...)
		after := pile()[1]
		moved := after
		moved.Identifier = "zz"
		s.update(moved)
		s.numbered(store.Query{After: &after, Limit: 2}, "23")
		s.numbered(store.Query{After: &moved}, "345")
		s.touch(store.Use{PK: pile()[2].PK, At: seconds(1000)})
		byUse := []store.Order{{Field: store.FieldLastUsed}}
		was := pile()[2]
		s.numbered(store.Query{Order: byUse, After: &was}, "615324")
	}},
	{"AfterReplaced", afterThis, func(s subject) {
		// Another record has the identifier now; the PK settles the tie.
		s.create(pile()...)
		after := pile()[2] // "é"
		s.delete(after)
		later := bare(7, after.Identifier)
		s.create(later)
		s.numbered(store.Query{After: &after}, "745")
		s.numbered(store.Query{After: &after, Order: []store.Order{{Field: store.FieldIdentifier, Desc: true}}}, "7216")
		s.delete(later)
		earlier := bare(0, after.Identifier)
		s.create(earlier)
		s.numbered(store.Query{After: &after}, "45")
		s.numbered(store.Query{After: &after, Order: []store.Order{{Field: store.FieldIdentifier, Desc: true}}}, "216")
	}},
	{"AfterNothing", afterThis, func(s subject) {
		// A record that never was.
		s.create(pile()...)
		s.numbered(store.Query{After: &store.Record{Identifier: "C"}}, "2345")
		s.numbered(store.Query{After: &store.Record{Identifier: ""}}, "612345")
		s.numbered(store.Query{After: &store.Record{Identifier: "\U0010ffff"}}, "")
		s.numbered(store.Query{After: &store.Record{User: "9"}, Order: []store.Order{{Field: store.FieldUser}}}, "2415")
		s.numbered(store.Query{After: &store.Record{Expires: seconds(250)}, Order: []store.Order{{Field: store.FieldExpires}}}, "1425")
		s.numbered(store.Query{After: &store.Record{Expires: seconds(250)}, Order: []store.Order{{Field: store.FieldExpires, Desc: true}}}, "36")
		s.numbered(store.Query{After: &store.Record{}, Order: []store.Order{{Field: store.FieldExpires}}}, "25")
		s.numbered(store.Query{After: &store.Record{}, Order: []store.Order{{Field: store.FieldManaged, Desc: true}}}, "245163")
	}},
	{"AfterAndRange", listReturn, func(s subject) {
		s.create(pile()...)
		byExpiry := []store.Order{{Field: store.FieldExpires}}
		after := pile()[5] // expires at 100
		s.numbered(store.Query{ExpiryBefore: seconds(1000), Order: byExpiry, After: &after}, "1")
		s.numbered(store.Query{ExpiryFrom: seconds(150), ExpiryBefore: seconds(1000), Order: byExpiry, After: &after}, "1")
		after = pile()[0] // expires at 300
		s.numbered(store.Query{ExpiryBefore: seconds(1000), Order: byExpiry, After: &after}, "")
		s.numbered(store.Query{ExpiryBefore: seconds(200), Order: byExpiry, After: &after}, "")
		s.numbered(store.Query{ExpiryBefore: seconds(1000), Order: []store.Order{{Field: store.FieldExpires, Desc: true}}, After: &after}, "6")
		after = pile()[1] // never expires
		s.numbered(store.Query{ExpiryBefore: seconds(1000), Order: byExpiry, After: &after}, "")
		s.numbered(store.Query{ExpiryBefore: seconds(1000), Order: []store.Order{{Field: store.FieldExpires, Desc: true}}, After: &after}, "16")
	}},
	{"AfterAndFilters", listReturn, func(s subject) {
		s.create(pile()...)
		after := pile()[1] // which is not one of those that match
		s.numbered(store.Query{Intents: []string{"b"}, After: &after}, "4")
		s.numbered(store.Query{Intents: []string{"b", "é"}, After: &after, Order: []store.Order{{Field: store.FieldUser}}}, "415")
		s.numbered(store.Query{Users: []string{"9", "10"}, After: &after, Limit: 1}, "4")
		s.numbered(store.Query{Users: []string{"9"}, After: &after, Order: []store.Order{{Field: store.FieldIdentifier, Desc: true}}}, "")
	}},
	{"AfterAndOffset", listReturn, func(s subject) {
		s.create(pile()...)
		after := pile()[0]
		s.numbered(store.Query{After: &after, Offset: 1}, "345")
		s.numbered(store.Query{After: &after, Offset: 1, Limit: 2}, "34")
		s.numbered(store.Query{After: &after, Offset: 4}, "")
		s.numbered(store.Query{After: &after, Offset: 2, Order: []store.Order{{Field: store.FieldPK, Desc: true}}}, "")
	}},
	{"Offset", skipped, func(s subject) {
		s.create(pile()...)
		for offset, want := range map[int]string{
			0: "612345", 1: "12345", 5: "5", 6: "", 7: "", -1: "612345", math.MinInt: "612345", math.MaxInt: "", math.MaxInt >> 16: "",
		} {
			s.numbered(store.Query{Offset: offset}, want)
		}
		s.numbered(store.Query{Offset: 2, Order: []store.Order{{Field: store.FieldIdentifier, Desc: true}}}, "3216")
		s.numbered(store.Query{Offset: 1, Intents: []string{"b"}}, "14")
		s.numbered(store.Query{Offset: 1, Users: []string{"9"}}, "4")
		s.numbered(store.Query{Offset: 2, Users: []string{"9"}}, "")
		s.numbered(store.Query{Offset: 3, Order: []store.Order{{Field: store.FieldUser}}}, "415")
	}},
	{"Limit", limited, func(s subject) {
		s.create(pile()...)
		for limit, want := range map[int]string{
			0: "612345", 1: "6", 5: "61234", 6: "612345", 7: "612345", -1: "612345", math.MinInt: "612345", math.MaxInt: "612345",
		} {
			s.numbered(store.Query{Limit: limit}, want)
		}
		s.numbered(store.Query{Limit: 2, Order: []store.Order{{Field: store.FieldUser, Desc: true}}}, "51")
	}},
	{"OffsetAndLimit", listReturn, func(s subject) {
		s.create(pile()...)
		s.numbered(store.Query{Offset: 2, Limit: 3}, "234")
		s.numbered(store.Query{Offset: 4, Limit: 3}, "45")
		s.numbered(store.Query{Offset: 6, Limit: 3}, "")
		s.numbered(store.Query{Offset: 2, Limit: -1}, "2345")
		s.numbered(store.Query{Offset: -5, Limit: 2}, "61")
		s.numbered(store.Query{Offset: 1, Limit: math.MaxInt}, "12345")
		s.numbered(store.Query{Offset: math.MaxInt, Limit: math.MaxInt}, "")
		s.numbered(store.Query{Offset: 1, Limit: 2, Order: []store.Order{{Field: store.FieldIdentifier, Desc: true}}}, "43")
		s.numbered(store.Query{Offset: 1, Limit: 1, Order: []store.Order{{Field: store.FieldExpiring}}}, "4")
	}},
}
