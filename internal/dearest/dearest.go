// Package dearest measures the dearest list that a plain user can ask for, over
// HTTP: all of their thousand tokens, with texts as long as they may be, and a
// search of eight words for which the whole of each text has to be looked at.
package dearest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
)

const (
	tokens = 1000
	owner  = "7"
	words  = 8
	// wordLength is what each of so many words may have, in characters.
	wordLength = (255 - (words - 1)) / words
)

// texts are letters that descriptions consist of. All but the last are capitals,
// so that each has to be folded.
var texts = []struct{ name, letter string }{
	{"ascii", "A"},
	{"latin", "É"},
	{"4bytes", "𐐀"},
	{"escaped", "\x01"}, // six bytes in an answer
}

// Benchmark measures requests over the store that newStore returns, for
// descriptions of so many characters each. It reports, beside the time a request
// takes, what it allocates, by how much the heap grows at most, and how long a
// request goes on after its context has ended.
func Benchmark(b *testing.B, newStore func(testing.TB) store.Store, lengths ...int) {
	for _, length := range lengths {
		for _, text := range texts {
			b.Run(fmt.Sprintf("chars=%d/text=%s", length, text.name), func(b *testing.B) {
				f := newFixture(b, newStore(b), text.letter, length)
				all := strings.Repeat(text.letter, wordLength-1) + "X"
				none := strings.Repeat(text.letter, wordLength-1) + "Y"
				b.Run("found=all", func(b *testing.B) { f.measure(b, repeat(all, words)) })
				b.Run("found=none", func(b *testing.B) { f.measure(b, repeat(all, words-1)+" "+none) })
				b.Run("search=no", func(b *testing.B) { f.measure(b, "") })
			})
		}
	}
}

// TestHeap checks that a list over the store that newStore returns takes little
// memory: at no time more than 16 MB, garbage included, under the default policy. No other
// test may be running.
func TestHeap(t *testing.T, newStore func(testing.TB) store.Store) {
	const most = 16 << 20
	for _, text := range texts {
		t.Run(text.name, func(t *testing.T) {
			f := newFixture(t, newStore(t), text.letter, 1000)
			for name, search := range map[string]string{"": "", "searching ": repeat(text.letter, words)} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				w := f.get(t.Context(), search)
				runtime.ReadMemStats(&after)
				if w.status != http.StatusOK || w.size < tokens*2000 {
					t.Fatalf("status %d, %d bytes", w.status, w.size)
				}
				t.Logf("%slist: %.1f MB sent, %.1f MB allocated, %.1f MB at a time", name,
					float64(w.size)/1e6, float64(after.TotalAlloc-before.TotalAlloc)/1e6, f.growth(search)/1e6)
				if grown := f.growth(search); grown > most {
					t.Errorf("%slist: the heap grows by %.0f bytes, more than %d", name, grown, most)
				}
			}
		})
	}
}

func repeat(word string, n int) string { return strings.TrimSuffix(strings.Repeat(word+" ", n), " ") }

type fixture struct {
	handler http.Handler
	bearer  string
}

// newFixture makes the tokens. Each description ends in what the words end in, so
// that a word is found at the end or not at all.
func newFixture(tb testing.TB, st store.Store, letter string, length int) *fixture {
	tb.Helper()
	users, err := authtoken.NewUserList(authtoken.User{ID: owner, Username: "plain", Active: true})
	must(tb, err)
	svc, err := authtoken.New(st, authtoken.Config{
		Users:  users,
		Policy: authtoken.Policy{MaxTextLength: length},
	})
	must(tb, err)
	h, err := httpadapter.New(svc, httpadapter.Config{})
	must(tb, err)
	_, key, err := svc.Create(tb.Context(), authtoken.CreateParams{Identifier: "key", User: owner, Expiring: new(false)})
	must(tb, err)
	next := make(chan int)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := range next {
				_, _, err := svc.Create(tb.Context(), authtoken.CreateParams{
					Identifier:  fmt.Sprintf("%0255d", i),
					User:        owner,
					Description: "(" + strings.Repeat(letter, length-3) + "x)",
					Managed:     fmt.Sprintf("%04d", i) + strings.Repeat(letter, length-5) + ".",
				})
				if err != nil {
					tb.Error(err)
				}
			}
		})
	}
	for i := range tokens {
		next <- i
	}
	close(next)
	wg.Wait()
	return &fixture{h, "Bearer " + key.Reveal()}
}

func (f *fixture) get(ctx context.Context, search string) *sink {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet,
		"/api/v3/core/tokens/?page_size=1000&search="+url.QueryEscape(search), nil)
	r.Header.Set("Authorization", f.bearer)
	w := &sink{header: http.Header{}}
	defer func() {
		p := recover()
		if err, ok := p.(error); p != nil && !(ok && errors.Is(err, http.ErrAbortHandler)) {
			panic(p)
		}
	}()
	f.handler.ServeHTTP(w, r)
	return w
}

func (f *fixture) measure(b *testing.B, search string) {
	b.ReportAllocs()
	var size int
	var took time.Duration
	for b.Loop() {
		start := time.Now()
		w := f.get(b.Context(), search)
		took = time.Since(start)
		if w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
		size = w.size
	}
	b.ReportMetric(float64(size)/1e6, "MB-sent")
	b.ReportMetric(f.growth(search)/1e6, "MB-peak")
	b.ReportMetric(f.lag(b, search, took).Seconds()*1e3, "ms-late")
}

// growth returns by how much the heap grows at most during a request, garbage
// included.
func (f *fixture) growth(search string) float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold goes at the second
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, m.HeapAlloc
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.get(context.Background(), search)
	}()
	for {
		select {
		case <-done:
			return float64(most - before)
		case <-time.After(500 * time.Microsecond):
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
}

// lag returns how long a request goes on at most after its context has ended, at
// different moments of what it takes.
func (f *fixture) lag(b *testing.B, search string, takes time.Duration) time.Duration {
	const moments = 5
	var longest time.Duration
	for i := range moments {
		ctx, cancel := context.WithCancel(b.Context())
		var ended time.Time
		timer := time.AfterFunc(takes*time.Duration(i+1)/(moments+1), func() {
			ended = time.Now()
			cancel()
		})
		f.get(ctx, search)
		returned := time.Now()
		if !timer.Stop() {
			<-ctx.Done()
			longest = max(longest, returned.Sub(ended))
		}
		cancel()
	}
	return longest
}

// sink is a ResponseWriter that keeps nothing.
type sink struct {
	header       http.Header
	status, size int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { s.size += len(b); return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
