package authtoken

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Sweep deals with up to limit tokens whose time is over, as the [Policy] says:
// it deletes those that have been expired for longer than the Retention or,
// with RenewExpired, gives tokens of IntentAPI a new key and a new life instead.
// It returns with how many it has dealt; as long as that is limit, there may be
// more. Any number of processes may sweep one store at once; each token
// is dealt with once.
func (s *Service) Sweep(ctx context.Context, limit int) (done int, err error) {
	defer wrap(&err, "sweep")
	if limit < 1 {
		return 0, fmt.Errorf("limit is %d, not positive", limit)
	}
	now := s.now()
	q := store.Query{
		// The first instant that is not over yet; see Token.Expired.
		ExpiryBefore: now.Add(-s.policy.Retention).Add(time.Microsecond),
		Order:        []store.Order{{Field: store.FieldExpires}},
		Limit:        limit,
	}
	if s.policy.RenewExpired {
		q.Intents = []string{string(IntentAPI)}
		if done, err = s.renew(ctx, q, now); err != nil {
			return done, err
		}
		if q.Limit -= done; q.Limit == 0 {
			return done, nil
		}
		q.Intents = []string{string(IntentVerification), string(IntentRecovery), string(IntentAppPassword)}
	}
	gone, err := s.purge(ctx, q, EventExpired, &s.actor, now)
	return done + len(gone), err
}

func (s *Service) renew(ctx context.Context, q store.Query, now time.Time) (done int, err error) {
	records, err := s.store.List(ctx, q)
	if err != nil {
		return 0, err
	}
	for _, before := range records {
		r := before
		r.Expires = now.Add(s.policy.DefaultLifetime)
		more, err := s.replaceKey(&r, &s.actor, s.keys.generate(), now, now)
		if err != nil {
			return done, err
		}
		err = s.replace(ctx, &before, r)
		switch {
		case errors.Is(err, store.ErrStale), errors.Is(err, store.ErrNotFound):
			continue // somebody else was first
		case err != nil:
			return done, err
		}
		done++
		s.changedTo(ctx, &r, &s.actor, now, EventRenewed, more)
	}
	return done, nil
}

// purge deletes what q matches and tells of it.
func (s *Service) purge(ctx context.Context, q store.Query, kind EventKind, by *actor, now time.Time) ([]Token, error) {
	records, err := s.store.Purge(ctx, q)
	if err != nil {
		s.changed.forgetAll() // a store may not know itself what it has deleted, as after a broken connection
		return nil, err
	}
	s.changed.forget(records...)
	tokens := tokensOf(records)
	for _, t := range tokens {
		s.emitBy(ctx, kind, by, t, now)
	}
	return tokens, nil
}
