package sqlite

import (
	"context"
	"time"
)

// point looks at the context before, and not again: for a context that can be
// cancelled the driver starts a goroutine with each statement, which costs a third
// of the speed, and there is next to nothing to cancel in twenty microseconds.
// Only for a connection of somebody else's pool it may have to wait longer.
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
	case s.pool != nil: // its connections may not wait by themselves
		err = untilFree(ctx, time.Now().Add(s.writer.busyTimeout), func() error { return f(ctx, s.reader) })
	default:
		err = f(ctx, s.reader)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // also where the driver says "interrupted"
	}
	return s.wrap(op, err)
}

// write has the leader do f.
func (s *Store) write(ctx context.Context, op string, f func(ctx context.Context, w *writer, inTx bool) error) error {
	err := s.committer.do(ctx, func(inTx bool) error {
		if !inTx { // or begin has done it
			if err := s.writer.borrow(ctx, time.Now().Add(s.writer.busyTimeout)); err != nil {
				return err
			}
			defer s.writer.giveBack()
		}
		return f(context.WithoutCancel(ctx), s.writer, inTx)
	})
	return s.wrap(op, err)
}
