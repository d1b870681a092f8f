package authtoken_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

func TestJanitor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := &touched{Store: memory.New()}
		told := new(recorder)
		svc, err := authtoken.New(st, authtoken.Config{
			TrackLastUsed: true, Observer: told, Policy: authtoken.Policy{Retention: 10 * time.Minute},
		})
		require.NoError(t, err)
		for i := range 250 {
			create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
		}
		_, key := create(t, svc, authtoken.CreateParams{Identifier: "kept", Expiring: new(false)})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { require.NoError(t, svc.RunJanitor(ctx, time.Minute)) })
		count := func() int {
			page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 1)
			require.NoError(t, err)
			return page.Count
		}

		time.Sleep(39*time.Minute + 30*time.Second)
		synctest.Wait()
		require.Equal(t, 251, count())
		told.take()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, count(), "all of them, in pieces")
		require.Len(t, told.take(), 250)

		_, err = svc.Authenticate(t.Context(), key)
		require.NoError(t, err)
		st.fail(errDisk)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"failed  - write last use: disk on fire"}, told.take())
		st.fail(nil)
		cancel()
		running.Wait()
		require.Equal(t, 1, st.uses, "the last uses are not lost")
		require.Error(t, svc.RunJanitor(t.Context(), 0))
	})
}

// hanging is a store that does not answer a Touch.
type hanging struct{ store.Store }

func (hanging) Touch(ctx context.Context, _ []store.Use) error {
	<-ctx.Done()
	return ctx.Err()
}

// Uses that could not be written when the janitor ended are reported.
func TestJanitorReportsItsLastFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := new(recorder)
		svc, err := authtoken.New(hanging{memory.New()}, authtoken.Config{TrackLastUsed: true, Observer: told})
		require.NoError(t, err)
		_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", Expiring: new(false)})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { require.NoError(t, svc.RunJanitor(ctx, time.Minute)) })
		synctest.Wait()
		_, err = svc.Authenticate(t.Context(), key)
		require.NoError(t, err)
		told.take()
		cancel()
		running.Wait()
		require.Equal(t, []string{"failed  - write last use: context deadline exceeded"}, told.take())
	})
}
