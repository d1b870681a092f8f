package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/authtoken/authtoken/store"
)

const (
	seenAtOnce = "Once a method has returned nil, every call that starts afterwards sees its effect, from any goroutine."
	allOrNone  = "A read sees all of a write or none of it."
	oneMoment  = "All of them are from one moment."
)

var visibilityCases = []testCase{
	{"Create", seenAtOnce, func(s subject) {
		for n := range 8 {
			s.create(record(n))
			s.seen(n+1, record(n))
		}
	}},
	{"Update", seenAtOnce, func(s subject) {
		r := record(1)
		s.create(r)
		for n := range 8 {
			if n%2 == 0 { // and what it is found by
				r.Identifier = fmt.Sprint("name-", n)
				r.Digest = digest(1000 + n)
				r.Retired = digest(2000 + n)
				r.Earlier = []store.EarlierKey{{Digest: digest(3000 + n), Until: seconds(n)}}
			}
			r.Description = fmt.Sprint("update ", n)
			r = s.update(r)
			s.seen(1, r)
		}
	}},
	{"Delete", seenAtOnce, func(s subject) {
		for n := range 8 {
			s.create(record(n))
			s.seen(1, record(n))
			s.delete(record(n))
			s.unseen(record(n))
		}
	}},
	{"Purge", seenAtOnce, func(s subject) {
		for n := range 8 {
			s.create(record(n))
			s.seen(1, record(n))
			s.purge(store.Query{})
			s.unseen(record(n))
		}
	}},
	{"Touch", seenAtOnce, func(s subject) {
		r := record(1)
		s.create(r)
		for n := range 8 {
			r.LastUsed = seconds(1000 + n)
			s.touch(store.Use{PK: r.PK, At: r.LastUsed, From: r.LastUsedFrom})
			s.seen(1, r)
		}
	}},

	{"WholeRecord", allOrNone, func(s subject) {
		const identifier, updates = "the one", 100
		current := digest(1)
		// state is the record as it is at a version, every field of it.
		state := func(version int) store.Record {
			r := record(version)
			r.PK, r.Identifier, r.Digest = record(0).PK, identifier, current
			r.Intent = fmt.Sprint("intent-", version)
			r.User = fmt.Sprint(version)
			r.Created, r.LastUsed, r.LastUsedFrom = seconds(0), seconds(0), ""
			r.Version = int64(version)
			return r
		}
		s.create(state(0))
		check := func(what string, r store.Record) {
			if d := diff(r, state(int(r.Version))); d != "" {
				s.Errorf("%s, while updates go on, at version %d: %s", what, r.Version, d)
			}
		}
		s.during(func() {
			for v := range updates {
				r := state(v + 1)
				r.Version = int64(v)
				if err := s.Update(s.Context(), r); err != nil {
					s.Errorf("Update at version %d: %v", v, err)
					return
				}
			}
		}, func() {
			r, err := s.Get(s.Context(), identifier)
			if err != nil {
				s.Errorf("Get, while updates go on: %v", err)
			} else {
				check("Get", r)
			}
		}, func() {
			r, err := s.GetByDigest(s.Context(), current)
			if err != nil {
				s.Errorf("GetByDigest, while updates go on: %v", err)
			} else {
				check("GetByDigest", r)
			}
		}, func() {
			rs, err := s.List(s.Context(), store.Query{})
			if err != nil || len(rs) != 1 {
				s.Errorf("List, while updates go on, returns %s, %v; want one record", names(rs), err)
			} else {
				check("List", rs[0])
			}
		})
	}},
	{"WholeRename", allOrNone, func(s subject) {
		// Names move from one end of the order to the other and back.
		for n := range 8 {
			s.create(bare(n, fmt.Sprint("m-", n)))
		}
		s.during(func() {
			for i := range 100 {
				r := bare(i%8, fmt.Sprint([]string{"a-", "z-"}[i/8%2], i%8))
				r.Version = int64(i/8) + 1
				if err := s.Update(s.Context(), r); err != nil {
					s.Errorf("Update: %v", err)
					return
				}
			}
		}, func() {
			rs, err := s.List(s.Context(), store.Query{})
			pks := map[store.PK]bool{}
			for _, r := range rs {
				pks[r.PK] = true
			}
			if err != nil || len(rs) != 8 || len(pks) != 8 {
				s.Errorf("List, while records are renamed, returns %s, %v; want each of 8 records once", names(rs), err)
			}
		}, func() {
			if n, err := s.Count(s.Context(), store.Query{}); n != 8 || err != nil {
				s.Errorf("Count, while records are renamed, returns %d, %v; want 8", n, err)
			}
		})
	}},
	{"WholeTouch", oneMoment, func(s subject) {
		a, b := record(1), record(2)
		a.LastUsed, b.LastUsed = seconds(0), seconds(0)
		s.create(a, b)
		s.during(func() {
			for n := range 100 {
				uses := []store.Use{{PK: a.PK, At: seconds(n + 1)}, {PK: b.PK, At: seconds(n + 1)}}
				if err := s.Touch(s.Context(), uses); err != nil {
					s.Errorf("Touch: %v", err)
					return
				}
			}
		}, func() {
			rs, err := s.List(s.Context(), store.Query{})
			if err != nil || len(rs) != 2 {
				s.Errorf("List, while records are touched, returns %s, %v; want two records", names(rs), err)
			} else if !rs[0].LastUsed.Equal(rs[1].LastUsed) {
				s.Errorf("List returns records that were last used at %v and at %v, but each Touch touched both",
					rs[0].LastUsed, rs[1].LastUsed)
			}
		})
	}},
	{"WholePurge", allOrNone, func(s subject) {
		const size, rounds = 5, 20
		s.during(func() {
			for range rounds {
				for n := range size {
					if err := s.Create(s.Context(), record(n), 0); err != nil {
						s.Errorf("Create of a record that was purged: %v", err)
						return
					}
				}
				if rs, err := s.Purge(s.Context(), store.Query{}); len(rs) != size || err != nil {
					s.Errorf("Purge returns %s, %v; want all of %d records", names(rs), err, size)
					return
				}
			}
		}, func() {
			rs, err := s.List(s.Context(), store.Query{})
			if err != nil {
				s.Errorf("List: %v", err)
			}
			// They are created in the order of their names, so that a later one
			// without an earlier one is a purge half done.
			for i, r := range rs {
				if r.Identifier != record(i).Identifier {
					s.Errorf("List, while a Purge of all goes on, returns %s: some of them are purged and some are not", names(rs))
					return
				}
			}
		})
	}},
}

// seen checks from several goroutines that r is found by all ways, among n.
func (s subject) seen(n int, r store.Record) {
	s.Helper()
	s.together(4, func(int) {
		got, err := s.Get(s.Context(), r.Identifier)
		if d := diff(got, r); err != nil || d != "" {
			s.Errorf("Get right after a write: %v, %s", err, d)
		}
		got, err = s.GetByDigest(s.Context(), r.Digest)
		if d := diff(got, r); err != nil || d != "" {
			s.Errorf("GetByDigest right after a write: %v, %s", err, d)
		}
		got, err = s.GetByDigest(s.Context(), r.Retired)
		if d := diff(got, r); err != nil || d != "" {
			s.Errorf("GetByDigest of a retired digest right after a write: %v, %s", err, d)
		}
		for _, k := range r.Earlier {
			got, err = s.GetByDigest(s.Context(), k.Digest)
			if d := diff(got, r); err != nil || d != "" {
				s.Errorf("GetByDigest of an earlier digest right after a write: %v, %s", err, d)
			}
		}
		if rs, err := s.List(s.Context(), store.Query{Identifier: r.Identifier}); err != nil || len(rs) != 1 || diff(rs[0], r) != "" {
			s.Errorf("List right after a write returns %s, %v", names(rs), err)
		}
		if got, err := s.Count(s.Context(), store.Query{}); got != n || err != nil {
			s.Errorf("Count right after a write returns %d, %v; want %d", got, err, n)
		}
	})
}

// unseen checks from several goroutines that nothing is found, least of all r.
func (s subject) unseen(r store.Record) {
	s.Helper()
	s.together(4, func(int) {
		if _, err := s.Get(s.Context(), r.Identifier); !errors.Is(err, store.ErrNotFound) {
			s.Errorf("Get of a record that is gone: %v, want ErrNotFound", err)
		}
		for _, d := range digests(r) {
			if _, err := s.GetByDigest(s.Context(), d); !errors.Is(err, store.ErrNotFound) {
				s.Errorf("GetByDigest of a record that is gone: %v, want ErrNotFound", err)
			}
		}
		if rs, err := s.List(s.Context(), store.Query{}); err != nil || len(rs) != 0 {
			s.Errorf("List of a store that is empty again returns %s, %v", names(rs), err)
		}
		if n, err := s.Count(s.Context(), store.Query{}); n != 0 || err != nil {
			s.Errorf("Count of a store that is empty again returns %d, %v", n, err)
		}
	})
}

// together calls f from n goroutines at once and waits for them.
func (s subject) together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// during calls write once and each of reads over and over until write is done, each
// from two goroutines. The write begins when all of them have read once.
func (s subject) during(write func(), reads ...func()) {
	var done atomic.Bool
	var ready sync.WaitGroup
	ready.Add(2 * len(reads))
	s.together(1+2*len(reads), func(i int) {
		if i == 0 {
			ready.Wait()
			write()
			done.Store(true)
			return
		}
		reads[i%len(reads)]()
		ready.Done()
		for !done.Load() && !s.Failed() {
			reads[i%len(reads)]()
		}
	})
}
