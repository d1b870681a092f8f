package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A keeper keeps tokens, in the way of a contender. Its methods are called by
// many goroutines at once.
type keeper interface {
	// create makes a token with a new secret, and returns the secret.
	create(ctx context.Context, name, user string) (secret string, err error)

	// update reads the token and writes it with another description.
	update(ctx context.Context, t token, description string) error

	// lookUp finds the token that a secret is of, and fails if there is none.
	lookUp(ctx context.Context, secret string) error

	close() error
}

// A token is what the work is done with.
type token struct{ name, secret string }

// The work that can be asked of a contender.
const (
	create = "create"
	update = "update"
	lookUp = "look-up"
)

// A task is something to measure.
type task struct {
	Op      string
	Callers int
	Time    time.Duration
}

// A sample is what came of a task.
type sample struct {
	Rate     float64 // per second, of all callers together
	P50, P99 time.Duration
	Allocs   float64 // per operation
	Value    float64 // of what is no rate: a size, a factor
}

// cost is how long one operation takes, if there is one at a time.
func (s sample) cost() time.Duration { return time.Duration(float64(time.Second) / s.Rate) }

// spread has callers call op until the time is over, each at least once and with
// a context that can be cancelled, as a request's can. Caller w does
// the operations w, w+callers, w+2·callers and so on. One operation in every is timed
// by itself.
func spread(t task, every int, op func(ctx context.Context, i int) error) (sample, error) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	counts, took, errs := make([]int, t.Callers), make([][]time.Duration, t.Callers), make([]error, t.Callers)
	for w := range took {
		took[w] = make([]time.Duration, 0, 1<<14)
	}

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	time.AfterFunc(t.Time, func() { stop.Store(true) })
	for w := range t.Callers {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			n := 0
			for i := w; errs[w] == nil && (n == 0 || !stop.Load()); i += t.Callers {
				if n%every == 0 {
					began := time.Now()
					errs[w] = op(ctx, i)
					took[w] = append(took[w], time.Since(began))
				} else {
					errs[w] = op(ctx, i)
				}
				n++
			}
			counts[w] = n
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)

	n := 0
	var all []time.Duration
	if err := errors.Join(errs...); err != nil {
		return sample{}, err
	}
	for w := range t.Callers {
		n += counts[w]
		all = append(all, took[w]...)
	}
	return sample{
		Rate:   float64(n) / elapsed.Seconds(),
		P50:    percentile(all, 50),
		P99:    percentile(all, 99),
		Allocs: float64((after.Mallocs - before.Mallocs) / uint64(n)), // as package testing counts them
	}, nil
}

// keeping is a keeper with tokens in it, to measure.
type keeping struct {
	keeper
	every  int
	tokens []token
	tasks  int // of create, so far
}

// newKeeping makes n tokens, a multiple of all numbers of callers, so that
// no two callers ever update the same token.
func newKeeping(k keeper, every, n int) (*keeping, error) {
	p := &keeping{keeper: k, every: every, tokens: make([]token, n)}
	err := together(64, n, func(ctx context.Context, i int) error {
		secret, err := k.create(ctx, nameOf(i), ownerOf(i))
		p.tokens[i] = token{nameOf(i), secret}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fill: %w", err)
	}
	return p, nil
}

// together has callers do n things between them, untimed.
func together(callers, n int, op func(ctx context.Context, i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for w := range callers {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := w; i < n && errs[w] == nil; i += callers {
				errs[w] = op(ctx, i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// scatter returns a number below n that seems random, but is the same every time.
func scatter(i, n int) int { return int(uint64(i) * 0x9E3779B97F4A7C15 >> 32 % uint64(n)) }

func nameOf(i int) string  { return "token-" + strconv.Itoa(i) }
func ownerOf(i int) string { return strconv.Itoa(i%100 + 1) }

func (p *keeping) measure(t task) (sample, error) {
	switch t.Op {
	case create:
		p.tasks++
		first := p.tasks << 32 // further than any task gets
		return spread(t, p.every, func(ctx context.Context, i int) error {
			_, err := p.create(ctx, nameOf(first+i), ownerOf(i))
			return err
		})
	case update:
		return spread(t, p.every, func(ctx context.Context, i int) error {
			return p.update(ctx, p.tokens[i%len(p.tokens)], "changed for the "+strconv.Itoa(i))
		})
	case lookUp:
		return spread(t, p.every, func(ctx context.Context, i int) error {
			return p.lookUp(ctx, p.tokens[scatter(i, len(p.tokens))].secret)
		})
	}
	return sample{}, fmt.Errorf("nobody knows how to %q", t.Op)
}

func (p *keeping) figures() map[string]float64 { return nil }
