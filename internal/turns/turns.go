// Package turns is for benchmarks that compare a store with the raw statements
// beneath it. Each does the same, [Round] times in turns, and what counts is the
// median of how many times the speed of raw the store has: on a machine with
// other things to do that is the one figure to rely on. Give such a benchmark a
// number of rounds, as in -benchtime 20x.
package turns

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Round is so many operations, before it is the other's turn.
const Round = 1024

// Compare has raw and the store do a round in turns, and reports how they compare.
// Both are told how many operations there were in the rounds before, and return how long
// each of theirs took.
func Compare(b *testing.B, raw, store func(offset int) []time.Duration) {
	b.Helper()
	var ratios []float64
	var took [2][]time.Duration
	var total [2]time.Duration
	timed := func(side, offset int, f func(int) []time.Duration) time.Duration {
		start := time.Now()
		took[side] = append(took[side], f(offset)...)
		elapsed := time.Since(start)
		total[side] += elapsed
		return elapsed
	}
	for offset := 0; b.Loop(); offset += Round {
		r := timed(0, offset, raw)
		s := timed(1, offset, store)
		ratios = append(ratios, r.Seconds()/s.Seconds())
	}
	for side, name := range []string{"raw", "store"} {
		slices.Sort(took[side])
		b.ReportMetric(float64(len(ratios)*Round)/total[side].Seconds(), name+"/s")
		b.ReportMetric(float64(took[side][len(took[side])*99/100].Microseconds()), name+"-p99-µs")
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "×raw")
	b.ReportMetric(0, "ns/op")
}

// Spread has n goroutines do f for a round altogether, each with a context that
// can be cancelled, as a request's can.
func Spread(b *testing.B, n int, f func(ctx context.Context, i int) error) []time.Duration {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	took := make([]time.Duration, Round)
	for range n {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := int(next.Add(1)) - 1; i < Round; i = int(next.Add(1)) - 1 {
				start := time.Now()
				if err := f(ctx, i); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	return took
}
