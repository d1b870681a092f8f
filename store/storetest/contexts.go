package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtoken/authtoken/store"
)

const (
	doneBefore = "If ctx is done when a method is called, the method returns an error that matches ctx.Err() and changes nothing."
	searching  = "While List or Count looks for words, it looks at ctx again at least every 100 records, or watches ctx.Done()."
	doneDuring = "If ctx ends while the method runs, the method either has had no effect and returns an error that matches ctx.Err(), or has had its whole effect and returns nil."
)

// operation is a call of one method on a store that holds records 1 to 3.
type operation struct {
	name string
	// call makes the call. If it returns no error it says what is wrong with the
	// rest of what it returns, or nothing.
	call  func(ctx context.Context, s store.Store) (wrong string, err error)
	after []store.Record // what the store holds if it succeeds
}

// operations returns one or more for each method.
func operations() []operation {
	a, b, c := record(1), record(2), record(3)
	updated, touched := b, b
	updated.Identifier, updated.Digest, updated.Version = "renamed", digest(1000), b.Version+1
	updated.Earlier = []store.EarlierKey{b.Earlier[1], {Digest: b.Retired, Until: b.RetiredUntil}}
	touched.LastUsed, touched.LastUsedFrom = seconds(9000), "elsewhere"
	one := func(got store.Record, err error) (string, error) { return diff(got, b), err }
	all := func(got []store.Record, err error) (string, error) {
		if err == nil && (len(got) != 3 || diff(got[0], a) != "" || diff(got[1], b) != "" || diff(got[2], c) != "") {
			return fmt.Sprintf("it returns %s, want %s", names(got), names([]store.Record{a, b, c})), nil
		}
		return "", err
	}
	return []operation{
		{"Create", func(ctx context.Context, s store.Store) (string, error) {
			return "", s.Create(ctx, record(4), 0)
		}, []store.Record{a, b, c, record(4)}},
		{"CreateWithin", func(ctx context.Context, s store.Store) (string, error) {
			return "", s.Create(ctx, record(4), 4)
		}, []store.Record{a, b, c, record(4)}},
		{"Get", func(ctx context.Context, s store.Store) (string, error) {
			return one(s.Get(ctx, b.Identifier))
		}, []store.Record{a, b, c}},
		{"GetByDigest", func(ctx context.Context, s store.Store) (string, error) {
			return one(s.GetByDigest(ctx, b.Digest))
		}, []store.Record{a, b, c}},
		{"Update", func(ctx context.Context, s store.Store) (string, error) {
			r := updated
			r.Version--
			return "", s.Update(ctx, r)
		}, []store.Record{a, updated, c}},
		{"Delete", func(ctx context.Context, s store.Store) (string, error) {
			return "", s.Delete(ctx, b.PK, b.Version)
		}, []store.Record{a, c}},
		{"List", func(ctx context.Context, s store.Store) (string, error) {
			return all(s.List(ctx, store.Query{}))
		}, []store.Record{a, b, c}},
		{"Count", func(ctx context.Context, s store.Store) (string, error) {
			n, err := s.Count(ctx, store.Query{})
			if err == nil && n != 3 {
				return fmt.Sprintf("it returns %d, want 3", n), nil
			}
			return "", err
		}, []store.Record{a, b, c}},
		{"Purge", func(ctx context.Context, s store.Store) (string, error) {
			return all(s.Purge(ctx, store.Query{}))
		}, nil},
		{"Touch", func(ctx context.Context, s store.Store) (string, error) {
			return "", s.Touch(ctx, []store.Use{
				{PK: b.PK, At: touched.LastUsed, From: touched.LastUsedFrom},
				{PK: record(4).PK, At: touched.LastUsed, From: touched.LastUsedFrom},
			})
		}, []store.Record{a, touched, c}},
	}
}

func contextCases() []testCase {
	var cases []testCase
	for _, op := range operations() {
		cases = append(cases,
			testCase{"Cancelled" + op.name, doneBefore, func(s subject) {
				ctx, cancel := context.WithCancel(s.Context())
				cancel()
				s.refuses(ctx, op)
			}},
			testCase{"Expired" + op.name, doneBefore, func(s subject) {
				ctx, cancel := context.WithDeadline(s.Context(), time.Unix(0, 0))
				defer cancel()
				s.refuses(ctx, op)
			}},
			testCase{"Ending" + op.name, doneDuring, func(s subject) {
				s.create(record(1), record(2), record(3))
				// First at each moment when the method looks, one after the other.
				for looks := range 100 {
					ctx := newFuse(s.Context(), looks)
					s.either(ctx, op)
					if ctx.whole() {
						break
					}
				}
				// Then at any moment.
				for range 30 {
					ctx, cancel := context.WithCancel(s.Context())
					go cancel()
					s.either(ctx, op)
					cancel()
				}
			}},
		)
	}
	return append(cases,
		testCase{"Searching", searching, func(s subject) {
			s.together(many, func(i int) {
				for n := i; n < searched; n += many {
					r := bare(n, fmt.Sprintf("token-%d", n))
					r.User = "7"
					if err := s.Create(s.Context(), r, 0); err != nil {
						s.Errorf("Create: %v", err)
					}
				}
			})
			s.searches("Count", s.Count)
			s.searches("List", func(ctx context.Context, q store.Query) (int, error) {
				rs, err := s.List(ctx, q)
				return len(rs), err
			})
		}},
		testCase{"CancelledNoUses", doneBefore, func(s subject) {
			ctx, cancel := context.WithCancel(s.Context())
			cancel()
			s.is("Touch of nothing with a cancelled context", s.Touch(ctx, nil), context.Canceled)
		}},
		testCase{"CancelledNotFound", doneBefore, func(s subject) {
			ctx, cancel := context.WithCancel(s.Context())
			cancel()
			_, err := s.Get(ctx, "nothing")
			s.is("Get of nothing with a cancelled context", err, context.Canceled)
			s.is("Update of nothing with a cancelled context", s.Update(ctx, record(1)), context.Canceled)
			s.is("Delete of nothing with a cancelled context", s.Delete(ctx, record(1).PK, 1), context.Canceled)
		}},
	)
}

// searched is how many records there are to search.
const searched = 250

// searches checks that call looks at its context all the while that it looks for
// words in these records, and that nothing comes of a part of them.
func (s subject) searches(name string, call func(ctx context.Context, q store.Query) (int, error)) {
	s.Helper()
	search := func(ctx context.Context, word string) (int, error) {
		return call(ctx, store.Query{Users: []string{"7"}, Words: []store.Word{{Text: word}}})
	}
	watched := &looks{Context: s.Context()}
	if n, err := search(watched, "nowhere"); n != 0 || err != nil {
		s.Fatalf("%s of a word that is nowhere: %d records, %v", name, n, err)
	}
	if n := watched.count(); n <= searched/100 {
		s.Fatalf("%s looked at its context %d times and looked for a word in %d records", name, n, searched)
	}
	for looks := range 100 {
		ctx := newFuse(s.Context(), looks)
		n, err := search(ctx, "token")
		if err != nil && (ctx.whole() || !errors.Is(err, context.Canceled)) || err == nil && n != searched {
			s.Fatalf("%s of a word with a context that ends at the look after %d: %d records of %d, %v", name, looks, n, searched, err)
		}
		if err != nil && n != 0 {
			s.Fatalf("%s returns %d records and the error %v", name, n, err)
		}
		if ctx.whole() {
			break
		}
	}
}

// refuses checks that op with a context that is done fails and does nothing.
func (s subject) refuses(ctx context.Context, op operation) {
	s.Helper()
	before := []store.Record{record(1), record(2), record(3)}
	s.create(before...)
	_, err := op.call(ctx, s.Store)
	s.is(fmt.Sprintf("%s with a context that has ended (%v)", op.name, ctx.Err()), err, ctx.Err())
	s.holds(before...)
	// And the store is as good as before.
	if wrong, err := op.call(s.Context(), s.Store); wrong != "" || err != nil {
		s.Fatalf("%s after one with a context that had ended: %v %s", op.name, err, wrong)
	}
	s.holds(op.after...)
}

// either checks that op with a context that ends meanwhile does all or nothing
// and says which, and then makes the store what it was before.
func (s subject) either(ctx context.Context, op operation) {
	s.Helper()
	before := []store.Record{record(1), record(2), record(3)}
	wrong, err := op.call(ctx, s.Store)
	if err != nil {
		if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
			s.Fatalf("%s with a context that ends while it runs (it says %v) returns the error %v", op.name, ctx.Err(), err)
		}
		if d := s.difference(before); d != "" {
			s.Fatalf("%s returned %v, but had an effect: %s", op.name, err, d)
		}
		return
	}
	if wrong != "" {
		s.Fatalf("%s with a context that ends while it runs returned nil, but %s", op.name, wrong)
	}
	if d := s.difference(op.after); d != "" {
		s.Fatalf("%s returned nil, but had less than its whole effect: %s", op.name, d)
	}
	if !slices.EqualFunc(op.after, before, func(a, b store.Record) bool { return diff(a, b) == "" }) {
		s.purge(store.Query{})
		s.create(before...)
	}
}

// looks is a context that counts how often it is looked at. To watch it is to look
// at it all the time.
type looks struct {
	context.Context
	n atomic.Int64
}

func (l *looks) Err() error {
	l.n.Add(1)
	return l.Context.Err()
}

func (l *looks) Done() <-chan struct{} {
	l.n.Add(1 << 32)
	return l.Context.Done()
}

func (l *looks) count() int64 { return l.n.Load() }

// fuse is a context that is cancelled when it has been looked at a number of
// times, by whichever look comes then. It is to a method as if somebody else
// had cancelled it at just that moment.
type fuse struct {
	context.Context
	done chan struct{}

	mu   sync.Mutex
	left int
	err  error
}

func newFuse(ctx context.Context, looks int) *fuse {
	return &fuse{Context: ctx, done: make(chan struct{}), left: looks}
}

func (f *fuse) Done() <-chan struct{} {
	_ = f.Err()
	return f.done
}

func (f *fuse) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left < 0 && f.err == nil {
		f.err = context.Canceled
		close(f.done)
	}
	return f.err
}

// whole reports whether the context has not been cancelled.
func (f *fuse) whole() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err == nil
}
