package storetest

import (
	"fmt"

	"github.com/authtoken/authtoken/store"
)

// manyCases are about more than some databases take as the parameters of one
// statement, or delete at once.
var manyCases = []testCase{
	{"Users", oneOfThem, func(s subject) {
		users := []string{"3", "-1"}
		for n := range 33_000 {
			users = append(users, fmt.Sprint("user-", n))
		}
		users = append(users, "1", "2")
		s.create(shelf()...)
		s.identifiers("List of many users", s.list(store.Query{Users: users}), "alpha", "bravo", "charlie", "delta", "echo", "foxtrot")
	}},
	{"WordUsers", occurs, func(s subject) {
		users := []string{"3", "-1"}
		for n := range 3000 {
			users = append(users, fmt.Sprint("user-", n))
		}
		users = append(users, "1", "2")
		s.create(shelf()...)
		q := store.Query{Words: []store.Word{{Text: "zzz", Users: users}, {Text: "a", Users: users}}}
		s.identifiers("List of words or many users", s.list(q), "alpha", "bravo", "charlie", "delta", "echo", "foxtrot")
	}},
	{"Uses", usesAll, func(s subject) {
		r, last := record(1), record(2)
		s.create(r, last)
		uses := []store.Use{{PK: r.PK, At: seconds(1000), From: "first"}}
		for n := range 3000 {
			uses = append(uses, store.Use{PK: store.PK{14: byte(n >> 8), 15: byte(n)}, At: seconds(1000), From: "nobody"})
		}
		uses = append(uses, store.Use{PK: last.PK, At: seconds(1000), From: "last"})
		s.touch(uses...)
		r.LastUsed, r.LastUsedFrom = seconds(1000), "first"
		last.LastUsed, last.LastUsedFrom = seconds(1000), "last"
		s.holds(r, last)
	}},
	{"Purge", "all or none", func(s subject) {
		const size = 1100
		s.together(many, func(i int) {
			for n := i; n < size; n += many {
				if err := s.Create(s.Context(), bare(n, fmt.Sprintf("token-%04d", n)), 0); err != nil {
					s.Errorf("Create: %v", err)
				}
			}
		})
		rs := s.purge(store.Query{Offset: 1})
		if len(rs) != size-1 {
			s.Fatalf("Purge of all but one of %d records returns %d", size, len(rs))
		}
		for i, r := range rs {
			s.same("Purge", r, bare(i+1, fmt.Sprintf("token-%04d", i+1)))
		}
		s.holds(bare(0, "token-0000"))
	}},
}
