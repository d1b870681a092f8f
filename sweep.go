package authtoken

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Sweep deletes up to limit tokens that have been expired for the Retention of the
// [Policy] or longer. If the Policy has RenewExpired, Sweep instead gives such tokens of
// IntentAPI a new key and the DefaultLifetime.
//
// Sweep returns how many tokens it has deleted or renewed. If that is limit, there may be
// more: call it again. Several processes may sweep one store at the same time. Each token
// is deleted or renewed once.
func (s *Service) Sweep(ctx context.Context, limit int) (done int, err error) {
	defer wrap(&err, "sweep")
	if limit < 1 {
		return 0, fmt.Errorf("limit is %d, not positive", limit)
	}
	now := s.now()
	q := store.Query{
		// A token has expired at the very instant Expires, so that instant is included.
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
		q.Intents = nil
		for _, i := range Intents() {
			if i != IntentAPI {
				q.Intents = append(q.Intents, string(i))
			}
		}
	}
	gone, err := s.purge(ctx, q, EventExpired, &s.actor, now)
	return done + len(gone), err
}

// renew gives the tokens that q matches a new key and a new lifetime.
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
			continue // another process was faster
		case err != nil:
			return done, err
		}
		done++
		s.changedTo(ctx, &r, &s.actor, now, EventRenewed, more)
	}
	return done, nil
}

// purge deletes the tokens that q matches, and sends an event of this kind for each.
func (s *Service) purge(ctx context.Context, q store.Query, kind EventKind, by *actor, now time.Time) ([]Token, error) {
	records, err := s.store.Purge(ctx, q)
	if err != nil {
		s.invalidate.forgetAll() // after a broken connection nobody knows what was deleted
		return nil, err
	}
	s.invalidate.forget(records...)
	tokens := tokensOf(records)
	for _, t := range tokens {
		s.emitBy(ctx, kind, by, t, now)
	}
	return tokens, nil
}
