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

// Service manages tokens. Its own methods, and those of the Access in it, are for
// trusted code. [Service.As] and [Service.For] narrow them to what a person or a
// key may do. Make a Service with [New]. It is safe for concurrent use.
type Service struct {
	Access
	store   store.Store
	uses    *uses  // nil unless last uses are tracked
	cache   *cache // nil unless there is one
	changed *cache // that what is changed is dropped from: cache, or that of the service this one is derived from

	policy   Policy
	users    Directory
	keys     keyFormat
	sealer   Sealer
	clock    func() time.Time
	observer Observer
	origin   *origin
}

// WithStore returns a service that is like s and keeps its tokens in st, such as
// a store in a transaction of the application's:
//
//	token, key, err := svc.WithStore(st.WithTx(tx), nil).Create(ctx, params)
//
// It costs next to nothing; make one for each transaction. These things are its own:
//
//   - It has no cache. What it changes is dropped from the cache of s at once. But
//     until the transaction is committed s sees the token as it was, and if it is
//     asked for it meanwhile, may go on accepting it for CacheTTL, as it does
//     with what another process has changed.
//   - Events are sent when something is done, which may be rolled back after all. So
//     may the deletion of a token by RevokeOnReuse of [Policy], if the transaction is
//     given up because the key was refused: check keys with s.
//   - With TrackLastUsed, the uses of keys that it has checked are for its own
//     FlushLastUsed to write, to st. The janitor of s looks after s only.
//
// users is where it looks for users: one that asks within the transaction sees those
// that were made in it. Nil is the directory of s, which would wait in vain for a connection
// if the transaction has the only one of the pool.
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
	return Access{s: s, kind: trustedCode, actor: actor{trusted: true}}
}

func (s *Service) now() time.Time { return toMicrosecond(s.clock()) }

// toMicrosecond returns t as all times are here: in UTC, and exact to the microsecond.
func toMicrosecond(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

// Create makes a token and returns it with its key. Unless there is a [Sealer], the
// key can't be had again.
//
// Faults in p come as a [*ValidationError]; no token is made then.
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
	r := store.Record{PK: pk, Created: now}
	u := UpdateParams{
		Identifier:  &p.Identifier,
		Intent:      &p.Intent,
		Description: &p.Description,
		Managed:     &p.Managed,
		Expiring:    p.Expiring,
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
	if err := a.stillHeld(ctx, r.PK); err != nil {
		// Nobody has seen the key, and nobody will.
		return Token{}, Key{}, errors.Join(err, s.store.Delete(context.WithoutCancel(ctx), r.PK, r.Version))
	}
	token = tokenOf(&r)
	s.emitBy(ctx, EventCreated, by, token, now)
	return token, key, nil
}

// insert adds r, unless its owner has as many tokens as they may. Trusted code may
// make any number. If nobody named r, it gets another identifier as long as one is
// taken.
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
		if named || !ok || taken.Field != store.FieldIdentifier || attempt == 8 {
			return err
		}
		r.Identifier = makeIdentifier(r.Description)
	}
}

// Get returns the token with this identifier. If there is none, the error
// matches [ErrNotFound].
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

// Update changes the fields of the token that p names and leaves the others as
// they are. It returns the token as it is afterwards.
//
// Errors are as for Create. They match [ErrNotFound] if there is no such token,
// and [ErrForbidden] if the actor may not change it. Under a policy with
// FixedAPILifetime, each update by a person or a key renews the lifetime of a
// token of IntentAPI.
func (a *Access) Update(ctx context.Context, identifier string, p UpdateParams, conditions ...Condition) (token Token, err error) {
	defer wrap(&err, "update token")
	return a.change(ctx, identifier, conditions, EventUpdated, func(r *store.Record, by *actor, now time.Time) (EventKind, error) {
		return "", a.s.apply(ctx, r, &p, by, now)
	})
}

// Delete removes the token with this identifier. Its key is refused from then on.
// If there is no such token, the error matches [ErrNotFound].
func (a *Access) Delete(ctx context.Context, identifier string, conditions ...Condition) (err error) {
	defer wrap(&err, "delete token")
	s := a.s
	return retry(ctx, len(conditions) > 0, func() error {
		now := s.now()
		by, r, err := a.target(ctx, identifier, conditions, now)
		if err != nil {
			return err
		}
		if !by.holds(&r) {
			return ErrForbidden
		}
		if err := s.remove(ctx, &r); err != nil {
			return err
		}
		s.emitBy(ctx, EventRevoked, by, tokenOf(&r), now)
		return nil
	})
}

// Condition is what must hold for a change to be made. If it does not, nothing is
// changed and the error matches [ErrStale]. [IfRevision] makes one.
type Condition struct {
	revisions []string
}

// IfRevision returns the condition that the token still has this [Token.Revision],
// or one of several. So of two people who change a token at once, the second
// learns of the first. No token has an empty revision.
func IfRevision(revisions ...string) Condition { return Condition{revisions} }

// read returns a record if the actor may know of it and the conditions hold.
func (s *Service) read(ctx context.Context, identifier string, by *actor, conditions []Condition) (store.Record, error) {
	if !isText(identifier) {
		return store.Record{}, ErrNotFound
	}
	r, err := s.store.Get(ctx, identifier)
	if err != nil {
		return store.Record{}, err
	}
	if !by.sees(&r) {
		return store.Record{}, ErrNotFound
	}
	// What somebody does to their own token by its key is done to the token that was
	// accepted, or not at all.
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

// target returns who acts, and the token that they change or whose key they are shown.
func (a *Access) target(ctx context.Context, identifier string, conditions []Condition, now time.Time) (*actor, store.Record, error) {
	by, err := a.writer(ctx, now)
	if err != nil {
		return nil, store.Record{}, err
	}
	r, err := a.s.read(ctx, identifier, by, conditions)
	return by, r, err
}

// change reads the record, has edit change it, and writes it, until nobody else
// has written in between. It returns the token as it was written. Edit may return a
// further event.
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

// replace writes r in place of the record that was read as before.
func (s *Service) replace(ctx context.Context, before *store.Record, r store.Record) error {
	err := s.store.Update(ctx, r)
	s.changed.forget(*before) // even after an error, since the store may have written
	return err
}

// remove deletes r.
func (s *Service) remove(ctx context.Context, r *store.Record) error {
	err := s.store.Delete(ctx, r.PK, r.Version)
	s.changed.forget(*r)
	return err
}

// readAgain reads r anew if err says that it has changed since it was read, and returns
// err. It finds r by a key that the token has or had: a token remembers its keys, whatever
// else becomes of it.
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

// changedTo returns the token that r is after replace has written it, and reports the
// change. more is empty if there is nothing more to report.
func (s *Service) changedTo(ctx context.Context, r *store.Record, by *actor, now time.Time, kind, more EventKind) Token {
	r.Version++
	token := tokenOf(r)
	s.emitBy(ctx, kind, by, token, now)
	if more != "" {
		s.emitBy(ctx, more, by, token, now)
	}
	return token
}

// retry calls f until it returns something else than ErrStale, with growing
// pauses. It gives up after some ten seconds of never being first.
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

// wrap puts what was being done before the error that err points to, if there is one.
func wrap(err *error, doing string) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", doing, *err)
	}
}
