package authtoken_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// A service over another store has the same rules, and keeps to its own store.
func TestWithStore(t *testing.T) {
	t.Parallel()
	told := new(recorder)
	users := userList(t, authtoken.User{ID: "7", Username: "alice", Active: true})
	svc, clock := authtokentest.NewService(t, authtoken.Config{
		Policy: authtoken.Policy{DefaultLifetime: time.Hour, MaxTokens: 1}, Users: users, KeyPrefix: "acme",
		MinKeyLength: 40, Sealer: newSealer(t), Observer: told, TrackLastUsed: true, CacheSize: 10,
	})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	other := svc.WithStore(memory.New(), nil)
	told.take()

	token, otherKey := create(t, other, authtoken.CreateParams{Identifier: "one"})
	require.Equal(t, clock.Now().Add(time.Hour), token.Expires)
	require.Regexp(t, "^acme_", otherKey)
	require.Equal(t, []string{"created one -"}, told.take())
	revealed, err := other.Reveal(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, otherKey, revealed.Reveal())
	_, _, err = other.Create(t.Context(), authtoken.CreateParams{Identifier: "two", User: "8"})
	requireFaults(t, err, `user "8" does not exist`)
	_, _, err = other.As("7").Create(t.Context(), authtoken.CreateParams{Identifier: "two"})
	requireFaults(t, err, "the owner has reached the limit of 1 tokens")
	require.Error(t, other.SetKey(t.Context(), "one", importedKey))

	_, err = svc.Authenticate(t.Context(), otherKey)
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	_, err = other.Authenticate(t.Context(), key)
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	_, err = other.WithStore(memory.New(), nil).Get(t.Context(), "one")
	require.ErrorIs(t, err, authtoken.ErrNotFound)
}

func TestWithStoreWritesItsOwnLastUses(t *testing.T) {
	t.Parallel()
	svc, clock := authtokentest.NewService(t, authtoken.Config{TrackLastUsed: true})
	other := svc.WithStore(memory.New(), nil)
	_, key := create(t, other, authtoken.CreateParams{Identifier: "one"})
	_, err := other.Authenticate(t.Context(), key)
	require.NoError(t, err)
	require.NoError(t, svc.FlushLastUsed(t.Context()))
	used := func() time.Time {
		token, err := other.Get(t.Context(), "one")
		require.NoError(t, err)
		return token.LastUsed
	}
	require.Zero(t, used())
	require.NoError(t, other.FlushLastUsed(t.Context()))
	require.Equal(t, clock.Now(), used())
}

// gate is a store that has creators wait if their tokens are for one user.
type gate struct {
	store.Store
	user          string
	entered, open chan struct{}
}

func (g *gate) Create(ctx context.Context, r store.Record, limit int) error {
	if r.User == g.user {
		close(g.entered)
		<-g.open
	}
	return g.Store.Create(ctx, r, limit)
}

// A transaction has the lock that others wait for in the middle of creating a
// token. If it waited for them in turn, nobody would get any further.
func TestWithStoreDoesNotWaitForOthers(t *testing.T) {
	t.Parallel()
	g := &gate{memory.New(), "7", make(chan struct{}), make(chan struct{})}
	svc, err := authtoken.New(g, authtoken.Config{Policy: authtoken.Policy{MaxTokens: 5}})
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		_, _, err := svc.As("7").Create(context.Background(), authtoken.CreateParams{Identifier: "one"})
		done <- err
	}()
	<-g.entered
	_, _, err = svc.WithStore(memory.New(), nil).As("7").Create(t.Context(), authtoken.CreateParams{Identifier: "two"})
	require.NoError(t, err)
	close(g.open)
	require.NoError(t, <-done)
}

// While one user waits for the store, no other waits for that user.
func TestUsersDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	g := &gate{memory.New(), "7", make(chan struct{}), make(chan struct{})}
	svc, err := authtoken.New(g, authtoken.Config{Policy: authtoken.Policy{MaxTokens: 5}})
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		_, _, err := svc.As("7").Create(context.Background(), authtoken.CreateParams{Identifier: "one"})
		done <- err
	}()
	<-g.entered
	for i := range 64 {
		_, _, err = svc.As(fmt.Sprint(8+i)).Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
		require.NoError(t, err)
	}
	close(g.open)
	require.NoError(t, <-done)
}

// A service for each call, as with a transaction for each request, is no way around
// the limit.
func TestWithStoreKeepsToMaxTokens(t *testing.T) {
	t.Parallel()
	const calls, limit = 64, 5
	a := newApplication(t)
	for name, st := range map[string]store.Store{"memory": memory.New(), "sqlite": a.store} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, err := authtoken.New(st, authtoken.Config{Policy: authtoken.Policy{MaxTokens: limit}})
			require.NoError(t, err)
			errs := make([]error, calls)
			var wg sync.WaitGroup
			for i := range calls {
				wg.Go(func() {
					as := svc.WithStore(st, nil).As("7")
					_, _, errs[i] = as.Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
				})
			}
			wg.Wait()
			made := 0
			for _, err := range errs {
				if err == nil {
					made++
				} else {
					requireFaults(t, err, "the owner has reached the limit of 5 tokens")
				}
			}
			require.Equal(t, limit, made)
			n, err := st.Count(t.Context(), store.Query{})
			require.NoError(t, err)
			require.Equal(t, limit, n)
			_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "trusted", User: "7"})
			require.NoError(t, err, "trusted code may make any number")
		})
	}
}

// application is a service with a cache over the handle of an application.
type application struct {
	*authtoken.Service
	db    *sqlx.DB
	store *sqlite.Store
	clock *authtokentest.Clock
}

// begin begins a transaction and returns a service in it.
func (a application) begin(t *testing.T) (*sqlx.Tx, *authtoken.Service) {
	t.Helper()
	tx, err := a.db.Beginx()
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx, a.WithStore(a.store.WithTx(tx.Tx), nil)
}

const cacheTTL = time.Minute

func newApplication(t *testing.T) application {
	t.Helper()
	db, err := sqlx.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_txlock=immediate&_pragma=journal_mode(WAL)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, sqlite.Migrate(t.Context(), db.DB, sqlite.Config{}))
	st, err := sqlite.New(t.Context(), db.DB, sqlite.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	clock := authtokentest.NewClock(time.Now())
	svc, err := authtoken.New(st, authtoken.Config{CacheSize: 100, CacheTTL: cacheTTL, Now: clock.Now})
	require.NoError(t, err)
	return application{svc, db, st, clock}
}

// What only a transaction sees must not get into the cache of others.
func TestRolledBackTokenIsNeverAccepted(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	tx, inTx := a.begin(t)
	_, key := create(t, inTx, authtoken.CreateParams{Identifier: "one"})
	for range 2 {
		_, err := inTx.Authenticate(t.Context(), key)
		require.NoError(t, err)
		_, err = a.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	}
	require.NoError(t, tx.Rollback())
	_, err := a.Authenticate(t.Context(), key)
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
}

func TestTransactionAndCache(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	check := func(key string, want error) {
		t.Helper()
		_, err := a.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, want)
	}
	_, key := create(t, a.Service, authtoken.CreateParams{Identifier: "one", Expiring: new(false)})
	check(key, nil) // it is in the cache now

	// Nobody asks for it in between: it counts from the commit.
	tx, inTx := a.begin(t)
	_, rotated, err := inTx.Rotate(t.Context(), "one", 0)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	check(key, authtoken.ErrKeyRetired)
	check(rotated.Reveal(), nil)

	// Somebody does: it counts when CacheTTL is over.
	tx, inTx = a.begin(t)
	require.NoError(t, inTx.Delete(t.Context(), "one"))
	check(rotated.Reveal(), nil)
	require.NoError(t, tx.Commit())
	check(rotated.Reveal(), nil)
	a.clock.Advance(cacheTTL)
	check(rotated.Reveal(), authtoken.ErrKeyUnknown)
}

// Faults come with their explanation, and the transaction goes on.
func TestFaultsInATransaction(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	ctx := t.Context()
	create(t, a.Service, authtoken.CreateParams{Identifier: "one"})
	create(t, a.Service, authtoken.CreateParams{Identifier: "three", Managed: "m"})
	tx, inTx := a.begin(t)
	create(t, inTx, authtoken.CreateParams{Identifier: "two"})
	for _, identifier := range []string{"one", "two"} {
		_, _, err := inTx.Create(ctx, authtoken.CreateParams{Identifier: identifier, Managed: "m", User: "7"})
		requireFaults(t, err, "identifier is taken", "managed is taken")
	}
	_, err := inTx.Update(ctx, "two", authtoken.UpdateParams{Identifier: new("one")})
	requireFaults(t, err, "identifier is taken")
	_, err = inTx.Update(ctx, "two", authtoken.UpdateParams{Description: new("x")}, authtoken.IfRevision("old"))
	require.ErrorIs(t, err, authtoken.ErrStale)
	_, err = inTx.Update(ctx, "two", authtoken.UpdateParams{Description: new("x")})
	require.NoError(t, err)
	revoked, err := inTx.Revoke(ctx, authtoken.Filter{User: "7", Managed: "m"})
	require.NoError(t, err)
	require.Len(t, revoked, 1)
	_, err = a.Get(ctx, "two")
	require.ErrorIs(t, err, authtoken.ErrNotFound)
	require.NoError(t, tx.Commit())
	page, err := a.Page(ctx, authtoken.Filter{}, 1, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, identifiers(page.Tokens))
	require.Equal(t, "x", page.Tokens[1].Description)
}

// A token that is revoked since a retired key of it was used comes back with the
// transaction, but the next use of that key revokes it again.
func TestRevokedOnReuseInATransaction(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	svc, err := authtoken.New(a.store, authtoken.Config{Policy: authtoken.Policy{RevokeOnReuse: true}, CacheSize: 100})
	require.NoError(t, err)
	_, old := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	_, key, err := svc.Rotate(t.Context(), "one", 0)
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.NoError(t, err)

	tx, err := a.db.Beginx()
	require.NoError(t, err)
	_, err = svc.WithStore(a.store.WithTx(tx.Tx), nil).Authenticate(t.Context(), old)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	require.NoError(t, tx.Rollback())
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.NoError(t, err)

	_, err = svc.Authenticate(t.Context(), old)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
}
