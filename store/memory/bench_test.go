package memory_test

import (
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/authtoken/authtoken/internal/dearest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

var uuids = flag.Bool("uuids", false, "owners of benchmarks have UUIDs")

var start = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// tokensPerOwner is how many tokens the owners of a benchmark's store have.
const tokensPerOwner = 20

// lifetimes are how long a benchmark's tokens live.
var lifetimes = []time.Duration{30 * time.Minute, 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour}

// user returns the ID of the nth owner of a benchmark's store: a number or, with
// -uuids, as long as a UUID.
func user(n int) string {
	if *uuids {
		return fmt.Sprintf("%08x-5f0e-4f62-9d4c-0d9d1bb6a0a1", uint32(n)*2654435761)
	}
	return strconv.Itoa(n)
}

// token returns the nth record of a benchmark's store: one a second, with
// random names and owners.
func token(n int) store.Record {
	seed := binary.BigEndian.AppendUint64(nil, uint64(n))
	digest := sha256.Sum256(seed)
	var pk store.PK
	copy(pk[:], seed)
	copy(pk[8:], digest[:])
	return store.Record{
		PK:          pk,
		Identifier:  fmt.Sprintf("service-%x", digest[:8]),
		Intent:      "api",
		User:        user(int(binary.BigEndian.Uint32(digest[8:]) % uint32(n/tokensPerOwner+1))),
		Description: fmt.Sprintf("deploys service %d", n),
		Expires:     start.Add(time.Duration(n)*time.Second + lifetimes[digest[12]%4]),
		Expiring:    true,
		Scopes:      "*",
		Networks:    "*",
		State:       store.StateActive,
		Digest:      digest,
		Created:     start.Add(time.Duration(n) * time.Second),
		Version:     1,
	}
}

// filled returns a store of n tokens.
func filled(tb testing.TB, n int) *memory.Store {
	tb.Helper()
	s := memory.New()
	for i := range n {
		if err := s.Create(tb.Context(), token(i), 0); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// stores are filled once and used by all benchmarks, each of which leaves as
// many tokens as it found.
var stores = map[int]func(testing.TB) *memory.Store{
	1_000:     shared(1_000),
	1_000_000: shared(1_000_000),
}

func shared(n int) func(testing.TB) *memory.Store {
	var s *memory.Store
	return func(tb testing.TB) *memory.Store {
		if s == nil {
			s = filled(tb, n)
		}
		return s
	}
}

// sizes runs f with a store of a thousand tokens and with one of a million.
func sizes(b *testing.B, f func(b *testing.B, s *memory.Store, n int)) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := stores[n](b)
			b.ReportAllocs()
			b.ResetTimer()
			f(b, s, n)
		})
	}
}

func BenchmarkGetByDigest(b *testing.B) {
	sizes(b, func(b *testing.B, s *memory.Store, n int) {
		digests := make([]store.Digest, n)
		for i := range digests {
			digests[i] = token(i).Digest
		}
		ctx := b.Context()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.IntN(n); pb.Next(); i++ {
				if _, err := s.GetByDigest(ctx, digests[i*31%n]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkCreate creates and deletes, in turns, so that the store stays as
// large as it is; it reports the time that Create takes.
func BenchmarkCreate(b *testing.B) {
	sizes(b, func(b *testing.B, s *memory.Store, n int) {
		const batch = 256
		rs := make([]store.Record, batch)
		next := n
		var create time.Duration
		for b.Loop() {
			for i := range rs {
				rs[i] = token(next)
				rs[i].User = user(rand.IntN(n/tokensPerOwner + 1))
				next++
			}
			began := time.Now()
			for _, r := range rs {
				if err := s.Create(b.Context(), r, 0); err != nil {
					b.Fatal(err)
				}
			}
			create += time.Since(began)
			for _, r := range rs {
				if err := s.Delete(b.Context(), r.PK, r.Version); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(create)/float64(b.N*batch), "ns/create")
	})
}

func BenchmarkUpdate(b *testing.B) {
	sizes(b, func(b *testing.B, s *memory.Store, n int) {
		ctx := b.Context()
		for b.Loop() {
			r, err := s.Get(ctx, token(rand.IntN(n)).Identifier)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Update(ctx, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTouch(b *testing.B) {
	sizes(b, func(b *testing.B, s *memory.Store, n int) {
		uses := make([]store.Use, 256)
		now := start
		for b.Loop() {
			now = now.Add(time.Second)
			for i := range uses {
				uses[i] = store.Use{PK: token(rand.IntN(n)).PK, At: now, From: "192.0.2.1"}
			}
			if err := s.Touch(b.Context(), uses); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N*len(uses)), "ns/use")
	})
}

func BenchmarkList(b *testing.B) {
	desc := []store.Order{{Field: store.FieldIdentifier, Desc: true}}
	yes := true
	for _, bench := range []struct {
		name  string
		count bool // too
		query func(n int) store.Query
	}{
		{"owner", true, func(n int) store.Query {
			return store.Query{Users: []string{user(rand.IntN(n/tokensPerOwner + 1))}, Limit: 20}
		}},
		{"all", true, func(int) store.Query { return store.Query{Limit: 20} }},
		{"after", false, func(n int) store.Query {
			r := token(rand.IntN(n))
			return store.Query{After: &r, Limit: 20}
		}},
		{"after-desc", false, func(n int) store.Query {
			r := token(rand.IntN(n))
			return store.Query{After: &r, Order: desc, Limit: 20}
		}},
		{"offset", false, func(n int) store.Query { return store.Query{Offset: n / 2, Limit: 20} }},
		{"expired", false, func(n int) store.Query {
			return store.Query{
				ExpiryBefore: start.AddDate(1, 0, 0),
				Order:        []store.Order{{Field: store.FieldExpires}},
				Limit:        100,
			}
		}},
		{"expiring-soon", true, func(n int) store.Query {
			return store.Query{ExpiryBefore: start.Add(time.Minute), Limit: 20}
		}},
		{"filtered", true, func(int) store.Query {
			return store.Query{Intents: []string{"api"}, Expiring: &yes, Limit: 20}
		}},
		{"by-created", false, func(int) store.Query {
			return store.Query{Order: []store.Order{{Field: store.FieldCreated, Desc: true}}, Limit: 20}
		}},
		{"search", true, func(int) store.Query {
			return store.Query{Words: []store.Word{{Text: "service 99"}}, Limit: 20}
		}},
		{"search-nothing", false, func(int) store.Query {
			return store.Query{Words: []store.Word{{Text: "nowhere"}}, Limit: 20}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			sizes(b, func(b *testing.B, s *memory.Store, n int) {
				for b.Loop() {
					q := bench.query(n)
					if _, err := s.List(b.Context(), q); err != nil {
						b.Fatal(err)
					}
					if !bench.count {
						continue
					}
					if _, err := s.Count(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkSize reports how many bytes of the heap a token takes, its text
// included.
func BenchmarkSize(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				s := filled(b, n)
				runtime.GC()
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(s)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/token")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkDearest(b *testing.B) {
	dearest.Benchmark(b, func(testing.TB) store.Store { return memory.New() }, 1000, 10_000)
}
