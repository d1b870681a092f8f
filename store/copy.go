package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
)

// CopyStats reports the progress of [Copy], in records.
type CopyStats struct {
	Total   int // in the source, when Copy began
	Kept    int // were in the destination already and equal
	Deleted int // were in the destination, but not in the source or not equal
	Created int // were not in the destination or not equal
}

// Copy makes dst hold the same records as src, with all their fields. It reads both
// page by page, in the order of identifiers, so it takes little memory for any number
// of records.
//
// Copy leaves equal records in dst alone. So it can be run again after an error or an
// interruption. To move an application, run it twice: first while the application is at
// work, and then, with little left to do, while it is stopped. Changes to src meanwhile
// may be copied or not. Nobody else should write to dst; if the numbers of records
// differ in the end, Copy returns an error.
//
// Copy deletes records of dst that src does not have: otherwise revoked tokens would
// come back to life. If src is empty and dst is not, Copy assumes that they are
// swapped, changes nothing and returns an error.
//
// Copy writes from 64 goroutines, which have ended when it returns; dst must allow that
// many writes to wait. If progress is not nil, the caller's goroutine calls it after
// each page. The stats say what was done, even if there is an error.
func Copy(ctx context.Context, dst, src Store, progress func(CopyStats)) (CopyStats, error) {
	c := copying{dst: dst, src: src, progress: progress}
	err := c.run(ctx)
	if err != nil {
		err = fmt.Errorf("copy tokens: %w", err)
	}
	return c.stats, err
}

const (
	copyPage    = 1000 // records of each store that are held in memory
	copyWriters = 64   // lets stores commit writes together
)

type copying struct {
	dst, src Store
	stats    CopyStats
	progress func(CopyStats)
}

func (c *copying) run(ctx context.Context) (err error) {
	if c.stats.Total, err = c.src.Count(ctx, Query{}); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	already, err := c.dst.Count(ctx, Query{})
	if err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	if c.stats.Total == 0 && already > 0 {
		return fmt.Errorf("the source is empty, and the destination has %d: is it the other way round?", already)
	}
	// First make room: a new record may have the identifier of an old one that was
	// renamed or deleted.
	if err := c.deleteOld(ctx); err != nil {
		return err
	}
	if err := c.createNew(ctx); err != nil {
		return err
	}
	return c.compareCounts(ctx)
}

// deleteOld deletes from dst the records that src lacks or has differently.
func (c *copying) deleteOld(ctx context.Context) error {
	return c.each(ctx, c.dst, c.src, func(page []pair) error {
		var old []Record
		for _, p := range page {
			if p.other != nil && Same(p.record, p.other) {
				c.stats.Kept++
			} else {
				old = append(old, *p.record)
			}
		}
		n, err := write(ctx, old, func(r *Record) error { return c.dst.Delete(ctx, r.PK, r.Version) })
		c.stats.Deleted += n
		if err != nil {
			return fmt.Errorf("destination: delete: %w", err)
		}
		return nil
	})
}

// createNew adds to dst the records that only src has.
func (c *copying) createNew(ctx context.Context) error {
	return c.each(ctx, c.src, c.dst, func(page []pair) error {
		var missing []Record
		for _, p := range page {
			if p.other == nil {
				missing = append(missing, *p.record)
			}
		}
		n, err := write(ctx, missing, func(r *Record) error { return c.dst.Create(ctx, *r, 0) })
		c.stats.Created += n
		if err != nil {
			return fmt.Errorf("destination: create: %w", err)
		}
		return nil
	})
}

func (c *copying) compareCounts(ctx context.Context) error {
	inSource, err := c.src.Count(ctx, Query{})
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	inDestination, err := c.dst.Count(ctx, Query{})
	if err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	if inSource != inDestination {
		return fmt.Errorf("the source has %d by now and the destination %d: something writes to them", inSource, inDestination)
	}
	return nil
}

// A pair is a record of one store, and the one with the same identifier in the other.
// other is nil if there is none.
type pair struct{ record, other *Record }

// each calls f with the records of a, page by page, in the order of identifiers, each
// paired with its record in b.
func (c *copying) each(ctx context.Context, a, b Store, f func(page []pair) error) error {
	next, stop := iter.Pull2(all(ctx, b))
	defer stop()
	other, err, more := next()

	page := make([]pair, 0, copyPage)
	flush := func() error {
		if err := f(page); err != nil {
			return err
		}
		page = page[:0]
		if c.progress != nil {
			c.progress(c.stats)
		}
		return nil
	}
	for r, failed := range all(ctx, a) {
		if failed != nil {
			return failed
		}
		for more && err == nil && other.Identifier < r.Identifier {
			other, err, more = next()
		}
		if err != nil {
			return err
		}
		p := pair{record: r}
		if more && other.Identifier == r.Identifier {
			p.other = other
		}
		if page = append(page, p); len(page) == copyPage {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// all yields all records of s by identifier. It ends with an error if there is one.
func all(ctx context.Context, s Store) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		q := Query{Limit: copyPage}
		for {
			page, err := s.List(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page {
				if !yield(&page[i], nil) {
					return
				}
			}
			if len(page) < copyPage {
				return
			}
			q.After = &page[len(page)-1]
		}
	}
}

// write calls f for each of records, several at a time. It returns when all calls are
// done, and how many succeeded. After an error it starts no more.
func write(ctx context.Context, records []Record, f func(*Record) error) (int, error) {
	var (
		mu   sync.Mutex
		next int
		errs []error
		wg   sync.WaitGroup
		take = func() *Record {
			mu.Lock()
			defer mu.Unlock()
			if next == len(records) || len(errs) > 0 {
				return nil
			}
			next++
			return &records[next-1]
		}
	)
	for range min(copyWriters, len(records)) {
		wg.Go(func() {
			for r := take(); r != nil; r = take() {
				if err := f(r); err != nil {
					mu.Lock()
					errs = append(errs, fmt.Errorf("%q: %w", r.Identifier, err))
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	done := next - len(errs)
	if ctx.Err() != nil {
		return done, ctx.Err() // they all failed with it
	}
	return done, errors.Join(errs...)
}
