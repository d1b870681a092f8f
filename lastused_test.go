package authtoken_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
)

func TestLastUsed(t *testing.T) {
	t.Parallel()
	st := &touched{Store: memory.New()}
	clock := authtokentest.NewClock(time.Now())
	svc, err := authtoken.New(st, authtoken.Config{TrackLastUsed: true, Now: clock.Now})
	require.NoError(t, err)
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", Expiring: new(false)})
	_, other := create(t, svc, authtoken.CreateParams{Identifier: "two", Expiring: new(false)})
	_, _ = create(t, svc, authtoken.CreateParams{Identifier: "three"})
	use := func(key string) {
		_, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.1"})
		require.NoError(t, err)
	}
	first := clock.Now().UTC().Truncate(time.Microsecond)
	use(key)
	use(key)
	use(other)
	require.Zero(t, st.batches, "checking a key does not write")
	require.NoError(t, svc.FlushLastUsed(t.Context()))
	require.Equal(t, 1, st.batches)
	require.Equal(t, 2, st.uses)
	token, err := svc.Get(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, first, token.LastUsed)
	require.Equal(t, "192.0.2.1", token.LastUsedFrom)
	require.EqualValues(t, 1, token.Version)

	clock.Advance(time.Minute - time.Microsecond)
	use(key)
	require.NoError(t, svc.FlushLastUsed(t.Context()))
	require.Equal(t, 2, st.uses, "once a minute is enough")
	clock.Advance(time.Microsecond)
	use(key)
	st.fail(errDisk)
	require.ErrorIs(t, svc.FlushLastUsed(t.Context()), errDisk)
	st.fail(nil)
	require.NoError(t, svc.FlushLastUsed(t.Context()), "what could not be written is kept")
	require.Equal(t, 3, st.uses)

	page, err := svc.Page(t.Context(), authtoken.Filter{Order: orders("-last_used")}, 1, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"three", "one", "two"}, identifiers(page.Tokens), "never used comes first, going down")

	_, err = svc.Authenticate(t.Context(), "garbage")
	require.Error(t, err)
	require.NoError(t, svc.FlushLastUsed(t.Context()))
	require.Equal(t, 3, st.uses)
}
