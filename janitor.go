package authtoken

import (
	"context"
	"fmt"
	"time"
)

// RunJanitor sweeps what has expired and writes down when tokens were last used,
// at once and then every so often, until ctx ends; then it writes down the
// last uses and returns nil. What fails is told to the [Observer] and tried again
// the next time. An interval of a minute is a good one; one that is not positive
// is an error.
func (s *Service) RunJanitor(ctx context.Context, every time.Duration) error {
	if every <= 0 {
		return fmt.Errorf("janitor: interval is %v, not positive", every)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		s.tidy(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			s.report(ctx, s.FlushLastUsed(ctx))
			return nil
		}
	}
}

func (s *Service) tidy(ctx context.Context) {
	s.report(ctx, s.FlushLastUsed(ctx))
	const piece = 100 // short enough not to be in the way of others
	for ctx.Err() == nil {
		n, err := s.Sweep(ctx, piece)
		s.report(ctx, err)
		if err != nil || n < piece {
			return
		}
	}
}

func (s *Service) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		s.emit(ctx, Event{Kind: EventFailed, Time: s.now(), Reason: err})
	}
}
