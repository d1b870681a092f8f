package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtoken/authtoken/store"
)

// A querier runs statements: a pool, a connection or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Begin(ctx context.Context) (pgx.Tx, error) // a savepoint if it is a transaction
}

// A runner runs the statements of an operation.
type runner interface {
	// read runs f, which reads.
	read(ctx context.Context, f func(ctx context.Context, q querier) error) error

	// write runs f, which writes. If the effect of f is unknown and f is repeatable,
	// write calls f again with inDoubt set: f may have been done already.
	write(ctx context.Context, repeatable bool, f func(ctx context.Context, q querier, inDoubt bool) error) error
}

// inPool runs each statement on a connection of the pool, in a transaction of its
// own.
type inPool struct {
	pool     *pgxpool.Pool
	retryFor time.Duration
	closed   atomic.Bool
}

func (r *inPool) read(ctx context.Context, f func(context.Context, querier) error) error {
	return r.retry(ctx, true, func(bool) error { return f(ctx, r.pool) })
}

func (r *inPool) write(ctx context.Context, repeatable bool, f func(context.Context, querier, bool) error) error {
	return r.retry(ctx, repeatable, func(inDoubt bool) error {
		conn, err := r.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		return cancelling(ctx, conn.Conn(), func(ctx context.Context) error { return f(ctx, conn, inDoubt) })
	})
}

// retry calls attempt until it succeeds, fails for good, or time is up.
func (r *inPool) retry(ctx context.Context, repeatable bool, attempt func(inDoubt bool) error) error {
	const shortest, longest = 2 * time.Millisecond, 250 * time.Millisecond
	inDoubt, deadline := false, time.Now().Add(r.retryFor)
	for pause := shortest; ; pause = min(2*pause, longest) {
		if r.closed.Load() && !inDoubt {
			return ErrClosed
		}
		if ctx.Err() != nil && !inDoubt {
			return ctx.Err()
		}
		err := attempt(inDoubt)
		if err == nil || store.IsOutcome(err) {
			return err
		}
		if isUnsure(err) {
			inDoubt = true
		}
		again := passing(err) && (repeatable || !inDoubt) && time.Until(deadline) > pause
		if again && wait(ctx, pause/2+rand.N(pause)) {
			continue
		}
		switch {
		case inDoubt:
			return fmt.Errorf("%w: %v", ErrInDoubt, err) // never the error of the context, even if that has ended
		case ctx.Err() != nil:
			return ctx.Err() // whatever error that has caused
		case r.closed.Load():
			return ErrClosed
		}
		return err
	}
}

// wait waits, and reports whether ctx is still valid.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// cancelTime limits how long the server may take to cancel a statement.
const cancelTime = 5 * time.Second

// cancelling calls f with a context that does not end. If a context ends, pgx cuts its
// connection, and the effect of a write is unknown. Here the server is asked to cancel
// the statement instead. It answers that it has, or that the statement was done
// already: either is certain. Only if it does not answer is the connection cut.
func cancelling(ctx context.Context, conn *pgx.Conn, f func(ctx context.Context) error) error {
	unending := context.WithoutCancel(ctx)
	if ctx.Done() == nil {
		return f(unending)
	}
	running, done := context.WithCancel(unending)
	defer done()
	asked := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(asked)
		answering, cancel := context.WithTimeout(running, cancelTime)
		defer cancel()
		for answering.Err() == nil { // the first may arrive before the statement
			_ = conn.PgConn().CancelRequest(answering)
			wait(answering, 100*time.Millisecond)
		}
		if running.Err() == nil {
			_ = conn.PgConn().Conn().Close()
		}
	})
	err := f(unending)
	done()
	if !stop() {
		<-asked
		_ = conn.Close(running) // a late request would hit the next statement
	}
	return err
}

// inTx runs statements in a transaction of the application, one at a time. It checks
// the context only before each: pgx would cut the connection, and the transaction would
// be lost. Searches that run in Go check it as they go.
type inTx struct {
	pool *inPool // of the store
	mu   sync.Mutex
	tx   pgx.Tx
}

func (r *inTx) read(ctx context.Context, f func(context.Context, querier) error) error {
	return r.do(ctx, func(ctx context.Context) error { return f(ctx, r.tx) })
}

// write makes a savepoint: a statement that fails, for example because a value is
// taken, would otherwise end the transaction.
func (r *inTx) write(ctx context.Context, _ bool, f func(context.Context, querier, bool) error) error {
	return r.do(ctx, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, r.tx, func(savepoint pgx.Tx) error { return f(ctx, savepoint, false) })
	})
}

func (r *inTx) do(ctx context.Context, f func(ctx context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.pool.closed.Load():
		return ErrClosed
	}
	return f(context.WithoutCancel(ctx))
}
