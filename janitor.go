package authtoken

import (
	"context"
	"fmt"
	"time"
)

// RunJanitor calls [Service.Sweep] and [Service.FlushLastUsed], at once and then at each
// interval, until ctx ends. Then it flushes once more, for at most 5 seconds, and returns
// nil. If a call fails, it sends EventFailed to the [Observer] and tries again at the
// next interval. A minute is a good interval. One that is not positive is an error.
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
			ctx = context.WithoutCancel(ctx)
			last, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			s.report(ctx, s.FlushLastUsed(last))
			return nil
		}
	}
}

// tidy does once what RunJanitor does at each interval.
func (s *Service) tidy(ctx context.Context) {
	s.report(ctx, s.FlushLastUsed(ctx))
	const piece = 100 // few enough not to keep other users of the store waiting
	for ctx.Err() == nil {
		n, err := s.Sweep(ctx, piece)
		s.report(ctx, err)
		if err != nil || n < piece {
			return
		}
	}
}

// report sends an event if err is a failure. The end of ctx is none.
func (s *Service) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		s.emit(ctx, Event{Kind: EventFailed, Time: s.now(), Reason: err})
	}
}
