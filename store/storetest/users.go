package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/authtoken/authtoken/store"
)

const (
	userID      = "A user ID is what the application knows a user by, such as a UUID, an email address or a number: text of 1 to 255 characters."
	usersDiffer = `IDs are compared byte by byte: "a" and "A" are two users, and so are "7" and "07".`
	usersSort   = `They sort by their length in bytes, and those of one length byte by byte, so that numbers sort as numbers: "9" before "10", and "Z" before "a".`
	ordersUsers = "Users sort as CompareUsers has it."
)

// userIDs returns IDs that are easily taken for each other, in order. The records
// of this suite have none of them by themselves.
func userIDs() []string {
	longest := func(character, end string) string {
		return strings.Repeat(character, 255-len([]rune(end))) + end
	}
	return []string{
		"%", "0", "9", "A", "K", "Z", "_", "a", "b", "k", "z",
		"07", "10", "7 ", "99", "AA", "Z9", "aa", "ab", "b ", "é", "ü",
		"007", "100", "1e2", "7.0", "abc", "ana", "e\u0301", "zzz", "\u212a", "日", "７", "\uffff",
		"1000", "null", "user", "éé", "\uffffa", "\U00010000", "😀",
		"a's\"`",
		"user-1",
		"user-10", `user-2\`,
		"ANA@example.com", "ana@example.com",
		"9223372036854775807", "9223372036854775808",
		"01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW",
		"0b0c3a62-5f0e-4f62-9d4c-0d9d1bb6a0a1", "0b0c3a62-5f0e-4f62-9d4c-0d9d1bb6a0a2", "fb0c3a62-5f0e-4f62-9d4c-0d9d1bb6a0a1",
		longest("x", "y"), longest("x", "z"),
		longest("z", "é"),
		longest("a", "éé"),
		longest("é", "a"),
		longest("日", ""),
		longest("😀", "😀"), longest("😀", "😁"),
	}
}

// someUserIDs returns the most alike of userIDs, for cases that make several records
// of each user. They are in order too.
func someUserIDs() []string {
	ids := userIDs()
	return append([]string{"A", "a", "10", "é", "e\u0301"}, ids[slices.Index(ids, "ANA@example.com"):]...)
}

// strangers returns IDs that none of userIDs is, whatever a store may take them for.
func strangers() []string {
	return []string{
		"", " ", "7", "0.0", "+9", " 9", "B", "É", "Ü", "\u0301", "*", "a%", "_b", "user-", "user-11", "NULL", "Ana@Example.com",
		"9223372036854775806", "0B0C3A62-5F0E-4F62-9D4C-0D9D1BB6A0A1", "0b0c3a625f0e4f629d4c0d9d1bb6a0a1",
		strings.Repeat("x", 254), strings.Repeat("😀", 254),
	}
}

// members returns a record for each of userIDs, in the order of those. Neither their
// PKs nor their identifiers are in order.
func members() []store.Record {
	ids := userIDs()
	rs := make([]store.Record, len(ids))
	for i, id := range ids {
		rs[i] = bare(100+i*37%len(ids), fmt.Sprintf("member-%02d", i*23%len(ids)))
		rs[i].User = id
	}
	return rs
}

// users checks that got are the records of these users, in order.
func (s subject) users(what string, got []store.Record, want ...string) {
	s.Helper()
	ids := make([]string, len(got))
	for i := range got {
		ids[i] = got[i].User
	}
	for i := range min(len(ids), len(want)) {
		if ids[i] != want[i] {
			s.Fatalf("%s returns a record of user %s as number %d, want one of %s", what, abbreviate(ids[i]), i, abbreviate(want[i]))
		}
	}
	if len(ids) != len(want) {
		s.Fatalf("%s returns records of %d users, want %d: %q", what, len(ids), len(want), ids)
	}
}

// byUser is the order by user, and fromLastUser the reverse.
var (
	byUser       = []store.Order{{Field: store.FieldUser}}
	fromLastUser = []store.Order{{Field: store.FieldUser, Desc: true}}
)

func backward[T any](s []T) []T {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

var userCases = []testCase{
	{"Kept", userID, func(s subject) {
		for _, r := range members() {
			s.same("Get", s.get(r.Identifier), r)
			s.same("GetByDigest", s.getByDigest(r.Digest), r)
		}
		s.holds(members()...)
	}},
	{"Sorted", usersSort, func(s subject) {
		s.users("List by user", s.list(store.Query{Order: byUser}), userIDs()...)
		s.users("List from the last user", s.list(store.Query{Order: fromLastUser}), backward(userIDs())...)
	}},
	{"SortedFirst", ordersUsers, func(s subject) {
		s.users("the first users", s.list(store.Query{Order: byUser, Limit: 4}), "%", "0", "9", "A")
		s.users("users in the middle", s.list(store.Query{Order: byUser, Offset: 10, Limit: 3}), "z", "07", "10")
		s.users("the last users", s.list(store.Query{Order: fromLastUser, Limit: 2}), backward(userIDs())[:2]...)
	}},
	{"SortedAmongSome", usersSort, func(s subject) {
		q := store.Query{Users: []string{"aa", "10", "zzz", "日", "a", "Z", "éé", "9", "b", "é", "abc"}, Order: byUser}
		s.users("List of some by user", s.list(q), "9", "Z", "a", "b", "10", "aa", "é", "abc", "zzz", "日", "éé")
		q.Order = fromLastUser
		s.users("List of some from the last user", s.list(q), "éé", "日", "zzz", "abc", "é", "aa", "10", "b", "a", "Z", "9")
	}},
	{"ToldApart", usersDiffer, func(s subject) {
		for _, id := range userIDs() {
			q := store.Query{Users: []string{id}}
			s.users("List of one user", s.list(q), id)
			if n := s.count(q); n != 1 {
				s.Fatalf("Count of the records of user %s is %d, want 1", abbreviate(id), n)
			}
		}
		q := store.Query{Users: append(userIDs(), userIDs()...), Order: byUser}
		s.users("List of all users", s.list(q), userIDs()...)
	}},
	{"Strangers", usersDiffer, func(s subject) {
		for _, id := range strangers() {
			s.users(fmt.Sprintf("List of %q, who has nothing,", id), s.list(store.Query{Users: []string{id}}))
			if n := s.count(store.Query{Users: []string{id, id}}); n != 0 {
				s.Fatalf("Count of the records of %q, who has none, is %d", id, n)
			}
		}
		s.users("List of all who have nothing, and one", s.list(store.Query{Users: append(strangers(), "10")}), "10")
	}},
	{"Words", occurs, func(s subject) {
		nowhere := func(ids ...string) store.Query {
			return store.Query{Words: []store.Word{{Text: "nowhere", Users: ids}}, Order: byUser}
		}
		for _, id := range userIDs() {
			s.users("List of a word or one user", s.list(nowhere(id)), id)
		}
		s.users("List of a word or all users", s.list(nowhere(userIDs()...)), userIDs()...)
		s.users("List of a word or users who have nothing", s.list(nowhere(strangers()...)))
		s.users("List of what is in IDs only", s.list(store.Query{Words: []store.Word{{Text: "example.com"}}}))
	}},
}

var userPageCases = []testCase{
	{"After", afterThis, func(s subject) {
		s.create(members()...)
		for _, q := range []store.Query{{Order: byUser, Limit: 1}, {Order: byUser, Limit: 7}, {Order: fromLastUser, Limit: 4}} {
			want := userIDs()
			if q.Order[0].Desc {
				want = backward(want)
			}
			var got []store.Record
			for page := s.list(q); len(page) > 0 && len(got) < len(want); page = s.list(q) {
				got = append(got, page...)
				q.After = &page[len(page)-1]
			}
			s.users("List page by page", got, want...)
		}
	}},
	{"AfterEach", afterThis, func(s subject) {
		s.create(members()...)
		for i, after := range members() {
			what := fmt.Sprintf("List after user %s", abbreviate(after.User))
			s.users(what, s.list(store.Query{Order: byUser, After: &after}), userIDs()[i+1:]...)
			s.users(what+", backward,", s.list(store.Query{Order: fromLastUser, After: &after}), backward(userIDs()[:i])...)
		}
	}},
	{"AfterNobody", afterThis, func(s subject) {
		// A user who has nothing.
		s.create(members()...)
		for after, next := range map[string]string{
			"7": "9", "B": "K", "zz": "é", "ñ": "ü", "ÿ": "007", "ab3": "abc", "\U0001f5ff": "😀", "z-user": "user-10",
			strings.Repeat("w", 255): userIDs()[len(userIDs())-8], strings.Repeat("z", 257): userIDs()[len(userIDs())-4],
		} {
			q := store.Query{Order: byUser, After: &store.Record{User: after}, Limit: 1}
			s.users(fmt.Sprintf("List after user %s", abbreviate(after)), s.list(q), next)
		}
	}},
	{"ThenBy", sortedBy, func(s subject) {
		var want []string
		for i, id := range someUserIDs() {
			for n := range 3 {
				r := bare(1000+3*i+n, fmt.Sprintf("%c-%02d", 'a'+n*2%3, i))
				r.User = id
				s.create(r)
			}
			want = append(want, fmt.Sprintf("c-%02d", i), fmt.Sprintf("b-%02d", i), fmt.Sprintf("a-%02d", i))
		}
		q := store.Query{Order: []store.Order{{Field: store.FieldUser}, {Field: store.FieldIdentifier, Desc: true}}, Limit: 5}
		var got []store.Record
		for page := s.list(q); len(page) > 0 && len(got) < len(want); page = s.list(q) {
			got = append(got, page...)
			q.After = &page[len(page)-1]
		}
		s.identifiers("List by user, page by page", got, want...)
	}},
	{"OfOne", listReturn, func(s subject) {
		// What a user sees first: their own, by identifier, page by page.
		var names []string
		for n := range 5 {
			names = append(names, fmt.Sprint("mine-", n))
		}
		ids := someUserIDs()
		for i, id := range ids {
			for n := range names {
				r := bare(1000+5*i+n, fmt.Sprintf("mine-%d of %02d", n, len(ids)-i))
				r.User = id
				s.create(r)
			}
		}
		for i, id := range ids {
			var want []string
			for _, name := range names {
				want = append(want, fmt.Sprintf("%s of %02d", name, len(ids)-i))
			}
			q := store.Query{Users: []string{id}, Limit: 2}
			first := s.list(q)
			s.identifiers("the first page of a user", first, want[:2]...)
			q.After = &first[1]
			s.identifiers("the next page of a user", s.list(q), want[2:4]...)
			q.Order = []store.Order{{Field: store.FieldIdentifier, Desc: true}}
			s.identifiers("what is before it", s.list(q), want[0])
			q.After, q.Offset = nil, 3
			s.identifiers("the last page of a user, from the end", s.list(q), backward(want[:2])...)
			if n := s.count(store.Query{Users: []string{id}}); n != len(names) {
				s.Fatalf("Count of the records of user %s is %d, want %d", abbreviate(id), n, len(names))
			}
		}
	}},
	{"Given", exactText, func(s subject) {
		// The record of one user becomes that of another.
		r := record(1)
		s.create(r)
		for _, id := range userIDs() {
			old := r.User
			r.User = id
			r = s.update(r)
			s.same("Get", s.get(r.Identifier), r)
			s.users("List of the new owner", s.list(store.Query{Users: []string{id}}), id)
			s.users("List of the old owner", s.list(store.Query{Users: []string{old}}))
		}
	}},
	{"Purge", "Purge deletes the records that List would return for q and returns them", func(s subject) {
		s.create(members()...)
		left := members()
		for _, id := range backward(userIDs()) {
			s.users("Purge of one user", s.purge(store.Query{Users: []string{id}}), id)
			left = left[:len(left)-1]
			s.holds(left...)
		}
	}},
}
