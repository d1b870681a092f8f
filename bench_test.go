package authtoken_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// stores are what the benchmarks run over.
var stores = map[string]func(b *testing.B) store.Store{
	"memory": func(*testing.B) store.Store { return memory.New() },
	"sqlite": func(b *testing.B) store.Store {
		st, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "tokens.db"), sqlite.Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = st.Close() })
		return st
	},
}

// overStores runs f over each store, with one caller and with 64.
func overStores(b *testing.B, f func(b *testing.B, svc *authtoken.Service, ctx context.Context, each func(func(i int64)))) {
	for _, name := range []string{"memory", "sqlite"} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				svc, err := authtoken.New(stores[name](b), authtoken.Config{})
				if err != nil {
					b.Fatal(err)
				}
				// A request's context, which can be cancelled.
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				f(b, svc, ctx, func(one func(i int64)) {
					b.ReportAllocs()
					b.ResetTimer()
					share(b, callers, one)
				})
			})
		}
	}
}

// share has callers do b.N things between them.
func share(b *testing.B, callers int, one func(i int64)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				one(i)
			}
		})
	}
	wg.Wait()
}

func makeTokens(b *testing.B, svc *authtoken.Service, n int) []string {
	b.Helper()
	keys := make([]string, n)
	share64(n, func(i int) {
		_, key, err := svc.Create(context.Background(), authtoken.CreateParams{
			Identifier: fmt.Sprint("old", i), User: fmt.Sprint(1 + i%100), Expiring: new(false)})
		if err != nil {
			b.Error(err)
		}
		keys[i] = key.Reveal()
	})
	return keys
}

func share64(n int, one func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				one(int(i - 1))
			}
		})
	}
	wg.Wait()
}

func BenchmarkCreate(b *testing.B) {
	overStores(b, func(b *testing.B, svc *authtoken.Service, ctx context.Context, each func(func(int64))) {
		each(func(i int64) {
			_, _, err := svc.Create(ctx, authtoken.CreateParams{
				Identifier: fmt.Sprint("t", i), User: strconv.FormatInt(i%100+1, 10), Description: "made by a benchmark"})
			if err != nil {
				b.Error(err)
			}
		})
	})
}

func BenchmarkUpdate(b *testing.B) {
	overStores(b, func(b *testing.B, svc *authtoken.Service, ctx context.Context, each func(func(int64))) {
		const n = 1000
		makeTokens(b, svc, n)
		each(func(i int64) {
			_, err := svc.Update(ctx, fmt.Sprint("old", i%n), authtoken.UpdateParams{Description: new(fmt.Sprint(i))})
			if err != nil {
				b.Error(err)
			}
		})
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	overStores(b, func(b *testing.B, svc *authtoken.Service, ctx context.Context, each func(func(int64))) {
		keys := makeTokens(b, svc, 10_000)
		each(func(i int64) {
			if _, err := svc.Authenticate(ctx, keys[i%int64(len(keys))], authtoken.IntentAPI); err != nil {
				b.Error(err)
			}
		})
	})
}

// BenchmarkAuthenticateLimit is what Authenticate over the memory store is
// measured against: a digest, and a map behind a lock. What a check can't do without
// beyond that is added in turn: the clock, as a token may have expired, and the
// checksum, as garbage must not reach the store.
func BenchmarkAuthenticateLimit(b *testing.B) {
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	if err != nil {
		b.Fatal(err)
	}
	keys := makeTokens(b, svc, 10_000)
	var mu sync.RWMutex
	found := make(map[[32]byte]*store.Record)
	for _, key := range keys {
		found[sha256.Sum256([]byte(key))] = &store.Record{Expires: time.Now().Add(time.Hour)}
	}
	lookUp := func(key string) *store.Record {
		digest := sha256.Sum256([]byte(key))
		mu.RLock()
		defer mu.RUnlock()
		return found[digest]
	}
	for _, c := range []struct {
		name string
		good func(key string) bool
	}{
		{"digest", func(key string) bool { return lookUp(key) != nil }},
		{"digest,clock", func(key string) bool { return time.Now().Before(lookUp(key).Expires) }},
		{"digest,clock,checksum", func(key string) bool {
			return crc32.ChecksumIEEE([]byte(key[:len(key)-6])) != 0 && time.Now().Before(lookUp(key).Expires)
		}},
	} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", c.name, callers), func(b *testing.B) {
				b.ReportAllocs()
				share(b, callers, func(i int64) {
					if !c.good(keys[i%int64(len(keys))]) {
						b.Error("not found")
					}
				})
			})
		}
	}
}
