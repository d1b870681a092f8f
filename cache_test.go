package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// cachedService is a service with a cache, over a store that counts.
type cachedService struct {
	*authtoken.Service
	st    *counting
	clock *authtokentest.Clock
}

func newCached(t *testing.T) cachedService {
	t.Helper()
	st, clock := &counting{Store: memory.New()}, authtokentest.NewClock(time.Now())
	svc, err := authtoken.New(st, authtoken.Config{CacheSize: 4, CacheTTL: time.Minute, Now: clock.Now})
	require.NoError(t, err)
	return cachedService{svc, st, clock}
}

// check checks a key, which must end with want and have the store asked so often.
func (s cachedService) check(t *testing.T, key string, asked int, want error) {
	t.Helper()
	s.st.asked = 0
	_, err := s.Authenticate(t.Context(), key, authtoken.Intents()...)
	require.ErrorIs(t, err, want)
	require.Equal(t, asked, s.st.asked, "how often the store was asked")
}

func TestCache(t *testing.T) {
	t.Parallel()
	t.Run("asks again after its TTL", func(t *testing.T) {
		t.Parallel()
		svc := newCached(t)
		_, key := create(t, svc.Service, authtoken.CreateParams{Identifier: "one"})
		svc.check(t, key, 1, nil)
		svc.check(t, key, 0, nil)
		svc.clock.Advance(time.Minute - time.Microsecond)
		svc.check(t, key, 0, nil)
		svc.clock.Advance(time.Microsecond)
		svc.check(t, key, 1, nil)
	})
	t.Run("own changes count at once", func(t *testing.T) {
		t.Parallel()
		svc := newCached(t)
		_, key := create(t, svc.Service, authtoken.CreateParams{Identifier: "one"})
		svc.check(t, key, 1, nil)
		_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Intent: new(authtoken.IntentRecovery)})
		require.NoError(t, err)
		svc.check(t, key, 1, nil)
		who, err := svc.Authenticate(t.Context(), key, authtoken.IntentRecovery)
		require.NoError(t, err)
		require.Equal(t, authtoken.IntentRecovery, who.Token.Intent)
		_, rotated, err := svc.Rotate(t.Context(), "one", time.Hour)
		require.NoError(t, err)
		svc.check(t, key, 1, nil)
		svc.check(t, key, 0, nil)
		require.NoError(t, svc.SetKey(t.Context(), "one", importedKey))
		svc.check(t, key, 1, authtoken.ErrKeyRetired)
		svc.check(t, rotated.Reveal(), 1, authtoken.ErrKeyRetired)
		svc.check(t, importedKey, 1, nil)
		_, err = svc.Revoke(t.Context(), authtoken.Filter{User: "7"})
		require.NoError(t, err)
		svc.check(t, importedKey, 1, authtoken.ErrKeyUnknown)
	})
	t.Run("others' changes are seen after its TTL", func(t *testing.T) {
		t.Parallel()
		svc := newCached(t)
		other, err := authtoken.New(svc.st, authtoken.Config{Now: svc.clock.Now})
		require.NoError(t, err)
		_, key := create(t, svc.Service, authtoken.CreateParams{Identifier: "one"})
		svc.check(t, key, 1, nil)
		require.NoError(t, other.Delete(t.Context(), "one"))
		svc.clock.Advance(time.Minute - time.Microsecond)
		svc.check(t, key, 0, nil)
		svc.clock.Advance(time.Microsecond)
		svc.check(t, key, 1, authtoken.ErrKeyUnknown)
	})
	t.Run("does not stretch expiry", func(t *testing.T) {
		t.Parallel()
		svc := newCached(t)
		_, key := create(t, svc.Service, authtoken.CreateParams{Identifier: "one", Expires: svc.clock.Now().Add(time.Second)})
		svc.check(t, key, 1, nil)
		svc.clock.Advance(time.Second - time.Microsecond)
		svc.check(t, key, 0, nil)
		svc.clock.Advance(time.Microsecond)
		svc.check(t, key, 1, authtoken.ErrKeyExpired)
	})
	t.Run("keeps the newest", func(t *testing.T) {
		t.Parallel()
		svc := newCached(t)
		for i := range 100 {
			_, key := create(t, svc.Service, authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
			svc.check(t, key, 1, nil)
			svc.check(t, key, 0, nil)
		}
	})
}

// What the cache holds is bounded in bytes, however long the texts are.
func TestCacheCountsBytes(t *testing.T) {
	t.Parallel()
	const size = 100
	for name, c := range map[string]struct {
		text, user  string
		rotations   int
		least, most int // how many of 10 * size tokens are held in the end
	}{
		"short texts":     {"made by hand", "7", 0, size / 2, size},
		"long texts":      {strings.Repeat("x", 9000), "7", 0, 5, size << 10 / 9000},
		"one is too much": {strings.Repeat("x", size<<10/2), "7", 0, 0, 0},
		"long user IDs":   {"", strings.Repeat("𝄞", 255), 0, size / 4, size/2 - 1},
		"earlier keys":    {strings.Repeat("x", 200), "7", 17, size / 4, size/2 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := &counting{Store: memory.New()}
			svc, err := authtoken.New(st, authtoken.Config{
				CacheSize: size, CacheTTL: time.Hour, Policy: authtoken.Policy{MaxTextLength: len(c.text)}})
			require.NoError(t, err)
			var keys []string
			for i := range 10 * size {
				_, key := create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: c.user, Description: c.text})
				for range c.rotations {
					_, next, err := svc.Rotate(t.Context(), fmt.Sprint("t", i), 0)
					require.NoError(t, err)
					key = next.Reveal()
				}
				who, err := svc.Authenticate(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, c.text, who.Token.Description)
				keys = append(keys, key)
			}
			st.asked = 0
			held := 0
			for _, key := range slices.Backward(keys) { // what is asked for meanwhile takes the place of the oldest
				before := st.asked
				who, err := svc.Authenticate(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, c.text, who.Token.Description)
				if st.asked > before {
					break
				}
				held++
			}
			require.GreaterOrEqual(t, held, c.least)
			require.LessOrEqual(t, held, c.most)
		})
	}
}

// What is changed makes room.
func TestCacheCountsBytesThatAreGone(t *testing.T) {
	t.Parallel()
	st := &counting{Store: memory.New()}
	svc, err := authtoken.New(st, authtoken.Config{
		CacheSize: 100, CacheTTL: time.Hour, Policy: authtoken.Policy{MaxTextLength: 9000}})
	require.NoError(t, err)
	_, first := create(t, svc, authtoken.CreateParams{Identifier: "first"})
	_, err = svc.Authenticate(t.Context(), first)
	require.NoError(t, err)
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "other"})
	for i := range 100 {
		_, err := svc.Update(t.Context(), "other", authtoken.UpdateParams{Description: new(strings.Repeat("x", 9000-i))})
		require.NoError(t, err)
		_, err = svc.Authenticate(t.Context(), key)
		require.NoError(t, err)
	}
	st.asked = 0
	_, err = svc.Authenticate(t.Context(), first)
	require.NoError(t, err)
	require.Zero(t, st.asked)
}

// A revoked key must be refused by whoever asks after Delete has returned, while
// others keep reading it into the cache.
func TestCacheIsExact(t *testing.T) {
	t.Parallel()
	svc, err := authtoken.New(memory.New(), authtoken.Config{CacheSize: 100, CacheTTL: time.Hour})
	require.NoError(t, err)
	for i := range 200 {
		_, key := create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
		var gone atomic.Bool
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					before := gone.Load()
					if _, err := svc.Authenticate(context.Background(), key); err == nil && before {
						t.Error("a key was accepted after it had been revoked")
					}
				}
			})
		}
		wg.Go(func() {
			if err := svc.Delete(context.Background(), fmt.Sprint("t", i)); err != nil {
				t.Error(err)
			}
			gone.Store(true)
		})
		wg.Wait()
		_, err := svc.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	}
}

// unanswered is a store that does what it is asked to, but its answers get lost.
type unanswered struct{ store.Store }

var errLost = errors.New("the connection broke")

func (s unanswered) Update(ctx context.Context, r store.Record) error {
	return errors.Join(s.Store.Update(ctx, r), errLost)
}

func (s unanswered) Delete(ctx context.Context, pk store.PK, version int64) error {
	return errors.Join(s.Store.Delete(ctx, pk, version), errLost)
}

func (s unanswered) Purge(ctx context.Context, q store.Query) ([]store.Record, error) {
	_, err := s.Store.Purge(ctx, q)
	return nil, errors.Join(err, errLost)
}

// What has failed may have been done all the same.
func TestCacheAfterAChangeInDoubt(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(ctx context.Context, broken *authtoken.Service) error{
		"delete": func(ctx context.Context, broken *authtoken.Service) error { return broken.Delete(ctx, "one") },
		"rotate": func(ctx context.Context, broken *authtoken.Service) error {
			_, _, err := broken.Rotate(ctx, "one", 0)
			return err
		},
		"revoke": func(ctx context.Context, broken *authtoken.Service) error {
			_, err := broken.Revoke(ctx, authtoken.Filter{Identifier: "one", AllUsers: true})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := memory.New()
			svc, err := authtoken.New(st, authtoken.Config{CacheSize: 10, CacheTTL: time.Hour})
			require.NoError(t, err)
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
			check(t, svc, key)
			require.ErrorIs(t, change(t.Context(), svc.WithStore(unanswered{st}, nil)), errLost)
			_, err = svc.Authenticate(t.Context(), key)
			require.ErrorIs(t, err, authtoken.ErrRefused)
		})
	}
}
