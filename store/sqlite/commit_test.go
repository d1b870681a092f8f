package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

var errDisk = errors.New("disk full")

// fakeDB is a database of names. Like SQLite, it only ever sees one goroutine.
type fakeDB struct {
	inTx                bool
	pending, committed  []string
	begins, commits     int
	beginErr, commitErr error
	panics              bool
}

func (db *fakeDB) begin(context.Context, time.Time) error {
	if db.panics {
		panic("begin")
	}
	if db.beginErr != nil {
		return db.beginErr
	}
	if db.inTx {
		return errors.New("a transaction is open already")
	}
	db.begins++
	db.inTx = true
	return nil
}

func (db *fakeDB) commit() error {
	if !db.inTx {
		return errors.New("no transaction is open")
	}
	if db.commitErr != nil {
		return db.commitErr
	}
	db.commits++
	db.inTx = false
	db.committed = append(db.committed, db.pending...)
	db.pending = nil
	return nil
}

func (db *fakeDB) rollback() { db.inTx, db.pending = false, nil }

// add is a write of name that ends with err.
func (db *fakeDB) add(name string, err error) writeFunc {
	return func(inTx bool) error {
		switch {
		case err != nil && !inTx:
			return errNeedsTx
		case errors.Is(err, errDisk):
			db.rollback() // as SQLite does by itself
			return err
		case err != nil:
			return err
		case db.inTx:
			db.pending = append(db.pending, name)
		default:
			db.committed = append(db.committed, name)
		}
		return nil
	}
}

// queue is a committer whose leader is held up, so that writes wait.
type queue struct {
	*committer
	db      *fakeDB
	release chan struct{}
	wg      sync.WaitGroup
}

func newQueue(maxWaiting int) *queue {
	db := &fakeDB{}
	q := &queue{committer: newCommitter(db, maxWaiting), db: db, release: make(chan struct{})}
	q.wg.Go(func() {
		_ = q.do(context.Background(), func(bool) error { <-q.release; return nil })
	})
	synctest.Wait()
	return q
}

// goDo has another goroutine do f, and returns where its error will be when wait
// has returned.
func (q *queue) goDo(ctx context.Context, f writeFunc) *error {
	err := new(error)
	q.wg.Go(func() { *err = q.do(ctx, f) })
	synctest.Wait()
	return err
}

// wait lets the leader go on and waits for all.
func (q *queue) wait() {
	close(q.release)
	q.wg.Wait()
}

// idle checks that the queue works still, and that nobody waits in it.
func (q *queue) idle(t *testing.T) {
	t.Helper()
	require.NoError(t, q.do(t.Context(), q.db.add("afterwards", nil)))
	require.False(t, q.leading)
	require.Zero(t, q.waiting)
	require.Nil(t, q.head)
	require.Nil(t, q.tail)
}

func TestLoneWriteNeedsNoTransaction(t *testing.T) {
	t.Parallel()
	db := &fakeDB{}
	c := newCommitter(db, 1)
	require.NoError(t, c.do(t.Context(), db.add("a", nil)))
	require.Equal(t, []string{"a"}, db.committed)
	require.Zero(t, db.begins)

	require.ErrorIs(t, c.do(t.Context(), db.add("a", store.ErrTaken)), store.ErrTaken)
	require.Equal(t, 1, db.begins)
	require.False(t, db.inTx)
}

func TestWaitingWritesShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		a := q.goDo(t.Context(), q.db.add("a", nil))
		b := q.goDo(t.Context(), q.db.add("b", store.ErrTaken))
		c := q.goDo(t.Context(), q.db.add("c", nil))
		q.wait()
		require.NoError(t, *a)
		require.ErrorIs(t, *b, store.ErrTaken)
		require.NoError(t, *c)
		require.Equal(t, []string{"a", "c"}, q.db.committed)
		require.Equal(t, 1, q.db.commits)
		q.idle(t)
	})
}

func TestWritesJoinAGroupUntilItIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		hold := make(chan struct{})
		a := q.goDo(t.Context(), func(bool) error { <-hold; return nil })
		close(q.release)
		synctest.Wait() // a leads now
		b := q.goDo(t.Context(), q.db.add("b", nil))
		close(hold)
		q.wg.Wait()
		require.NoError(t, *a)
		require.NoError(t, *b)
		require.Equal(t, 1, q.db.commits)
	})
}

func TestGroupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(maxGroup + 1)
		for i := range maxGroup + 1 {
			q.goDo(t.Context(), q.db.add(fmt.Sprint(i), nil))
		}
		q.wait()
		require.Equal(t, 2, q.db.commits)
		require.Len(t, q.db.committed, maxGroup+1)
		require.Equal(t, "0", q.db.committed[0], "first come, first served")
	})
}

func TestOneFailureDoesNotSpoilTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		a := q.goDo(t.Context(), q.db.add("a", nil))
		b := q.goDo(t.Context(), q.db.add("b", errDisk))
		c := q.goDo(t.Context(), q.db.add("c", nil))
		q.wait()
		require.NoError(t, *a)
		require.ErrorIs(t, *b, errDisk)
		require.NoError(t, *c)
		require.Equal(t, []string{"a", "c"}, q.db.committed, "each once")
		q.idle(t)
	})
}

func TestFailedCommitFailsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		a := q.goDo(t.Context(), q.db.add("a", nil))
		b := q.goDo(t.Context(), q.db.add("b", store.ErrTaken))
		q.db.commitErr = errDisk
		q.wait()
		require.ErrorIs(t, *a, errDisk)
		require.ErrorIs(t, *b, errDisk, "what it collided with may not be there after all")
		require.Empty(t, q.db.committed)
		require.False(t, q.db.inTx)
		q.db.commitErr = nil
		q.idle(t)
	})
}

func TestFailedBeginFailsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		a := q.goDo(t.Context(), q.db.add("a", nil))
		b := q.goDo(t.Context(), q.db.add("b", nil))
		q.db.beginErr = errDisk
		q.wait()
		require.ErrorIs(t, *a, errDisk)
		require.ErrorIs(t, *b, errDisk)
		q.idle(t)
	})
}

func TestCancelledWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2)
		ctx, cancel := context.WithCancel(t.Context())
		a := q.goDo(ctx, q.db.add("a", nil))
		b := q.goDo(t.Context(), q.db.add("b", nil))
		cancel()
		synctest.Wait()
		require.ErrorIs(t, *a, context.Canceled, "at once, not when it would have been its turn")
		c := q.goDo(t.Context(), q.db.add("c", nil)) // there is room for it now
		require.ErrorIs(t, q.do(ctx, q.db.add("d", nil)), context.Canceled)
		q.wait()
		require.NoError(t, *b)
		require.NoError(t, *c)
		require.Equal(t, []string{"b", "c"}, q.db.committed)
		q.idle(t)
	})
}

func TestCancelledWhileBeingDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		ctx, cancel := context.WithCancel(t.Context())
		hold := make(chan struct{})
		leader := q.goDo(ctx, func(bool) error { <-hold; return nil })
		follower := q.goDo(ctx, func(inTx bool) error { cancel(); return q.db.add("a", nil)(inTx) })
		close(q.release)
		synctest.Wait()
		close(hold)
		q.wg.Wait()
		require.NoError(t, *leader)
		require.NoError(t, *follower)
		require.Equal(t, []string{"a"}, q.db.committed)
		q.idle(t)
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		a := q.goDo(t.Context(), q.db.add("a", nil))
		require.ErrorIs(t, q.do(t.Context(), q.db.add("b", nil)), ErrOverloaded)
		q.wait()
		require.NoError(t, *a)
		require.Equal(t, []string{"a"}, q.db.committed)
		q.idle(t)
	})
}

func TestCloseLetsWaitingWritesFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		a := q.goDo(t.Context(), q.db.add("a", nil))
		closed := make(chan struct{})
		go func() { q.close(); close(closed) }()
		synctest.Wait()
		require.ErrorIs(t, q.do(t.Context(), q.db.add("b", nil)), ErrClosed)
		select {
		case <-closed:
			require.Fail(t, "closed while somebody writes")
		default:
		}
		q.wait()
		<-closed
		require.NoError(t, *a)
		q.close() // again
		require.ErrorIs(t, q.do(t.Context(), q.db.add("c", nil)), ErrClosed)
		require.Equal(t, []string{"a"}, q.db.committed)
	})
}

func TestPanicReachesItsCallerAlone(t *testing.T) {
	boom := func(bool) error { panic(errDisk) }
	for name, position := range map[string]int{"lone": -1, "leader": 0, "follower": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue(10)
				if position < 0 {
					q.wait()
					require.PanicsWithError(t, errDisk.Error(), func() { _ = q.do(t.Context(), boom) })
					q.idle(t)
					return
				}
				errs := make([]*error, 3)
				var recovered any
				for i := range errs {
					if i != position {
						errs[i] = q.goDo(t.Context(), q.db.add("a", nil))
						continue
					}
					q.wg.Go(func() {
						defer func() { recovered = recover() }()
						_ = q.do(t.Context(), boom)
					})
					synctest.Wait()
				}
				q.wait()
				require.ErrorIs(t, recovered.(error), errDisk)
				for i, err := range errs {
					if i != position {
						require.NoError(t, *err)
					}
				}
				require.Equal(t, []string{"a", "a"}, q.db.committed)
				q.idle(t)
			})
		})
	}
}

func TestLeaderThatEndsLeavesNobodyBehind(t *testing.T) {
	for name, end := range map[string]func(*fakeDB) writeFunc{
		"Goexit in a write": func(*fakeDB) writeFunc { return func(bool) error { runtime.Goexit(); return nil } },
		"panic in begin":    func(db *fakeDB) writeFunc { db.panics = true; return db.add("a", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue(10)
				q.wg.Go(func() {
					defer func() { _ = recover() }()
					_ = q.do(t.Context(), end(q.db))
				})
				synctest.Wait()
				hold := make(chan struct{})
				q.wg.Go(func() {
					defer func() { _ = recover() }()
					_ = q.do(t.Context(), func(bool) error { <-hold; return nil })
				})
				synctest.Wait()
				close(hold)
				q.wait()
				require.False(t, q.db.inTx)
				q.db.panics = false
				q.idle(t)
			})
		})
	}
}

// Whatever the order of things, a write that returned nil was done once, and one
// that returned an error was not done.
func TestEachWriteIsDoneOnceOrNotAtAll(t *testing.T) {
	t.Parallel()
	const callers, each = 32, 300
	db := &fakeDB{}
	c := newCommitter(db, callers)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var acknowledged []string
	var cancelled atomic.Int64
	for n := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			for i := range each {
				name := fmt.Sprint(n, "/", i)
				ctx, cancel := context.WithCancel(context.Background())
				var want error
				switch rng.IntN(6) {
				case 0:
					want = store.ErrTaken
				case 1:
					want = errDisk
				case 2, 3:
					go cancel()
				}
				err := c.do(ctx, db.add(name, want))
				cancel()
				switch {
				case err == nil:
					mu.Lock()
					acknowledged = append(acknowledged, name)
					mu.Unlock()
				case errors.Is(err, context.Canceled):
					cancelled.Add(1)
				case !errors.Is(err, want) || want == nil:
					t.Errorf("%v instead of %v", err, want)
				}
			}
		})
	}
	wg.Wait()
	require.ElementsMatch(t, acknowledged, db.committed)
	require.False(t, db.inTx)
	t.Logf("%d done, %d cancelled, %d commits", len(db.committed), cancelled.Load(), db.commits)
}
