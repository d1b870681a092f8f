package sqlite

import (
	"context"
	"time"
)

// point checks the context once, before it reads. For a context that can be cancelled
// the driver starts a goroutine with each statement, which costs a third of the speed,
// and twenty microseconds are not worth interrupting. Only the wait for a connection of
// a pool can take longer.
func (s *Store) point(ctx context.Context, op string, f func(ctx context.Context, rd *reader) error) error {
	if err := ctx.Err(); err != nil {
		return s.wrap(op, err)
	}
	if s.pool == nil {
		ctx = context.WithoutCancel(ctx)
	}
	return s.read(ctx, op, f)
}

func (s *Store) read(ctx context.Context, op string, f func(ctx context.Context, rd *reader) error) error {
	err := ctx.Err()
	switch {
	case err != nil:
	case s.closed.Load():
		err = ErrClosed
	case s.pool != nil: // its connections may have no busy_timeout
		err = untilFree(ctx, time.Now().Add(s.writer.busyTimeout), func() error { return f(ctx, s.reader) })
	default:
		err = f(ctx, s.reader)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // instead of the driver's "interrupted"
	}
	return s.wrap(op, err)
}

// write passes f to the committer.
func (s *Store) write(ctx context.Context, op string, f func(ctx context.Context, w *writer, inTx bool) error) error {
	err := s.committer.do(ctx, func(inTx bool) error {
		if !inTx { // in a transaction, begin has done it
			if err := s.writer.borrow(ctx, time.Now().Add(s.writer.busyTimeout)); err != nil {
				return err
			}
			defer s.writer.giveBack()
		}
		return f(context.WithoutCancel(ctx), s.writer, inTx)
	})
	return s.wrap(op, err)
}
