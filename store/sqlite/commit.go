package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/authtoken/authtoken/store"
)

// A committer lets many goroutines write through one connection with as few commits as
// possible. A commit waits for the disk, which takes no longer for sixty writes than
// for one.
//
// It has no goroutine and no timer. A caller who finds nobody writing becomes the
// leader. It does its own write at once, in the cheapest way. Callers who arrive
// meanwhile queue. When the leader is done, it makes the first in the queue the next
// leader and returns. The next leader opens a transaction, does its own write, then
// those of all who wait or arrive meanwhile, and commits once. Only then does each
// caller get its result. So groups grow with the load, a lone caller never waits for
// others, and nobody leads more than one group.
//
// Writes in a group do not fail each other. If the outcome of a write is that nothing
// changes (the identifier is taken, the record does not exist), the transaction stays
// as it was and the others go on. After any other error SQLite may have rolled back the
// transaction already. Then the group is given up and each write is done again in a
// transaction of its own. If the commit fails, the whole group fails.
type committer struct {
	db         transactor
	maxWaiting int

	mu         sync.Mutex
	leading    bool   // whether there is a leader
	head, tail *write // the queue
	waiting    int    // how many writes are queued
	closed     bool
	drained    chan struct{} // closed when closed is set and there is no leader
}

// A transactor begins and ends transactions on the writing connection. The
// committer never calls it from two goroutines at once.
type transactor interface {
	// begin returns when it has the write lock, ctx has ended, or the wait was too
	// long. The wait counts from since, when the leader's caller began to wait. After
	// an error there is no transaction.
	begin(ctx context.Context, since time.Time) error
	commit() error
	rollback() // leaves no transaction open, whatever happened before
}

// A writeFunc does a caller's write on the writing connection.
//
// With inTx false there is no transaction, and it may run a single statement. If it
// needs more than that, or must wait or ask for a reason, it returns errNeedsTx and
// nothing has changed. With inTx true it is in a transaction, perhaps not for the first
// time, and does not return errNeedsTx.
type writeFunc func(inTx bool) error

var errNeedsTx = errors.New("sqlite: write needs a transaction")

// errAborted fails the writes of a leader whose goroutine ended early.
var errAborted = errors.New("the goroutine that was to commit has ended")

// maxGroup is how many writes can share a commit. With more, each would gain hardly
// anything and the first would only wait longer.
const maxGroup = 256

// A write is a caller's writeFunc and its place in the queue.
type write struct {
	do    writeFunc
	since time.Time  // when its caller began to wait
	next  *write     // in the queue
	state writeState // guarded by the committer's mutex

	// woken gets one value: true to lead, false if err is set. It is buffered, so that
	// nobody blocks when waking another.
	woken chan bool
	err   error
}

type writeState uint8

const (
	queued writeState = iota
	left              // its caller has gone; the queue skips it
	taken             // by a leader: it will be done, even if its caller's context ends
)

func newCommitter(db transactor, maxWaiting int) *committer {
	return &committer{db: db, maxWaiting: maxWaiting, drained: make(chan struct{})}
}

// do does a write and returns its error once it is committed. If ctx ends before a
// leader has taken the write, or while its own caller leads and waits for the lock, do
// returns ctx.Err() and the write is never done. After that, ctx makes no difference.
func (c *committer) do(ctx context.Context, f writeFunc) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return ErrClosed
	case !c.leading:
		c.leading = true
		c.mu.Unlock()
		return c.doAlone(ctx, f)
	case c.waiting >= c.maxWaiting:
		c.mu.Unlock()
		return ErrOverloaded
	}
	w := &write{do: f, since: time.Now(), woken: make(chan bool, 1)}
	c.push(w)
	c.mu.Unlock()

	var lead bool
	select {
	case lead = <-w.woken:
	case <-ctx.Done():
		if c.leave(w) {
			return ctx.Err()
		}
		lead = <-w.woken
	}
	if lead {
		c.lead(ctx, w)
	}
	return w.result()
}

// close refuses new writes and returns when all others are done.
func (c *committer) close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		if !c.leading {
			close(c.drained)
		}
	}
	c.mu.Unlock()
	<-c.drained
}

// doAlone does the write of a caller who found no leader.
func (c *committer) doAlone(ctx context.Context, f writeFunc) error {
	handOver := true
	defer func() {
		if handOver {
			c.handOver()
		}
	}()
	err := f(false)
	if !errors.Is(err, errNeedsTx) {
		return err
	}
	handOver = false // lead does
	w := &write{do: f, since: time.Now()}
	c.lead(ctx, w)
	return w.result()
}

// lead does the writes of a group that starts with the leader's own, wakes the other
// callers and hands over.
func (c *committer) lead(ctx context.Context, own *write) {
	g := group{own}
	ended := false
	defer func() {
		if !ended { // by a panic or runtime.Goexit below
			c.db.rollback()
			g.fail(errAborted)
		}
		// Wake the callers first, then the next leader: the goroutine readied last runs
		// first. While it works, the others can come back with more.
		for _, w := range g[1:] {
			w.woken <- false
		}
		c.handOver()
	}()

	if err := c.db.begin(ctx, own.since); err != nil {
		g.fail(err)
	} else if !c.run(&g) {
		c.db.rollback()
		c.doOneByOne(g)
	} else if err := c.db.commit(); err != nil {
		c.db.rollback()
		g.fail(err)
	}
	ended = true
}

// run does the writes of g and those that arrive meanwhile, and reports whether the
// transaction can be committed.
func (c *committer) run(g *group) (fit bool) {
	for i := 0; i < len(*g); i++ {
		if !(*g)[i].run() {
			return false
		}
		if i == len(*g)-1 {
			*g = c.take(*g)
		}
	}
	return true
}

// doOneByOne does each write of a group in a transaction of its own, after one of them
// has spoilt the shared one.
func (c *committer) doOneByOne(g group) {
	for i, w := range g {
		if w.panicked() {
			continue
		}
		if err := c.db.begin(context.Background(), w.since); err != nil {
			g[i:].fail(err) // one wait for the lock is enough
			return
		}
		if !w.run() {
			c.db.rollback()
		} else if err := c.db.commit(); err != nil {
			c.db.rollback()
			w.err = err
		}
	}
}

// handOver makes the first in the queue the leader, if there is one.
func (c *committer) handOver() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.pop(); w != nil {
		w.woken <- true
		return
	}
	c.leading = false
	if c.closed {
		close(c.drained)
	}
}

// take moves queued writes to g, up to maxGroup.
func (c *committer) take(g group) group {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(g) < maxGroup {
		w := c.pop()
		if w == nil {
			break
		}
		g = append(g, w)
	}
	return g
}

// leave marks w as left and reports whether it was still queued.
func (c *committer) leave(w *write) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.state != queued {
		return false
	}
	w.state = left
	w.do = nil
	c.waiting--
	return true
}

// push adds w to the queue. The caller holds c.mu.
func (c *committer) push(w *write) {
	if c.tail == nil {
		c.head = w
	} else {
		c.tail.next = w
	}
	c.tail = w
	c.waiting++
}

// pop takes the first write from the queue, or returns nil if there is none. The caller
// holds c.mu.
func (c *committer) pop() *write {
	for c.head != nil {
		w := c.head
		c.head, w.next = w.next, nil
		if c.head == nil {
			c.tail = nil
		}
		if w.state == queued {
			w.state = taken
			c.waiting--
			return w
		}
	}
	return nil
}

// A group is the writes that share a transaction.
type group []*write

func (g group) fail(err error) {
	for _, w := range g {
		if !w.panicked() {
			w.err = err
		}
	}
}

// run does w in the open transaction and reports whether that can go on.
func (w *write) run() (fit bool) {
	defer func() {
		if v := recover(); v != nil {
			w.err = &panicError{v, debug.Stack()}
		}
	}()
	w.err = w.do(true)
	return w.err == nil || store.IsOutcome(w.err)
}

// result returns the write's error to its caller. If the write panicked in the leader's
// goroutine, result panics in the caller's.
func (w *write) result() error {
	if w.panicked() {
		panic(w.err)
	}
	return w.err
}

func (w *write) panicked() bool {
	_, ok := errors.AsType[*panicError](w.err)
	return ok
}

// A panicError carries a panic from the leader's goroutine to the caller's.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

func (p *panicError) Unwrap() error {
	err, _ := p.value.(error)
	return err
}
