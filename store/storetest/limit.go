package storetest

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/authtoken/authtoken/store"
)

const (
	limits     = "Limit is how many records may have r's User, r included; zero is no limit."
	beyond     = "If r would be one too many, Create returns ErrLimit; a negative limit admits no record."
	holdsFor   = "The limit holds among any number of calls at once, even through several stores over the same records."
	limitFirst = "If r would be one too many as well, it returns ErrLimit."
)

var limitCases = []testCase{
	{"UpTo", limits, func(s subject) {
		for n := range 3 {
			s.createWithin(record(n), 3)
		}
		s.beyond(record(3), 3)
		s.createWithin(record(3), 4)
		s.createWithin(record(4), math.MaxInt)
		s.holds(record(0), record(1), record(2), record(3), record(4))
	}},
	{"OfTheOwner", limits, func(s subject) {
		// What others have does not count, however near their IDs are.
		for n, user := range append(userIDs(), "77", "+7") {
			r := record(n)
			r.User = user
			s.createWithin(r, 1)
			r = record(100 + n)
			r.User = user
			s.beyond(r, 1)
		}
		s.createWithin(record(200), 1)
		s.beyond(record(201), 1)
	}},
	{"None", limits, func(s subject) {
		s.create(record(1), record(2), record(3))
		s.beyond(record(4), 1)
		s.create(record(4))
	}},
	{"AsTheyAre", limits, func(s subject) {
		// Whatever has become of the records counts as it is now.
		s.create(record(1), record(2))
		s.beyond(record(3), 2)
		s.delete(record(1))
		s.createWithin(record(3), 2)
		s.beyond(record(1), 2)
		s.purge(store.Query{Identifier: record(2).Identifier})
		s.createWithin(record(1), 2)
		given := record(3)
		given.User = "8"
		given = s.update(given)
		s.createWithin(record(2), 2)
		s.beyond(record(4), 2)
		s.holds(record(1), record(2), given)
	}},
	{"Whatever", limits, func(s subject) {
		// All records count: managed, expired, of any intent.
		a, b := record(1), bare(2, "b")
		a.Intent, b.User = "recovery", a.User
		b.Expires, b.Expiring = seconds(-1e9), true
		s.create(a, b)
		s.beyond(record(3), 2)
	}},
	{"Negative", beyond, func(s subject) {
		for _, limit := range []int{-1, -2, math.MinInt} {
			s.beyond(record(1), limit)
		}
		s.create(record(1))
		s.beyond(record(2), -1)
		s.beyond(record(2), math.MinInt)
		s.holds(record(1))
	}},
	{"First", limitFirst, func(s subject) {
		s.create(record(1), record(2))
		for _, field := range uniqueFields {
			r := record(3)
			field.copy(&r, record(1))
			s.beyond(r, 2)
			s.taken(fmt.Sprintf("Create within its limit with a %s that another record has", field.name),
				s.Create(s.Context(), r, 3), field.name)
		}
		s.beyond(record(1), 1)
		s.holds(record(1), record(2))
	}},
	{"Whole", limits, func(s subject) {
		// A record with a limit is kept like any other.
		s.createWithin(record(1), 2)
		s.createWithin(bare(2, "bare"), 2)
		s.holds(record(1), bare(2, "bare"))
		for _, d := range digests(record(1)) {
			s.same("GetByDigest", s.getByDigest(d), record(1))
		}
	}},
	{"AtOnce", holdsFor, func(s subject) {
		const limit = 5
		for round := range 6 {
			var won [2]atomic.Int64
			s.together(many, func(i int) {
				r := record(1000*round + i)
				r.User = fmt.Sprint(i % 2) // and neither is in the other's way
				switch err := s.Create(s.Context(), r, limit); {
				case err == nil:
					won[i%2].Add(1)
				case !errors.Is(err, store.ErrLimit):
					s.Errorf("one of %d calls of Create with a limit: %v, want nil or ErrLimit", many, err)
				}
			})
			for user := range won {
				if n := won[user].Load(); n != limit {
					s.Fatalf("of %d calls of Create with a limit of %d, %d succeed", many/2, limit, n)
				}
			}
			if n := len(s.purge(store.Query{})); n != 2*limit {
				s.Fatalf("the store holds %d records, want %d", n, 2*limit)
			}
		}
	}},
	{"AmongOthers", holdsFor, func(s subject) {
		// Records come and go; in the end there is room for as many as ever.
		const limit = 3
		s.together(many, func(i int) {
			for n := range 6 {
				r := record(100*n + i)
				err := s.Create(s.Context(), r, limit)
				if count, failed := s.Count(s.Context(), store.Query{}); count > limit || failed != nil {
					s.Errorf("Count is %d, %v; the limit is %d", count, failed, limit)
				}
				if err == nil {
					err = s.Delete(s.Context(), r.PK, r.Version)
				}
				if err != nil && !errors.Is(err, store.ErrLimit) {
					s.Errorf("Create and Delete of a record of one's own: %v, want nil or ErrLimit", err)
				}
			}
		})
		s.holds()
		for n := range limit {
			s.createWithin(record(1000+n), limit)
		}
		s.beyond(record(2000), limit)
	}},
}

// createWithin creates r within a limit, and beyond checks that it can't be.
func (s subject) createWithin(r store.Record, limit int) {
	s.Helper()
	if err := s.Create(s.Context(), r, limit); err != nil {
		s.Fatalf("Create(%s) with a limit of %d, which it is within: %v", name(r), limit, err)
	}
}

func (s subject) beyond(r store.Record, limit int) {
	s.Helper()
	s.is(fmt.Sprintf("Create(%s) beyond its limit of %d", name(r), limit), s.Create(s.Context(), r, limit), store.ErrLimit)
}
