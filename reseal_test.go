package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// sealedBy returns a service over st with this sealer.
func sealedBy(t *testing.T, st store.Store, sealer authtoken.Sealer) *authtoken.Service {
	t.Helper()
	svc, err := authtoken.New(st, authtoken.Config{Sealer: sealer, CacheSize: 100})
	require.NoError(t, err)
	return svc
}

// resealAll calls Reseal until it is through, and adds up what it says.
func resealAll(t *testing.T, svc *authtoken.Service, limit int) (all authtoken.Resealed, calls int) {
	t.Helper()
	for {
		part, err := svc.Reseal(t.Context(), all.Cursor, limit)
		require.NoError(t, err)
		all.Done += part.Done
		all.Current += part.Current
		all.Failed = append(all.Failed, part.Failed...)
		all.Cursor = part.Cursor
		if calls++; all.Cursor == "" {
			return all, calls
		}
	}
}

// The operator's way: both secrets, Reseal to its end, the new secret alone.
func TestResealChangesTheSecret(t *testing.T) {
	t.Parallel()
	st := memory.New()
	before := sealedBy(t, st, sealerOf(t, sealingSecret(1)))
	keys := make(map[string]string)
	tokens := make(map[string]authtoken.Token)
	for i := range 25 {
		token, key := create(t, before, authtoken.CreateParams{Identifier: fmt.Sprintf("t%02d", i)})
		keys[token.Identifier], tokens[token.Identifier] = key, token
	}
	create(t, sealedBy(t, st, nil), authtoken.CreateParams{Identifier: "digest"})

	svc := sealedBy(t, st, sealerOf(t, sealingSecret(2), sealingSecret(1)))
	_, keys["new"] = create(t, svc, authtoken.CreateParams{Identifier: "new"})
	_, err := svc.Authenticate(t.Context(), keys["t00"])
	require.NoError(t, err, "and it is in the cache now")
	all, calls := resealAll(t, svc, 10)
	require.Equal(t, authtoken.Resealed{Done: 25, Current: 1}, all)
	require.Equal(t, 3, calls)
	again, _ := resealAll(t, svc, 1000)
	require.Equal(t, authtoken.Resealed{Current: 26}, again, "there is nothing left for another run")

	after := sealedBy(t, st, sealerOf(t, sealingSecret(2)))
	for identifier, key := range keys {
		revealed, err := after.Reveal(t.Context(), identifier)
		require.NoError(t, err)
		require.Equal(t, key, revealed.Reveal())
		who, err := svc.Authenticate(t.Context(), key)
		require.NoError(t, err)
		if want, ok := tokens[identifier]; ok {
			want.Version++
			require.Equal(t, want, who.Token, "nothing changes but the version")
		}
	}
	_, err = before.Reveal(t.Context(), "t00")
	require.ErrorIs(t, err, authtoken.ErrNoSealer)
}

func TestResealPassesOverWhatItCannotOpen(t *testing.T) {
	t.Parallel()
	st := memory.New()
	for i, secret := range []byte{1, 9, 1} {
		create(t, sealedBy(t, st, sealerOf(t, sealingSecret(secret))), authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
	}
	svc := sealedBy(t, st, sealerOf(t, sealingSecret(2), sealingSecret(1)))
	lost, err := svc.Get(t.Context(), "t1")
	require.NoError(t, err)
	all, _ := resealAll(t, svc, 1)
	require.Equal(t, authtoken.Resealed{Done: 2, Failed: []authtoken.Token{lost}}, all)
	_, err = svc.Reveal(t.Context(), "t1")
	require.ErrorIs(t, err, authtoken.ErrNoSealer)

	// Whoever finds the secret can go on from there.
	svc = sealedBy(t, st, sealerOf(t, sealingSecret(2), sealingSecret(9)))
	all, _ = resealAll(t, svc, 1000)
	require.Equal(t, authtoken.Resealed{Done: 1, Current: 2}, all)
}

// plainSealer has no more methods than Sealer, like an AEAD of Tink.
type plainSealer struct{ authtoken.Sealer }

func TestResealWithoutCurrent(t *testing.T) {
	t.Parallel()
	st := memory.New()
	create(t, sealedBy(t, st, sealerOf(t, sealingSecret(1))), authtoken.CreateParams{Identifier: "one"})
	svc := sealedBy(t, st, plainSealer{sealerOf(t, sealingSecret(2), sealingSecret(1))})
	for range 2 {
		all, _ := resealAll(t, svc, 10)
		require.Equal(t, authtoken.Resealed{Done: 1}, all)
	}
}

func TestResealRefuses(t *testing.T) {
	t.Parallel()
	sealer := sealerOf(t, sealingSecret(1))
	for name, c := range map[string]struct {
		sealer authtoken.Sealer
		cursor string
		limit  int
		err    string // empty for none
	}{
		"no limit":       {sealer, "", 0, "reseal keys: limit is 0, not positive"},
		"negative limit": {sealer, "", -1, "reseal keys: limit is -1, not positive"},
		"wrong cursor":   {sealer, "nonsense", 1, "reseal keys: invalid input: cursor is invalid"},
		"no sealer":      {nil, "", 1, "reseal keys: " + authtoken.ErrNoSealer.Error()},
		"nothing to do":  {sealer, "", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done, err := sealedBy(t, memory.New(), c.sealer).Reseal(t.Context(), c.cursor, c.limit)
			if c.err == "" {
				require.NoError(t, err)
				require.Zero(t, done)
			} else {
				require.EqualError(t, err, c.err)
			}
		})
	}
}

// meddler is a store in which something happens before each update.
type meddler struct {
	store.Store
	before func(store.Record) error
}

func (m *meddler) Update(ctx context.Context, r store.Record) error {
	if err := m.before(r); err != nil {
		return err
	}
	return m.Store.Update(ctx, r)
}

// After an error, the run goes on where it was.
func TestResealGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	st := memory.New()
	before := sealedBy(t, st, sealerOf(t, sealingSecret(1)))
	for i := range 10 {
		create(t, before, authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
	}
	boom := errors.New("boom")
	writes := 0
	m := &meddler{st, func(store.Record) error {
		if writes++; writes%4 == 0 {
			return boom
		}
		return nil
	}}
	svc := sealedBy(t, m, sealerOf(t, sealingSecret(2), sealingSecret(1)))
	var done []int
	cursor := ""
	for {
		part, err := svc.Reseal(t.Context(), cursor, 100)
		done = append(done, part.Done)
		if cursor = part.Cursor; err == nil {
			break
		}
		require.ErrorIs(t, err, boom)
		require.NotEmpty(t, cursor)
	}
	require.Equal(t, []int{3, 3, 3, 1}, done)
	require.Empty(t, cursor)
}

// What others do to a token in between is kept, and its key is sealed anew all the
// same.
func TestResealReadsAgainWhatHasChanged(t *testing.T) {
	t.Parallel()
	st := memory.New()
	before := sealedBy(t, st, sealerOf(t, sealingSecret(1)))
	meddling := map[string]func(identifier string) error{
		"rename": func(identifier string) error {
			_, err := before.Update(context.Background(), identifier, authtoken.UpdateParams{Identifier: new("renamed")})
			return err
		},
		"rotate": func(identifier string) error {
			_, _, err := before.Rotate(context.Background(), identifier, 0)
			return err
		},
		"delete": func(identifier string) error { return before.Delete(context.Background(), identifier) },
		"seal": func(identifier string) error {
			both := sealedBy(t, st, sealerOf(t, sealingSecret(2), sealingSecret(1)))
			_, _, err := both.Rotate(context.Background(), identifier, 0)
			return err
		},
	}
	create(t, before, authtoken.CreateParams{Identifier: "first"})
	for identifier := range meddling {
		create(t, before, authtoken.CreateParams{Identifier: identifier})
	}
	create(t, before, authtoken.CreateParams{Identifier: "last"})
	m := &meddler{st, func(r store.Record) error {
		do, ok := meddling[r.Identifier]
		if !ok {
			return nil
		}
		delete(meddling, r.Identifier)
		return do(r.Identifier)
	}}
	all, _ := resealAll(t, sealedBy(t, m, sealerOf(t, sealingSecret(2), sealingSecret(1))), 100)
	require.Equal(t, authtoken.Resealed{Done: 4, Current: 1}, all)
	after := sealedBy(t, st, sealerOf(t, sealingSecret(2)))
	for _, identifier := range []string{"first", "renamed", "rotate", "seal", "last"} {
		key, err := after.Reveal(t.Context(), identifier)
		require.NoError(t, err, identifier)
		_, err = after.Authenticate(t.Context(), key.Reveal())
		require.NoError(t, err, identifier)
	}
}

// Several processes may run it, while others rotate keys.
func TestResealAtOnce(t *testing.T) {
	t.Parallel()
	st := memory.New()
	before := sealedBy(t, st, sealerOf(t, sealingSecret(1)))
	const tokens = 50
	for i := range tokens {
		create(t, before, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), Expiring: new(false)})
	}
	svc := sealedBy(t, st, sealerOf(t, sealingSecret(2), sealingSecret(1)))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			cursor := ""
			for {
				part, err := svc.Reseal(context.Background(), cursor, 7)
				if err != nil {
					t.Error(err)
				}
				if cursor = part.Cursor; cursor == "" {
					return
				}
			}
		})
		wg.Go(func() {
			for i := range tokens {
				if _, _, err := svc.Rotate(context.Background(), fmt.Sprint("t", i), time.Hour); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all, _ := resealAll(t, svc, 1000)
	require.Equal(t, authtoken.Resealed{Current: tokens}, all)
}
