package authtoken

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken/store"
)

// Service manages tokens. Its methods, with those of the embedded [Access], are for
// trusted code. [Service.As] and [Service.For] return an Access that is limited to what
// a person or a key may do. Make a Service with [New]. It is safe for concurrent use.
type Service struct {
	Access
	store      store.Store
	uses       *uses  // nil unless last uses are tracked
	cache      *cache // nil for no cache
	invalidate *cache // drops each token that changes; a service that WithStore derives shares it

	policy   Policy
	users    Directory
	keys     keyFormat
	sealer   Sealer
	clock    func() time.Time
	observer Observer
	origin   *origin
}

// WithStore returns a service that is like s but keeps its tokens in st, for example
// in a transaction of the application:
//
//	token, key, err := svc.WithStore(st.WithTx(tx), nil).Create(ctx, params)
//
// WithStore costs almost nothing: make a service for each transaction. The service
// differs from s in this:
//
//   - It has no cache. A token that it changes is dropped from the cache of s at once. But until
//     the transaction commits, s still reads the token as it was. If s reads it during
//     that time, s may accept its key for another CacheTTL, as after a change by
//     another process.
//   - It sends events at once, although the transaction may still be rolled back. A
//     rollback also undoes the deletion of a token by RevokeOnReuse of [Policy]. So
//     check keys with s, not with a service in a transaction.
//   - With TrackLastUsed, it remembers the uses of the keys that it checked itself.
//     Only its own FlushLastUsed writes them, to st. The janitor of s does not.
//
// The service looks up users in users. A directory that reads within the transaction
// also finds users that were made in it. If users is nil, the service asks the
// directory of s. That call waits for ever if it needs a database connection and the
// transaction holds the only one of the pool.
func (s *Service) WithStore(st store.Store, users Directory) *Service {
	d := *s
	d.Access, d.store, d.cache = trusted(&d), st, nil
	if users != nil {
		d.users = users
	}
	if s.uses != nil {
		d.uses = new(uses)
	}
	return &d
}

// trusted returns the access of trusted code to the tokens of s.
func trusted(s *Service) Access {
	return Access{s: s, proof: proof{kind: trustedCode}, actor: actor{trusted: true}}
}

// Now returns the time by the clock of [Config], in UTC and to the microsecond, as the
// Service uses it.
func (s *Service) Now() time.Time { return s.now() }

func (s *Service) now() time.Time { return toMicrosecond(s.clock()) }

// toMicrosecond returns t in UTC, cut to the microsecond, like all times in this package.
func toMicrosecond(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

// Create makes a token and returns it with its key. Without a [Sealer], nobody can get
// the key again.
//
// If p has faults, Create makes no token and returns a [*ValidationError].
func (a *Access) Create(ctx context.Context, p CreateParams) (token Token, key Key, err error) {
	defer wrap(&err, "create token")
	s, now := a.s, a.s.now()
	by, err := a.writer(ctx, now)
	if err != nil {
		return Token{}, Key{}, err
	}
	pk, err := uuid.NewV7()
	if err != nil {
		return Token{}, Key{}, err
	}
	r := store.Record{PK: pk, Created: now, State: store.StateActive, Via: by.via}
	u := UpdateParams{
		Identifier:  &p.Identifier,
		Intent:      &p.Intent,
		Description: &p.Description,
		Managed:     &p.Managed,
		Expiring:    p.Expiring,
		Scopes:      p.Scopes,
		Metadata:    p.Metadata,
		Invalid:     p.Invalid,
	}
	if p.Intent == "" {
		p.Intent = IntentAPI
	}
	named := p.Identifier != ""
	if !named {
		p.Identifier = makeIdentifier(p.Description)
	}
	if p.User != "" {
		u.User = &p.User
	}
	if !p.Expires.IsZero() {
		u.Expires = &p.Expires
	}
	if p.Networks != nil {
		u.Networks = &p.Networks
	}
	if p.Suspended {
		u.Suspended = &p.Suspended
	}
	if err := s.apply(ctx, &r, &u, by, now); err != nil {
		return Token{}, Key{}, err
	}
	key = s.keys.generate()
	if err := s.setKey(&r, key); err != nil {
		return Token{}, Key{}, err
	}
	r.Version = 1
	if err := s.insert(ctx, &r, by, named); err != nil {
		return Token{}, Key{}, s.explainTaken(ctx, &r, err)
	}
	token = tokenOf(&r)
	if err := a.stillHeld(ctx, token); err != nil {
		// Nobody has seen the new key yet, and nobody will.
		return Token{}, Key{}, errors.Join(err, s.store.Delete(context.WithoutCancel(ctx), r.PK, r.Version))
	}
	s.emitBy(ctx, EventCreated, by, token, now)
	return token, key, nil
}

// maxNames is how many further identifiers are made if one is taken.
const maxNames = 8

// insert adds r to the store. It enforces MaxTokens for everybody except trusted code.
// If the identifier of r was made here, not named, insert tries others when it is taken.
func (s *Service) insert(ctx context.Context, r *store.Record, by *actor, named bool) error {
	limit := 0
	if !by.trusted {
		limit = s.policy.MaxTokens
	}
	for attempt := 0; ; attempt++ {
		err := s.store.Create(ctx, *r, limit)
		if errors.Is(err, store.ErrLimit) {
			return fault(FieldError{Code: CodeTooMany, Limit: limit})
		}
		taken, ok := errors.AsType[*store.TakenError](err)
		if named || !ok || taken.Field != store.FieldIdentifier || attempt == maxNames {
			return err
		}
		r.Identifier = makeIdentifier(r.Description)
	}
}

// Get returns the token with this identifier. If no such token exists, or the actor may
// not see it, the error matches [ErrNotFound].
func (a *Access) Get(ctx context.Context, identifier string) (token Token, err error) {
	defer wrap(&err, "get token")
	by, err := a.reader(ctx)
	if err != nil {
		return Token{}, err
	}
	r, err := a.s.read(ctx, identifier, by, nil)
	if err != nil {
		return Token{}, err
	}
	return tokenOf(&r), nil
}

// Update changes the fields that p names, leaves the others as they are, and returns the
// changed token.
//
// If p has faults, Update changes nothing and returns a [*ValidationError]. The error
// matches [ErrNotFound] if no such token exists or the actor may not see it,
// [ErrForbidden] if the actor may not change it, and [ErrStale] if a condition does not
// hold. If the [Policy] has FixedAPILifetime, each update by a person or a key
// renews the lifetime of a token of IntentAPI.
func (a *Access) Update(ctx context.Context, identifier string, p UpdateParams, conditions ...Condition) (token Token, err error) {
	defer wrap(&err, "update token")
	return a.change(ctx, identifier, conditions, EventUpdated, func(r *store.Record, by *actor, now time.Time) (EventKind, error) {
		before := r.State
		err := a.s.apply(ctx, r, &p, by, now)
		return stateEvent(before, r.State), err
	})
}

// Delete removes the token with this identifier. From then on its key is refused.
// Errors are as for [Access.Update], without the faults.
func (a *Access) Delete(ctx context.Context, identifier string, conditions ...Condition) (err error) {
	defer wrap(&err, "delete token")
	s := a.s
	return retry(ctx, len(conditions) > 0, func() error {
		now := s.now()
		by, r, err := a.target(ctx, identifier, conditions, now)
		if err != nil {
			return err
		}
		if !s.policy.mayDelete(by, &r) {
			return ErrForbidden
		}
		if err := s.remove(ctx, &r); err != nil {
			return err
		}
		s.emitBy(ctx, EventRevoked, by, tokenOf(&r), now)
		return nil
	})
}

// Condition must hold for a change to happen. If it does not hold, nothing changes and
// the error matches [ErrStale]. Make one with [IfRevision]. The zero Condition never
// holds.
type Condition struct {
	revisions []string
}

// IfRevision returns the condition that the token still has this [Token.Revision], or
// one of several. If two people change a token at the same time, the condition tells
// the second of them. No token has an empty revision.
func IfRevision(revisions ...string) Condition { return Condition{revisions} }

// read returns the record with this identifier if by may see it and the conditions hold.
func (s *Service) read(ctx context.Context, identifier string, by *actor, conditions []Condition) (store.Record, error) {
	if !isText(identifier) {
		return store.Record{}, ErrNotFound
	}
	r, err := s.store.Get(ctx, identifier)
	if by.alone() && (errors.Is(err, ErrNotFound) || err == nil && r.PK != by.via) {
		return store.Record{}, ErrForbidden
	}
	if err != nil {
		return store.Record{}, err
	}
	if !by.sees(&r) {
		return store.Record{}, ErrNotFound
	}
	// A key that acts on its own token acts on the version that was checked, or on none.
	if r.PK == by.via && r.Version != by.version {
		return store.Record{}, ErrStale
	}
	for _, c := range conditions {
		if !slices.Contains(c.revisions, tokenOf(&r).Revision()) {
			return store.Record{}, ErrStale
		}
	}
	return r, nil
}

// target returns who acts, and the record of the token that they change or reveal.
func (a *Access) target(ctx context.Context, identifier string, conditions []Condition, now time.Time) (*actor, store.Record, error) {
	by, err := a.writer(ctx, now)
	if err != nil {
		return nil, store.Record{}, err
	}
	r, err := a.s.read(ctx, identifier, by, conditions)
	return by, r, err
}

// change reads a record, lets edit change it, and writes it. It starts again if somebody
// else has written in between. It returns the changed token. Edit may return a second
// event to send.
func (a *Access) change(ctx context.Context, identifier string, conditions []Condition, kind EventKind,
	edit func(r *store.Record, by *actor, now time.Time) (more EventKind, err error)) (Token, error) {
	s := a.s
	var token Token
	err := retry(ctx, len(conditions) > 0, func() error {
		now := s.now()
		by, r, err := a.target(ctx, identifier, conditions, now)
		if err != nil {
			return err
		}
		if !s.policy.mayUse(by, &r) {
			return ErrForbidden
		}
		before := r
		more, err := edit(&r, by, now)
		if errors.Is(err, errUnchanged) {
			token = tokenOf(&before)
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.replace(ctx, &before, r); err != nil {
			return s.explainTaken(ctx, &r, err)
		}
		token = s.changedTo(ctx, &r, by, now, kind, more)
		return nil
	})
	return token, err
}

// errUnchanged says that there is nothing to change.
var errUnchanged = errors.New("nothing to change")

// replace writes r over before, which is the record as it was read.
func (s *Service) replace(ctx context.Context, before *store.Record, r store.Record) error {
	err := s.store.Update(ctx, r)
	s.invalidate.forget(*before) // even after an error, since the store may have written
	return err
}

// remove deletes r.
func (s *Service) remove(ctx context.Context, r *store.Record) error {
	err := s.store.Delete(ctx, r.PK, r.Version)
	s.invalidate.forget(*r)
	return err
}

// readAgain returns err. If err is ErrStale, it first reads r again, so that the caller
// can retry. It finds r by the digest of a key that the token has or had. A token keeps
// those digests whatever else changes about it.
func (s *Service) readAgain(ctx context.Context, r *store.Record, digest store.Digest, err error) error {
	if !errors.Is(err, store.ErrStale) {
		return err
	}
	found, e := s.store.GetByDigest(ctx, digest)
	switch {
	case e != nil:
		return e
	case found.PK != r.PK:
		return store.ErrNotFound
	}
	*r = found
	return err
}

// changedTo sends the events of a change that replace has made, and returns the changed
// token. More is a second event, or empty.
func (s *Service) changedTo(ctx context.Context, r *store.Record, by *actor, now time.Time, kind, more EventKind) Token {
	r.Version++
	token := tokenOf(r)
	s.emitBy(ctx, kind, by, token, now)
	if more != "" {
		s.emitBy(ctx, more, by, token, now)
	}
	return token
}

// retry calls f again, after growing pauses, as long as f returns ErrStale. It gives up
// after about ten seconds. If once is set, it calls f only once.
func retry(ctx context.Context, once bool, f func() error) error {
	const attempts = 200
	pause := 50 * time.Microsecond
	for i := 1; ; i++ {
		err := f()
		if once || i == attempts || !errors.Is(err, store.ErrStale) {
			return err
		}
		timer := time.NewTimer(rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// wrap adds what failed to the error that err points to, if there is one. Defer it.
func wrap(err *error, doing string) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", doing, *err)
	}
}
