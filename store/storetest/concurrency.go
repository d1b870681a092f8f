package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/authtoken/authtoken/store"
)

const (
	anyGoroutine = "All methods may be called from any number of goroutines."
	ifStill      = "Update replaces the record that has r's PK if its version is still r.Version, and raises the version by one."
	oneGetsIt    = "Of two calls at once that match the same record, one gets it."
)

// many is how many goroutines do the same thing at once.
const many = 16

var concurrencyCases = []testCase{
	{"Everything", anyGoroutine, func(s subject) {
		// Each goroutine goes through all methods with a record of its own.
		s.together(many, func(i int) {
			ctx := s.Context()
			for n := range 3 {
				if err := s.lifecycle(record(i*10 + n)); err != nil {
					s.Errorf("one of %d goroutines: %v", many, err)
				}
				if _, err := s.List(ctx, store.Query{Limit: 5}); err != nil {
					s.Errorf("List: %v", err)
				}
				if _, err := s.Count(ctx, store.Query{}); err != nil {
					s.Errorf("Count: %v", err)
				}
			}
		})
		s.holds()
	}},
	{"SharedQuery", anyGoroutine, func(s subject) {
		// One query may be in use by several calls: a store must not write to it.
		for n := range 20 {
			s.create(record(n))
		}
		after := record(3)
		q := store.Query{
			Users:   []string{"9", "7", "7", "8"},
			Intents: []string{"recovery", "api", "api"},
			Words:   []store.Word{{Text: "TOKEN"}, {Text: "none", Users: []string{"8", "7"}}},
			Order:   []store.Order{{Field: store.FieldUser}, {Field: store.FieldIdentifier}},
			After:   &after,
			Limit:   3,
		}
		s.together(many, func(int) {
			rs, err := s.List(s.Context(), q)
			if err != nil || len(rs) != 3 || rs[0].Identifier != record(4).Identifier {
				s.Errorf("List(%s) returns %s, %v; want records 4 to 6", describe(q), names(rs), err)
			}
			if n, err := s.Count(s.Context(), q); n != 20 || err != nil {
				s.Errorf("Count(%s) returns %d, %v; want 20", describe(q), n, err)
			}
		})
	}},

	{"CreatePK", noTwo, createAtOnce(0)},
	{"CreateIdentifier", noTwo, createAtOnce(1)},
	{"CreateManaged", noTwo, createAtOnce(2)},
	{"CreateDigest", noTwo, createAtOnce(3)},
	{"UpdateIdentifier", noTwo, updateAtOnce(1)},
	{"UpdateManaged", noTwo, updateAtOnce(2)},
	{"UpdateDigest", noTwo, updateAtOnce(3)},

	{"UpdateOneVersion", ifStill, func(s subject) {
		r := record(1)
		s.create(r)
		for range 10 {
			var won atomic.Int64
			s.together(many, func(i int) {
				mine := r
				mine.User = fmt.Sprint("user-", i)
				switch err := s.Update(s.Context(), mine); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrStale):
					s.Errorf("one of %d updates of a record at the same version: %v, want nil or ErrStale", many, err)
				}
			})
			if won.Load() != 1 {
				s.Fatalf("%d of %d updates of a record at the same version succeed, want one", won.Load(), many)
			}
			r.Version++
			got := s.get(r.Identifier)
			r.User = got.User
			s.same("after updates at once", got, r)
		}
	}},
	{"UpdateCounts", ifStill, func(s subject) {
		// Everybody appends to a text, and no letter may get lost.
		const each = 4
		r := record(1)
		r.Description = ""
		s.create(r)
		s.together(many, func(int) {
			for done := 0; done < each; {
				mine, err := s.Get(s.Context(), r.Identifier)
				if err != nil {
					s.Errorf("Get: %v", err)
					return
				}
				mine.Description += "x"
				switch err := s.Update(s.Context(), mine); {
				case err == nil:
					done++
				case !errors.Is(err, store.ErrStale):
					s.Errorf("Update of a record that others update: %v, want nil or ErrStale", err)
					return
				}
			}
		})
		r.Description = strings.Repeat("x", many*each)
		r.Version += many * each
		s.holds(r)
	}},
	{"DeleteOnce", "Delete removes the record that has this PK if its version is still version.", func(s subject) {
		for n := range 10 {
			r := record(n)
			s.create(r)
			var won atomic.Int64
			s.together(many, func(int) {
				switch err := s.Delete(s.Context(), r.PK, r.Version); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrNotFound):
					s.Errorf("one of %d deletions of a record: %v, want nil or ErrNotFound", many, err)
				}
			})
			if won.Load() != 1 {
				s.Fatalf("%d of %d deletions of a record succeed, want one", won.Load(), many)
			}
		}
	}},
	{"DeleteOrUpdate", ifStill, func(s subject) {
		for n := range 20 {
			r := record(n)
			s.create(r)
			var updated, deleted error
			s.together(2, func(i int) {
				if i == 0 {
					updated = s.Update(s.Context(), r)
				} else {
					deleted = s.Delete(s.Context(), r.PK, r.Version)
				}
			})
			switch {
			case updated == nil && errors.Is(deleted, store.ErrStale):
				r.Version++
				s.delete(r)
			case deleted == nil && errors.Is(updated, store.ErrNotFound):
			default:
				s.Fatalf("Update and Delete of one version at once return %v and %v; want nil and ErrStale, or ErrNotFound and nil",
					updated, deleted)
			}
			s.holds()
		}
	}},
	{"PurgeOnce", oneGetsIt, func(s subject) {
		const size = 60
		for n := range size {
			s.create(record(n))
		}
		var got [size]atomic.Int64
		s.together(many, func(int) {
			for {
				rs, err := s.Purge(s.Context(), store.Query{Limit: 3})
				if err != nil {
					s.Errorf("one of %d calls of Purge: %v", many, err)
				}
				if len(rs) == 0 {
					return
				}
				for _, r := range rs {
					got[r.PK[15]].Add(1)
				}
			}
		})
		for n := range got {
			if times := got[n].Load(); times != 1 {
				s.Errorf("of %d calls of Purge at once, %d get %s, want one", many, times, name(record(n)))
			}
		}
		s.holds()
	}},
	{"PurgeOrUpdate", oneGetsIt, func(s subject) {
		for n := range 20 {
			r := record(n)
			s.create(r)
			var updated, err error
			var purged []store.Record
			s.together(2, func(i int) {
				if i == 0 {
					updated = s.Update(s.Context(), r)
				} else {
					purged, err = s.Purge(s.Context(), store.Query{})
				}
			})
			if err != nil || len(purged) != 1 {
				s.Fatalf("Purge while the record is updated returns %s, %v; want it", names(purged), err)
			}
			switch {
			case updated == nil:
				r.Version++
			case !errors.Is(updated, store.ErrNotFound):
				s.Fatalf("Update while the record is purged: %v, want nil or ErrNotFound", updated)
			}
			s.same("Purge while the record is updated", purged[0], r)
			s.holds()
		}
	}},
	{"TouchAndUpdate", fields, func(s subject) {
		// While one goroutine updates without end, another records uses: each
		// must still be there when the update that went on meanwhile is through.
		r := record(1)
		s.create(r)
		updated, stop := make(chan struct{}), make(chan struct{})
		s.together(2, func(i int) {
			if i == 0 {
				defer close(updated)
				for n := int64(0); ; n++ {
					mine := r
					mine.User, mine.Version = fmt.Sprint(n), r.Version+n
					if err := s.Update(s.Context(), mine); err != nil {
						s.Errorf("Update while the record is touched: %v", err)
						return
					}
					select {
					case updated <- struct{}{}:
					case <-stop:
						return
					}
				}
			}
			defer close(stop)
			for n := range 40 {
				use := store.Use{PK: r.PK, At: seconds(1000 + n), From: fmt.Sprint("host-", n)}
				<-updated // and the next begins
				if err := s.Touch(s.Context(), []store.Use{use}); err != nil {
					s.Errorf("Touch while the record is updated: %v", err)
					return
				}
				<-updated
				if got, err := s.Get(s.Context(), r.Identifier); err != nil || !got.LastUsed.Equal(use.At) || got.LastUsedFrom != use.From {
					s.Errorf("after Touch at %v, while updates go on, the record was last used at %v (%v)", use.At, got.LastUsed, err)
					return
				}
			}
		})
	}},
	{"TouchLatest", touches, func(s subject) {
		r := record(1)
		s.create(r)
		for round := range 10 {
			s.together(many, func(i int) {
				at := 1000 + 100*round + i*7%many // in no order
				use := store.Use{PK: r.PK, At: seconds(at), From: fmt.Sprint("host-", at)}
				if err := s.Touch(s.Context(), []store.Use{use}); err != nil {
					s.Errorf("Touch: %v", err)
				}
			})
			latest := 1000 + 100*round + many - 1
			r.LastUsed, r.LastUsedFrom = seconds(latest), fmt.Sprint("host-", latest)
			s.holds(r)
		}
	}},
}

// lifecycle takes r through all there is to do with one record.
func (s subject) lifecycle(r store.Record) error {
	ctx := s.Context()
	if err := s.Create(ctx, r, 0); err != nil {
		return fmt.Errorf("calling Create: %w", err)
	}
	got, err := s.Get(ctx, r.Identifier)
	if err != nil || diff(got, r) != "" {
		return fmt.Errorf("calling Get: %v %s", err, diff(got, r))
	}
	r.Description = "changed"
	if err := s.Update(ctx, r); err != nil {
		return fmt.Errorf("calling Update: %w", err)
	}
	r.Version++
	r.LastUsed = seconds(5000)
	if err := s.Touch(ctx, []store.Use{{PK: r.PK, At: r.LastUsed, From: r.LastUsedFrom}}); err != nil {
		return fmt.Errorf("calling Touch: %w", err)
	}
	got, err = s.GetByDigest(ctx, r.Digest)
	if err != nil || diff(got, r) != "" {
		return fmt.Errorf("calling GetByDigest: %v %s", err, diff(got, r))
	}
	if r.PK[15]%2 == 0 {
		if err := s.Delete(ctx, r.PK, r.Version); err != nil {
			return fmt.Errorf("calling Delete: %w", err)
		}
		return nil
	}
	if rs, err := s.Purge(ctx, store.Query{Identifier: r.Identifier}); err != nil || len(rs) != 1 || diff(rs[0], r) != "" {
		return fmt.Errorf("calling Purge returns %s, %v", names(rs), err)
	}
	return nil
}

// createAtOnce is the case of many new records that share a field.
func createAtOnce(i int) func(subject) {
	return func(s subject) {
		field := uniqueFields[i]
		for round := range 8 {
			var won atomic.Int64
			s.together(many, func(i int) {
				r := record(1000*round + i + 1)
				field.copy(&r, record(1000*round))
				won.Add(s.wins("Create", field.name, s.Create(s.Context(), r, 0)))
			})
			if won.Load() != 1 {
				s.Fatalf("%d of %d records with the same %s are created, want one", won.Load(), many, field.name)
			}
		}
		if n := s.count(store.Query{}); n != 8 {
			s.Fatalf("the store counts %d records, want 8", n)
		}
	}
}

// updateAtOnce is the case of many records that want the same for a field.
func updateAtOnce(i int) func(subject) {
	return func(s subject) {
		field := uniqueFields[i]
		var version [many]int64
		for i := range many {
			s.create(record(i))
			version[i] = record(i).Version
		}
		for round := range 8 {
			var won atomic.Int64
			s.together(many, func(i int) {
				r := record(i)
				r.Version = version[i]
				field.copy(&r, record(1000+round))
				n := s.wins("Update", field.name, s.Update(s.Context(), r))
				version[i] += n
				won.Add(n)
			})
			if won.Load() != 1 {
				s.Fatalf("%d of %d records get the same %s, want one", won.Load(), many, field.name)
			}
		}
	}
}

// wins returns 1 if err is nil, and 0 if it says that the field is taken.
func (s subject) wins(method string, field store.Field, err error) int64 {
	var taken *store.TakenError
	switch {
	case err == nil:
		return 1
	case !errors.As(err, &taken) || !errors.Is(err, store.ErrTaken) || taken.Field != field:
		s.Errorf("one of %d calls of %s with the same %s: %v, want nil or a TakenError that names it", many, method, field, err)
	}
	return 0
}
