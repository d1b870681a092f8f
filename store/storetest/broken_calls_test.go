package storetest_test

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/authtoken/authtoken/store"
)

// always is a context that never ends.
var always = context.Background()

// patience is how often stepwise yields at most. That is a few milliseconds, and a
// goroutine that is ready to run does so long before.
const patience = 10_000

// others is a step that does nothing, so that several others get in between two steps.
func others() {}

// stepwise takes the steps under the lock, one after the other. Between two of them
// it waits until another goroutine has used the store, if there is one that does.
func (s *naive) stepwise(steps ...func()) {
	for i, step := range steps {
		var before int
		_ = s.locked(always, func() error {
			step()
			before = s.calls
			return nil
		})
		used := func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.calls > before
		}
		for range patience {
			if i == len(steps)-1 || used() {
				break
			}
			runtime.Gosched()
		}
	}
}

// deaf returns a broken store of which one method does not hear of contexts.
func deaf(name, fails string, change func(n *naive, p *patch)) broken {
	return broken{name, fails, func(n *naive) patch {
		p := patch{naive: n}
		change(n, &p)
		return p
	}}
}

// brokenCalls break a rule about calls at the same time, or that are given up.
var brokenCalls = []broken{
	{"create-in-two-steps", "Concurrency/CreateDigest Concurrency/CreateIdentifier Concurrency/CreateManaged Concurrency/CreatePK", func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			n.stepwise(func() {
				before := slices.Clone(n.slice)
				err = n.slice.create(r, limit)
				n.slice = before
			}, func() {
				if err == nil {
					n.slice = append(n.slice, clone(r))
				}
			})
			return err
		}}
	}},
	{"update-in-two-steps", "Concurrency/UpdateOneVersion Concurrency/UpdateCounts Concurrency/*?", func(n *naive) patch {
		return patch{naive: n, update: func(ctx context.Context, r store.Record) (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			n.stepwise(func() {
				before := slices.Clone(n.slice)
				err = n.slice.update(r)
				n.slice = before
			}, func() {
				if x := n.find(r.PK); err == nil && x != nil {
					r.Version = x.Version
					_ = n.slice.update(r)
				}
			})
			return err
		}}
	}},
	{"update-with-last-used-as-read", "Concurrency/TouchAndUpdate", func(n *naive) patch {
		return patch{naive: n, update: func(ctx context.Context, r store.Record) (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			var read store.Record
			n.stepwise(func() {
				if x := n.find(r.PK); x != nil {
					read = *x
				}
			}, func() {
				if err = n.slice.update(r); err == nil {
					x := n.find(r.PK)
					x.LastUsed, x.LastUsedFrom = read.LastUsed, read.LastUsedFrom
				}
			})
			return err
		}}
	}},
	{"delete-in-two-steps", "Concurrency/DeleteOnce Concurrency/DeleteOrUpdate?", func(n *naive) patch {
		return patch{naive: n, delete: func(ctx context.Context, pk store.PK, v int64) (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			n.stepwise(func() { _, err = n.current(pk, v) }, func() {
				if err == nil {
					n.remove(pk)
				}
			})
			return err
		}}
	}},
	{"purge-in-two-steps", "Concurrency/PurgeOnce Concurrency/PurgeOrUpdate?", func(n *naive) patch {
		return patch{naive: n, purge: func(ctx context.Context, q store.Query) ([]store.Record, error) {
			rs, err := n.List(ctx, q)
			if err != nil {
				return nil, err
			}
			n.stepwise(func() {}, func() {
				for _, r := range rs {
					n.remove(r.PK)
				}
			})
			return rs, nil
		}}
	}},
	{"purge-one-by-one", "Visibility/WholePurge", func(n *naive) patch {
		return patch{naive: n, purge: func(ctx context.Context, q store.Query) (purged []store.Record, err error) {
			rs, err := n.List(ctx, q)
			if err != nil {
				return nil, err
			}
			var steps []func()
			for _, r := range rs {
				steps = append(steps, func() {
					if x := n.find(r.PK); x != nil {
						purged = append(purged, clone(*x))
						n.remove(r.PK)
					}
				})
			}
			n.stepwise(steps...)
			return purged, nil
		}}
	}},
	{"update-field-by-field", "Visibility/WholeRecord", func(n *naive) patch {
		return patch{naive: n, update: func(ctx context.Context, r store.Record) (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			n.stepwise(func() {
				var old store.Record
				if x := n.find(r.PK); x != nil {
					old = *x
				}
				if err = n.slice.update(r); err == nil {
					n.find(r.PK).Description = old.Description
				}
			}, func() {
				if x := n.find(r.PK); err == nil && x != nil {
					x.Description = r.Description
				}
			})
			return err
		}}
	}},
	{"rename-by-replacing", "Visibility/WholeRename Visibility/WholeRecord?", func(n *naive) patch {
		return patch{naive: n, update: func(ctx context.Context, r store.Record) (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			var updated store.Record
			n.stepwise(func() {
				if err = n.slice.update(r); err == nil {
					updated = *n.find(r.PK)
					n.remove(r.PK)
				}
			}, func() {
				if err == nil {
					n.slice = append(n.slice, updated)
				}
			})
			return err
		}}
	}},
	{"touch-one-by-one", "Visibility/WholeTouch", func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var steps []func()
			for _, use := range uses {
				steps = append(steps, func() { n.touch([]store.Use{use}) })
			}
			n.stepwise(steps...)
			return nil
		}}
	}},
	{"touch-in-two-steps", "Concurrency/TouchLatest", func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			later := make([]bool, len(uses))
			n.stepwise(func() {
				for i, use := range uses {
					x := n.find(use.PK)
					later[i] = x != nil && use.At.After(x.LastUsed)
				}
			}, func() {
				for i, use := range uses {
					if x := n.find(use.PK); x != nil && later[i] {
						x.LastUsed, x.LastUsedFrom = micro(use.At), use.From
					}
				}
			})
			return nil
		}}
	}},
	{"count-remembered-till-create", "Visibility/Delete Visibility/Purge", func(n *naive) patch {
		counted := -1
		return patch{naive: n,
			create: func(ctx context.Context, r store.Record, limit int) error {
				return n.locked(ctx, func() error {
					counted = -1
					return n.slice.create(r, limit)
				})
			},
			count: func(ctx context.Context, q store.Query) (c int, err error) {
				err = n.locked(ctx, func() error {
					if counted < 0 {
						counted = n.slice.count(q)
					}
					c = counted
					return nil
				})
				return c, err
			},
		}
	}},
	{"keys-remembered", "Visibility/Delete Visibility/Purge Visibility/Touch Visibility/Update", func(n *naive) patch {
		known := map[store.Digest]store.Record{}
		return patch{naive: n, getByDigest: func(ctx context.Context, d store.Digest) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				if k, ok := known[d]; ok {
					r = clone(k)
					return nil
				}
				if r, err = n.slice.byDigest(d); err == nil {
					known[d] = clone(r)
				}
				return err
			})
			return r, err
		}}
	}},
	{"delete-later", "Visibility/Delete", func(n *naive) patch {
		var pending []store.PK
		return patch{naive: n,
			delete: func(ctx context.Context, pk store.PK, v int64) error {
				return n.locked(ctx, func() error {
					_, err := n.current(pk, v)
					if err == nil {
						pending = append(pending, pk)
					}
					return err
				})
			},
			get: func(ctx context.Context, identifier string) (r store.Record, err error) {
				err = n.locked(ctx, func() error {
					r, err = n.first(func(x *store.Record) bool { return x.Identifier == identifier })
					for _, pk := range pending {
						n.remove(pk)
					}
					pending = nil
					return err
				})
				return r, err
			},
		}
	}},

	deaf("deaf-create", "Contexts/CancelledCreate Contexts/CancelledCreateWithin Contexts/ExpiredCreate Contexts/ExpiredCreateWithin", func(n *naive, p *patch) {
		p.create = func(_ context.Context, r store.Record, limit int) error { return n.Create(always, r, limit) }
	}),
	deaf("deaf-get", "Contexts/CancelledGet Contexts/CancelledNotFound Contexts/ExpiredGet", func(n *naive, p *patch) {
		p.get = func(_ context.Context, id string) (store.Record, error) { return n.Get(always, id) }
	}),
	deaf("deaf-get-by-digest", "Contexts/CancelledGetByDigest Contexts/ExpiredGetByDigest", func(n *naive, p *patch) {
		p.getByDigest = func(_ context.Context, d store.Digest) (store.Record, error) { return n.GetByDigest(always, d) }
	}),
	deaf("deaf-update", "Contexts/CancelledNotFound Contexts/CancelledUpdate Contexts/ExpiredUpdate", func(n *naive, p *patch) {
		p.update = func(_ context.Context, r store.Record) error { return n.Update(always, r) }
	}),
	deaf("deaf-delete", "Contexts/CancelledDelete Contexts/CancelledNotFound Contexts/ExpiredDelete", func(n *naive, p *patch) {
		p.delete = func(_ context.Context, pk store.PK, v int64) error { return n.Delete(always, pk, v) }
	}),
	deaf("deaf-list", "Contexts/CancelledList Contexts/ExpiredList Contexts/Searching", func(n *naive, p *patch) {
		p.list = func(_ context.Context, q store.Query) ([]store.Record, error) { return n.List(always, q) }
	}),
	deaf("deaf-count", "Contexts/CancelledCount Contexts/ExpiredCount Contexts/Searching", func(n *naive, p *patch) {
		p.count = func(_ context.Context, q store.Query) (int, error) { return n.Count(always, q) }
	}),
	deaf("deaf-purge", "Contexts/CancelledPurge Contexts/ExpiredPurge", func(n *naive, p *patch) {
		p.purge = func(_ context.Context, q store.Query) ([]store.Record, error) { return n.Purge(always, q) }
	}),
	deaf("deaf-touch", "Contexts/CancelledNoUses Contexts/CancelledTouch Contexts/ExpiredTouch", func(n *naive, p *patch) {
		p.touch = func(_ context.Context, uses []store.Use) error { return n.Touch(always, uses) }
	}),
	deaf("deaf-touch-of-nothing", "Contexts/CancelledNoUses", func(n *naive, p *patch) {
		p.touch = func(ctx context.Context, uses []store.Use) error {
			if len(uses) == 0 {
				return nil
			}
			return n.Touch(ctx, uses)
		}
	}),
	deaf("not-found-before-cancelled", "Contexts/CancelledNotFound", func(n *naive, p *patch) {
		p.get = func(ctx context.Context, id string) (store.Record, error) {
			if r, err := n.Get(always, id); err != nil {
				return r, err
			}
			return n.Get(ctx, id)
		}
	}),
	deaf("deadline-as-cancelled", "Contexts/ExpiredUpdate", func(n *naive, p *patch) {
		p.update = func(ctx context.Context, r store.Record) error {
			if ctx.Err() != nil {
				return context.Canceled
			}
			return n.Update(ctx, r)
		}
	}),
	deaf("cancelled-in-other-words", "Contexts/CancelledList Contexts/EndingList Contexts/ExpiredList Contexts/Searching", func(n *naive, p *patch) {
		p.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if ctx.Err() != nil {
				return nil, errors.New("interrupted")
			}
			return n.List(ctx, q)
		}
	}),
	deaf("does-it-and-says-it-did-not", "Contexts/EndingCreate Contexts/EndingCreateWithin", func(n *naive, p *patch) {
		p.create = func(ctx context.Context, r store.Record, limit int) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := n.Create(always, r, limit); err != nil {
				return err
			}
			return ctx.Err()
		}
	}),
	deaf("does-half-of-it-and-says-it-did-not", "Contexts/EndingPurge", func(n *naive, p *patch) {
		p.purge = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			rs, err := n.List(ctx, q)
			for _, r := range rs {
				if err := n.Delete(ctx, r.PK, r.Version); err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrStale) {
					return nil, err
				}
			}
			return rs, err
		}
	}),
	deaf("does-half-of-it-and-says-it-did", "Contexts/EndingUpdate", func(n *naive, p *patch) {
		p.update = func(ctx context.Context, r store.Record) error {
			return n.locked(ctx, func() error {
				if x, err := n.current(r.PK, r.Version); err == nil && ctx.Err() != nil {
					x.Version++
					return nil
				}
				return n.slice.update(r)
			})
		}
	}),
	deaf("deaf-while-searching", "Contexts/Searching", func(n *naive, p *patch) {
		p.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return n.List(always, q)
		}
		p.count = func(ctx context.Context, q store.Query) (int, error) {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			return n.Count(always, q)
		}
	}),
	deaf("returns-what-was-found-so-far", "Contexts/Searching Contexts/*?", func(n *naive, p *patch) {
		p.list = func(ctx context.Context, q store.Query) (rs []store.Record, err error) {
			err = n.locked(ctx, func() error {
				for r := range slices.Values(n.slice) {
					if q.Match(&r) && ctx.Err() == nil {
						rs = append(rs, clone(r))
					}
				}
				return nil
			})
			return rs, err
		}
		p.count = func(ctx context.Context, q store.Query) (int, error) {
			rs, err := p.list(ctx, q)
			return len(rs), err
		}
	}),
	deaf("returns-half-of-it", "Contexts/EndingList Contexts/Searching", func(n *naive, p *patch) {
		p.list = func(ctx context.Context, q store.Query) ([]store.Record, error) {
			rs, err := n.List(ctx, q)
			if ctx.Err() != nil {
				rs = rs[:len(rs)/2]
			}
			return rs, err
		}
	}),
}
