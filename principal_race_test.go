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

// A key that is narrowed meanwhile is handed nothing that is beyond what it is now.
func TestNoKeyBeyondTheNarrowedOne(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Minute)
	for name, narrow := range map[string]authtoken.UpdateParams{
		"scopes":   {Scopes: []string{"notes:read", "tokens"}},
		"manages":  {Scopes: []string{"notes:write"}},
		"networks": {Networks: new(prefixes("192.0.2.1/32"))},
		"expiry":   {Expiring: new(true), Expires: &later},
	} {
		for method, act := range map[string]func(as *authtoken.Access) (authtoken.Key, error){
			"Create": func(as *authtoken.Access) (authtoken.Key, error) {
				_, key, err := as.Create(context.Background(), authtoken.CreateParams{Identifier: "new"})
				return key, err
			},
			"Rotate": func(as *authtoken.Access) (authtoken.Key, error) {
				_, key, err := as.Rotate(context.Background(), "two", 0)
				return key, err
			},
			"Reveal": func(as *authtoken.Access) (authtoken.Key, error) { return as.Reveal(context.Background(), "two") },
		} {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				st := &meddled{Store: memory.New()}
				svc, err := authtoken.New(st, authtoken.Config{
					Sealer: newSealer(t), Policy: authtoken.Policy{Scopes: notes, ManageScope: "tokens", DefaultLifetime: time.Hour},
				})
				require.NoError(t, err)
				p := authtoken.CreateParams{
					Identifier: "one", User: alice.ID, Expiring: new(false), Scopes: []string{"notes:write", "tokens"}, Networks: prefixes("192.0.2.0/24"),
				}
				_, key := create(t, svc, p)
				p.Identifier, p.Expiring = "two", nil
				create(t, svc, p)
				who, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.1"})
				require.NoError(t, err)
				meanwhile := func() {
					_, err := svc.Update(context.Background(), "one", narrow)
					require.NoError(t, err)
				}
				if method == "Create" {
					st.beforeCreate = meanwhile
				} else {
					st.afterGet = meanwhile
				}
				got, err := act(svc.For(who))
				require.ErrorIs(t, err, authtoken.ErrForbidden)
				require.Empty(t, got.Reveal())
				_, err = svc.Get(t.Context(), "new")
				require.ErrorIs(t, err, authtoken.ErrNotFound)
			})
		}
	}
}
