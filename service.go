package authtoken

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken/store"
)

// Service manages tokens. Its own methods are for trusted code: see [Service.As]
// for what acts on behalf of a user. Make one with [New]; its methods may be
// called from any number of goroutines.
type Service struct {
	settings
	store   store.Store
	uses    *uses          // nil unless last uses are tracked
	cache   *cache         // nil unless there is one
	changed *cache         // that what is changed is dropped from: cache, or that of the service this one is derived from
	making  [64]sync.Mutex // by owner, while MaxTokens is looked at
}

// settings are what services over different stores can have in common.
type settings struct {
	policy   Policy
	users    Directory
	keys     keyFormat
	sealer   Sealer
	clock    func() time.Time
	observer Observer
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
//   - MaxTokens is a matter of what it sees in st, and what is not committed yet is
//     not seen by s.
//
// users is where it looks for users: one that asks within the transaction sees those
// that were made in it. Nil is the directory of s, which would wait in vain for a connection
// if the transaction has the only one of the pool.
func (s *Service) WithStore(st store.Store, users Directory) *Service {
	d := &Service{settings: s.settings, store: st, changed: s.changed}
	if users != nil {
		d.users = users
	}
	if s.uses != nil {
		d.uses = new(uses)
	}
	return d
}

// now is the time, to the microsecond, like all times here.
func (s *Service) now() time.Time { return time.UnixMicro(s.clock().UnixMicro()).UTC() }

// Create makes a token and returns it with its key, which can't be had again
// unless there is a [Sealer].
//
// Faults in p come as a [*ValidationError]; no token is made then.
func (s *Service) Create(ctx context.Context, p CreateParams) (Token, Key, error) {
	return s.create(ctx, p, nil)
}

func (s *Service) create(ctx context.Context, p CreateParams, by *Caller) (Token, Key, error) {
	fail := func(err error) (Token, Key, error) {
		return Token{}, Key{}, fmt.Errorf("create token: %w", err)
	}
	now := s.now()
	pk, err := uuid.NewV7()
	if err != nil {
		return fail(err)
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
	if p.User != 0 {
		u.User = &p.User
	}
	if !p.Expires.IsZero() {
		u.Expires = &p.Expires
	}
	if err := s.apply(ctx, &r, &u, by, now); err != nil {
		return fail(err)
	}
	key := s.keys.generate()
	if err := s.setKey(&r, key); err != nil {
		return fail(err)
	}
	r.Version = 1
	if err := s.insert(ctx, r, by); err != nil {
		return fail(s.explainTaken(ctx, &r, err))
	}
	token := tokenOf(&r)
	s.emitBy(ctx, EventCreated, by, token, now)
	return token, key, nil
}

// insert adds r, unless its owner has as many tokens as they may.
func (s *Service) insert(ctx context.Context, r store.Record, by *Caller) error {
	if by == nil || s.policy.MaxTokens == 0 {
		return s.store.Create(ctx, r)
	}
	making := &s.making[uint64(r.User)%uint64(len(s.making))]
	making.Lock()
	defer making.Unlock()
	n, err := s.store.Count(ctx, store.Query{Users: []int64{r.User}})
	if err != nil {
		return err
	}
	if n >= s.policy.MaxTokens {
		return &ValidationError{Fields: []FieldError{{"non_field_errors", CodeTooMany,
			fmt.Sprintf("User has reached the maximum of %d tokens.", s.policy.MaxTokens)}}}
	}
	return s.store.Create(ctx, r)
}

// Get returns the token with this identifier. If there is none, the error
// matches [ErrNotFound].
func (s *Service) Get(ctx context.Context, identifier string) (Token, error) {
	return s.get(ctx, identifier, nil)
}

func (s *Service) get(ctx context.Context, identifier string, by *Caller) (Token, error) {
	r, err := s.read(ctx, identifier, by)
	if err != nil {
		return Token{}, fmt.Errorf("get token: %w", err)
	}
	return tokenOf(&r), nil
}

// Update changes the fields of the token that p names and leaves the others as
// they are. It returns the token as it is afterwards.
//
// Errors are as for Create, and match [ErrNotFound] if there is no such token.
// Under a policy with FixedAPILifetime, each update through [Service.As] renews
// the lifetime of a token of IntentAPI.
func (s *Service) Update(ctx context.Context, identifier string, p UpdateParams) (Token, error) {
	return s.update(ctx, identifier, p, nil)
}

// Replace changes the token as a PUT of authentik's API does: p must name the
// identifier, an intent that it does not name becomes IntentAPI, and all else
// that it does not name stays as it is. Otherwise it is like Update.
func (s *Service) Replace(ctx context.Context, identifier string, p UpdateParams) (Token, error) {
	return s.update(ctx, identifier, p.complete(), nil)
}

func (p UpdateParams) complete() UpdateParams {
	f := faults{slices.Clone(p.Invalid)}
	if p.Identifier == nil && !f.has("identifier") {
		f.add("identifier", CodeRequired, msgRequired)
	}
	if p.Intent == nil && !f.has("intent") {
		p.Intent = new(IntentAPI)
	}
	p.Invalid = f.fields
	return p
}

func (s *Service) update(ctx context.Context, identifier string, p UpdateParams, by *Caller) (Token, error) {
	token, err := s.change(ctx, identifier, p.If, by, EventUpdated, func(r *store.Record, now time.Time) error {
		return s.apply(ctx, r, &p, by, now)
	})
	if err != nil {
		return Token{}, fmt.Errorf("update token: %w", err)
	}
	return token, nil
}

// Delete removes the token with this identifier; its key is refused from then
// on. If there is none, the error matches [ErrNotFound].
func (s *Service) Delete(ctx context.Context, identifier string) error {
	return s.delete(ctx, identifier, "", nil)
}

// DeleteIf is Delete if the token still has this [Token.Revision]. If it has
// another, it stays, and the error matches [ErrStale].
func (s *Service) DeleteIf(ctx context.Context, identifier, revision string) error {
	return s.delete(ctx, identifier, revision, nil)
}

func (s *Service) delete(ctx context.Context, identifier, revision string, by *Caller) error {
	err := retry(ctx, revision != "", func() error {
		r, err := s.readIf(ctx, identifier, revision, by)
		if err != nil {
			return err
		}
		err = s.store.Delete(ctx, r.PK, r.Version)
		s.changed.forget(r)
		if err == nil {
			s.emitBy(ctx, EventRevoked, by, tokenOf(&r), s.now())
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete token: %w", err)
	}
	return nil
}

// read returns a record if the caller may know of it.
func (s *Service) read(ctx context.Context, identifier string, by *Caller) (store.Record, error) {
	if !isText(identifier) {
		return store.Record{}, ErrNotFound
	}
	r, err := s.store.Get(ctx, identifier)
	if err == nil && !by.sees(&r) {
		return store.Record{}, ErrNotFound
	}
	return r, err
}

// readIf is read, and fails with ErrStale if a revision is given that the record
// does not have.
func (s *Service) readIf(ctx context.Context, identifier, revision string, by *Caller) (store.Record, error) {
	r, err := s.read(ctx, identifier, by)
	if err == nil && revision != "" && revision != tokenOf(&r).Revision() {
		err = ErrStale
	}
	return r, err
}

// change reads the record, has edit change it, and writes it, until nobody else
// has written in between. It returns the token as it was written.
func (s *Service) change(ctx context.Context, identifier, revision string, by *Caller, kind EventKind,
	edit func(r *store.Record, now time.Time) error) (Token, error) {
	var token Token
	err := retry(ctx, revision != "", func() error {
		r, err := s.readIf(ctx, identifier, revision, by)
		if err != nil {
			return err
		}
		before, now := r, s.now()
		if err := edit(&r, now); err != nil {
			return err
		}
		err = s.store.Update(ctx, r)
		s.changed.forget(before)
		if err != nil {
			return s.explainTaken(ctx, &r, err)
		}
		r.Version++
		token = tokenOf(&r)
		s.emitBy(ctx, kind, by, token, now)
		return nil
	})
	return token, err
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

// explainTaken turns what a store says of a value that another token has into a
// ValidationError about all such values.
func (s *Service) explainTaken(ctx context.Context, r *store.Record, err error) error {
	taken, ok := errors.AsType[*store.TakenError](err)
	if !ok {
		return err
	}
	var f faults
	f.addTaken(taken.Field)
	return s.addTaken(ctx, r, f)
}

// owner returns the user a token belongs to. A token outlives its owner's
// entry in the directory; what is left is a user without a name who is not
// active.
func (s *Service) owner(ctx context.Context, pk int64, by *Caller) (User, error) {
	u, err := s.userOrCaller(ctx, pk, by)
	if errors.Is(err, ErrUserNotFound) {
		return User{PK: pk}, nil
	}
	return u, err
}

// userOrCaller spares the directory if the caller is the one asked for.
func (s *Service) userOrCaller(ctx context.Context, pk int64, by *Caller) (User, error) {
	if by != nil && by.user.PK == pk {
		return by.user, nil
	}
	return s.users.User(ctx, pk)
}
