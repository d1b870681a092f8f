package authtoken_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

// between is a directory that has something done while it is asked the next time: a
// directory takes its time, and others act meanwhile.
type between struct {
	authtoken.Directory
	mu sync.Mutex
	do func()
}

func (b *between) User(ctx context.Context, id string) (authtoken.User, error) {
	b.mu.Lock()
	do := b.do
	b.do = nil
	b.mu.Unlock()
	if do != nil {
		do()
	}
	return b.Directory.User(ctx, id)
}

func newBetween(t *testing.T) (*authtoken.Service, *between) {
	t.Helper()
	users := &between{Directory: userList(t, root, alice, bob, carol)}
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	require.NoError(t, err)
	return svc, users
}

// The owner takes a stolen key back by rotating. The thief's Rotate, which was under
// way, does not take it over again.
func TestRotateAfterTheOwnersRotation(t *testing.T) {
	t.Parallel()
	for _, expiring := range []bool{true, false} {
		t.Run(fmt.Sprint("expiring ", expiring), func(t *testing.T) {
			t.Parallel()
			svc, users := newBetween(t)
			_, stolen := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Expiring: &expiring})
			thief := svc.For(check(t, svc, stolen))
			var owners authtoken.Key
			users.do = func() { // the thief's call has read the token, and waits for the directory
				var err error
				_, owners, err = svc.Rotate(t.Context(), "one", 0)
				require.NoError(t, err)
			}
			_, _, err := thief.Rotate(t.Context(), "one", 0)
			require.ErrorIs(t, err, authtoken.ErrKeyRetired)
			_, err = svc.Authenticate(t.Context(), owners.Reveal())
			require.NoError(t, err, "the owner's new key")
		})
	}
}

// A token that was cut short is not stretched by an Update through its key that was
// under way.
func TestUpdateAfterACut(t *testing.T) {
	t.Parallel()
	svc, users := newBetween(t)
	was := time.Now().Add(365 * 24 * time.Hour)
	_, stolen := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Expires: was})
	thief := svc.For(check(t, svc, stolen))
	cut := time.Now().Add(time.Minute).UTC().Truncate(time.Microsecond)
	users.do = func() {
		_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Expires: &cut})
		require.NoError(t, err)
	}
	_, err := thief.Update(t.Context(), "one", authtoken.UpdateParams{Expires: &was})
	requireFaults(t, err, "expires is after the acting key ends: "+cut.Format(time.RFC3339Nano))
	token, err := svc.Get(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, cut, token.Expires)
}

// When all tokens of a user have been revoked, none is left that one of them was making.
func TestCreateDoesNotOutliveRevoke(t *testing.T) {
	t.Parallel()
	for name, meddle := range map[string]func(m *meddled, revoke, create func()){
		"revoked before it is added":         func(m *meddled, revoke, _ func()) { m.beforeCreate = revoke },
		"added after a purge has its tokens": func(m *meddled, _, create func()) { m.inPurge = create },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := &meddled{Store: memory.New()}
			svc, err := authtoken.New(st, authtoken.Config{})
			require.NoError(t, err)
			_, stolen := create(t, svc, authtoken.CreateParams{User: alice.ID, Expiring: new(false)})
			thief := svc.For(check(t, svc, stolen))
			revoke := func() {
				_, err := svc.Revoke(t.Context(), authtoken.Filter{User: alice.ID})
				require.NoError(t, err)
			}
			var made error
			makeOne := func() { _, _, made = thief.Create(t.Context(), authtoken.CreateParams{}) }
			meddle(st, revoke, makeOne)
			if st.beforeCreate != nil {
				makeOne()
				require.ErrorIs(t, made, authtoken.ErrKeyUnknown)
			} else {
				revoke()
				require.NoError(t, made)
			}
			page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
			require.NoError(t, err)
			require.Zero(t, page.Count)
		})
	}
}

// A key that another token's owner revokes meanwhile is not handed a new one.
func TestNoKeyAfterTheActingOneIsGone(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(as *authtoken.Access) (authtoken.Key, error){
		"Rotate": func(as *authtoken.Access) (authtoken.Key, error) {
			_, key, err := as.Rotate(context.Background(), "two", 0)
			return key, err
		},
		"Reveal": func(as *authtoken.Access) (authtoken.Key, error) { return as.Reveal(context.Background(), "two") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := &meddled{Store: memory.New()}
			svc, err := authtoken.New(st, authtoken.Config{Sealer: newSealer(t)})
			require.NoError(t, err)
			_, stolen := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Expiring: new(false)})
			create(t, svc, authtoken.CreateParams{Identifier: "two", User: alice.ID})
			thief := svc.For(check(t, svc, stolen))
			st.afterGet = func() { require.NoError(t, svc.Delete(t.Context(), "one")) }
			key, err := act(thief)
			require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
			require.Empty(t, key.Reveal())
		})
	}
}
