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

// A committer lets many goroutines write through one connection, and has as few
// commits as possible do for all of them: a commit waits for the disk, and the
// disk takes no longer for sixty writes than for one.
//
// There is no goroutine for it and no timer. Whoever comes while nobody writes
// is the leader: it does its own write, at once, the cheapest way there is.
// Whoever comes meanwhile queues. When the leader is done, it makes the first in
// the queue the next leader and returns. That one opens a transaction, does its
// own write, then those of all who wait, and of all who have come in the
// meantime, commits once, and only then tells each how its own write went. So
// groups grow with the load by themselves, a lone caller never waits for
// company, and nobody leads for longer than one group.
//
// Writes in a group do not see each other fail. A write whose outcome is that
// nothing changes (the identifier is taken, the record is not there) leaves the
// transaction as it was, and the others go on. If anything else goes wrong,
// SQLite may have rolled back the transaction already, so the group is given up
// and each of its writes is done again in a transaction of its own. If the
// commit fails, the whole group has failed.
type committer struct {
	db         transactor
	maxWaiting int

	mu         sync.Mutex
	leading    bool   // whether somebody leads
	head, tail *write // the queue
	waiting    int    // how many in the queue have not left it
	closed     bool
	drained    chan struct{} // closed when closed is set and nobody leads any more
}

// A transactor begins and ends transactions on the writing connection. The
// committer never calls it from two goroutines at once.
type transactor interface {
	// begin returns when it has the write lock, or ctx has ended, or it has been
	// waited for too long: since is when the leader's caller began to wait. If
	// it fails, there is no transaction.
	begin(ctx context.Context, since time.Time) error
	commit() error
	rollback() // leaves no transaction open, whatever happened before
}

// A writeFunc is what a caller wants done on the writing connection.
//
// With inTx false there is no transaction, and it may do its work in a single
// statement; if it takes more than that, or the statement did anything but
// simply work, it returns errNeedsTx and nothing has changed. With inTx true it
// is in a transaction, perhaps not for the first time, and does not return
// errNeedsTx.
type writeFunc func(inTx bool) error

var errNeedsTx = errors.New("sqlite: write needs a transaction")

// errAborted is for the writes of a leader whose goroutine was ended under it.
var errAborted = errors.New("the goroutine that was to commit has ended")

// maxGroup is how many writes share a commit at most. Beyond it a commit is
// spread so thin already that more would only make the first in it wait.
const maxGroup = 256

// A write is a caller's writeFunc and its place in the queue.
type write struct {
	do    writeFunc
	since time.Time  // when its caller began to wait
	next  *write     // in the queue
	state writeState // guarded by the committer's mutex

	// woken gets one value: whether to lead (true), or that err is set (false).
	// It has room for it, so that nobody waits to wake somebody.
	woken chan bool
	err   error
}

type writeState uint8

const (
	queued writeState = iota
	left              // its caller has gone; it is in the queue only to be passed over
	taken             // by a leader: it will be done, whatever becomes of its caller's context
)

func newCommitter(db transactor, maxWaiting int) *committer {
	return &committer{db: db, maxWaiting: maxWaiting, drained: make(chan struct{})}
}

// do does a write and returns its error once it is committed. If ctx ends
// before a leader has taken the write, or while its own caller as the leader
// waits for the lock, do returns ctx.Err() and the write is never done; after
// that, ctx makes no difference.
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

// close refuses later writes and returns when those that are under way and those
// that wait are done.
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

// doAlone does the write of a leader who found nobody else here.
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

// lead does the writes of a group that starts with the leader's own, answers
// the others and hands over.
func (c *committer) lead(ctx context.Context, own *write) {
	g := group{own}
	ended := false
	defer func() {
		if !ended { // by a panic or runtime.Goexit below
			c.db.rollback()
			g.fail(errAborted)
		}
		// First the answers, then the next leader: the goroutine readied last
		// runs first, and those answered, who may come back with more, while
		// it is at work.
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

// run does the writes of g and of all who come while it does, and reports
// whether the transaction is fit to be committed.
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

// doOneByOne does the writes of a group whose transaction one of them has
// spoilt, each in a transaction of its own.
func (c *committer) doOneByOne(g group) {
	for i, w := range g {
		if w.panicked() {
			continue
		}
		if err := c.db.begin(context.Background(), w.since); err != nil {
			g[i:].fail(err) // having waited for the lock once is enough
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

// take adds to g the writes that wait, as far as there is room.
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

// leave takes w out of the queue and reports whether it was there still.
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

// pop takes the first write from the queue; it is nil if there is none. The
// caller holds c.mu.
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

// run does w in the transaction that is open, and reports whether that can go on.
func (w *write) run() (fit bool) {
	defer func() {
		if v := recover(); v != nil {
			w.err = &panicError{v, debug.Stack()}
		}
	}()
	w.err = w.do(true)
	return w.err == nil || isOutcome(w.err)
}

// result returns the write's error to its caller, and a panic to the
// goroutine that would have seen it, had it done the write itself.
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

// isOutcome reports whether err says that a write, done correctly, changed nothing.
func isOutcome(err error) bool {
	return errors.Is(err, store.ErrTaken) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrStale) ||
		errors.Is(err, store.ErrLimit)
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
