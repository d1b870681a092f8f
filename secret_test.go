package authtoken_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
)

func TestSetKey(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	_, own := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	key := strings.Repeat("ü", 16)
	require.NoError(t, svc.SetKey(t.Context(), "one", key))
	require.Equal(t, "one", check(t, svc, key).Token.Identifier)
	_, err := svc.Authenticate(t.Context(), own)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	require.NoError(t, svc.SetKey(t.Context(), "one", key), "setting it again is no conflict")
	require.ErrorIs(t, svc.SetKey(t.Context(), "none", key), authtoken.ErrNotFound)
}

func TestSetKeyFaults(t *testing.T) {
	t.Parallel()
	longEnough := strings.Repeat("k", 32)
	for name, c := range map[string]struct {
		key  func(own, others string) string
		want string
	}{
		"empty":     {func(string, string) string { return "" }, "key must not be blank"},
		"too short": {func(string, string) string { return strings.Repeat("k", 31) }, "key is shorter than 32 bytes"},
		"too long":  {func(string, string) string { return strings.Repeat("k", 1025) }, "key is longer than 1024 bytes"},
		"a space":   {func(string, string) string { return longEnough + " k" }, "key is invalid"},
		"a control": {func(string, string) string { return longEnough + "\x7f" }, "key is invalid"},
		"not UTF-8": {func(string, string) string { return longEnough + "\xff" }, "key is invalid"},
		"a slip": {func(own, _ string) string {
			return own[:52] + string(base62[(strings.IndexByte(base62, own[52])+1)%62])
		}, "key has a wrong checksum"},
		"another's":         {func(_, others string) string { return others }, "key is taken"},
		"another's earlier": {func(string, string) string { return importedKey }, "key is taken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := authtokentest.NewService(t, authtoken.Config{})
			_, own := create(t, svc, authtoken.CreateParams{Identifier: "one"})
			create(t, svc, authtoken.CreateParams{Identifier: "two"})
			require.NoError(t, svc.SetKey(t.Context(), "two", importedKey))
			_, others, err := svc.Rotate(t.Context(), "two", 0)
			require.NoError(t, err)

			requireFaults(t, svc.SetKey(t.Context(), "one", c.key(own, others.Reveal())), c.want)
			require.Equal(t, "one", check(t, svc, own).Token.Identifier)
			require.Equal(t, "two", check(t, svc, others.Reveal()).Token.Identifier)
		})
	}
}

func TestSetKeyIsForSuperusers(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	create(t, svc, authtoken.CreateParams{Identifier: "a", User: alice.ID})
	require.ErrorIs(t, svc.As(alice.ID).SetKey(t.Context(), "a", "short"), authtoken.ErrForbidden)
	require.ErrorIs(t, svc.As(bob.ID).SetKey(t.Context(), "a", "short"), authtoken.ErrNotFound)
	require.NoError(t, svc.As(root.ID).SetKey(t.Context(), "a", importedKey))
}

func TestMinKeyLength(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{MinKeyLength: 8})
	create(t, svc, authtoken.CreateParams{Identifier: "one"})
	require.NoError(t, svc.SetKey(t.Context(), "one", "12345678"))
	_, err := svc.Authenticate(t.Context(), "12345678")
	require.NoError(t, err)
}

func TestReveal(t *testing.T) {
	t.Parallel()
	st := memory.New()
	sealing, err := authtoken.New(st, authtoken.Config{Sealer: newSealer(t)})
	require.NoError(t, err)
	plain, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	require.True(t, sealing.Reveals())
	require.False(t, plain.Reveals())
	_, key := create(t, sealing, authtoken.CreateParams{Identifier: "sealed"})
	create(t, plain, authtoken.CreateParams{Identifier: "digest"})

	for name, c := range map[string]struct {
		svc        *authtoken.Service
		identifier string
		err        error
	}{
		"sealed":              {sealing, "sealed", nil},
		"digest only":         {sealing, "digest", authtoken.ErrNoSealer},
		"sealed, no sealer":   {plain, "sealed", authtoken.ErrNoSealer},
		"no such token":       {sealing, "none", authtoken.ErrNotFound},
		"digest only, plain":  {plain, "digest", authtoken.ErrNoSealer},
		"no token, no sealer": {plain, "none", authtoken.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.svc.Reveal(t.Context(), c.identifier)
			require.ErrorIs(t, err, c.err)
			if c.err == nil {
				require.Equal(t, key, got.Reveal())
			} else {
				require.Empty(t, got.Reveal())
			}
		})
	}
}

// A key that the sealer can't open is an error, and never something else.
func TestRevealOfWhatWasNotSealed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(one, two []byte) []byte{
		"a byte":            func(_, _ []byte) []byte { return []byte{1} },
		"within the nonce":  func(one, _ []byte) []byte { return one[:11] },
		"without the text":  func(one, _ []byte) []byte { return one[:28] },
		"another token's":   func(_, two []byte) []byte { return two },
		"one byte too many": func(one, _ []byte) []byte { return append([]byte{0}, one...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := memory.New()
			svc, err := authtoken.New(st, authtoken.Config{Sealer: newSealer(t)})
			require.NoError(t, err)
			create(t, svc, authtoken.CreateParams{Identifier: "one"})
			create(t, svc, authtoken.CreateParams{Identifier: "two"})
			one, err := st.Get(t.Context(), "one")
			require.NoError(t, err)
			two, err := st.Get(t.Context(), "two")
			require.NoError(t, err)
			one.Sealed = spoil(one.Sealed, two.Sealed)
			require.NoError(t, st.Update(t.Context(), one))
			_, err = svc.Reveal(t.Context(), "one")
			require.ErrorIs(t, err, authtoken.ErrNoSealer)
		})
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{})
	before, first := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Expires: clock.Now().Add(24 * time.Hour)})

	after, key, err := svc.As(alice.ID).Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	second := key.Reveal()
	want := before
	want.Version, want.RetiredUntil = 2, clock.Now().Add(time.Hour)
	require.Equal(t, want, after, "nothing else changes")

	good := func(key string) error { _, err := svc.Authenticate(t.Context(), key); return err }
	require.NoError(t, good(first))
	require.NoError(t, good(second))
	clock.Advance(time.Hour - time.Microsecond)
	require.NoError(t, good(first))
	clock.Advance(time.Microsecond)
	require.ErrorIs(t, good(first), authtoken.ErrKeyRetired)
	require.NoError(t, good(second))

	// Rotating again ends the overlap before.
	_, third, err := svc.Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	_, fourth, err := svc.Rotate(t.Context(), "one", 0)
	require.NoError(t, err)
	require.ErrorIs(t, good(first), authtoken.ErrKeyRetired)
	require.ErrorIs(t, good(second), authtoken.ErrKeyRetired)
	require.ErrorIs(t, good(third.Reveal()), authtoken.ErrKeyRetired, "no overlap at all")
	require.NoError(t, good(fourth.Reveal()))

	// Setting a key leaves that one only.
	_, fifth, err := svc.Rotate(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	require.NoError(t, svc.SetKey(t.Context(), "one", importedKey))
	require.ErrorIs(t, good(fourth.Reveal()), authtoken.ErrKeyRetired)
	require.ErrorIs(t, good(fifth.Reveal()), authtoken.ErrKeyRetired)

	_, _, err = svc.Rotate(t.Context(), "one", -1)
	requireFaults(t, err, "overlap is invalid")
	_, _, err = svc.As(bob.ID).Rotate(t.Context(), "one", -1)
	require.ErrorIs(t, err, authtoken.ErrNotFound)
	clock.Advance(48 * time.Hour)
	require.ErrorIs(t, good(importedKey), authtoken.ErrKeyExpired, "rotating gives no longer life")
}

func TestRotateUnderFixedLifetime(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Authentik())
	as := svc.As(alice.ID)
	api, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "api"})
	require.NoError(t, err)
	app, _, err := as.Create(t.Context(), authtoken.CreateParams{
		Identifier: "app", Intent: authtoken.IntentAppPassword, Expires: clock.Now().Add(20 * time.Minute)})
	require.NoError(t, err)
	clock.Advance(10 * time.Minute)

	rotated, _, err := as.Rotate(t.Context(), "app", 0)
	require.NoError(t, err)
	require.Equal(t, app.Expires, rotated.Expires, "no other intent is renewed")
	rotated, _, err = svc.Rotate(t.Context(), "api", 0)
	require.NoError(t, err)
	require.Equal(t, api.Expires, rotated.Expires, "trusted code renews nothing that it does not name")
	rotated, key, err := as.Rotate(t.Context(), "api", 0)
	require.NoError(t, err)
	require.Equal(t, clock.Now().Add(30*time.Minute), rotated.Expires)

	clock.Advance(29 * time.Minute)
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.NoError(t, err)
}

// While one token is rotated from 16 goroutines, at least one key and at most two are
// good at every moment.
func TestConcurrentRotation(t *testing.T) {
	t.Parallel()
	const writers, each = 16, 10
	svc, _ := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Expiring: new(false)})

	var mu sync.Mutex
	keys := map[int64]string{1: key} // by version
	done := make(chan struct{})
	var rotating, reading sync.WaitGroup
	for range writers {
		rotating.Go(func() {
			for range each {
				token, key, err := svc.Rotate(t.Context(), "one", time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				keys[token.Version] = key.Reveal()
				mu.Unlock()
			}
		})
	}
	for range 4 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				// A key stays good for one rotation. If it was refused, there must
				// have been two since.
				before, err := svc.Get(t.Context(), "one")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				key, ok := keys[before.Version]
				mu.Unlock()
				if !ok {
					continue // the one who rotated has not told yet
				}
				_, refused := svc.Authenticate(t.Context(), key)
				after, err := svc.Get(t.Context(), "one")
				if err != nil {
					t.Error(err)
				}
				if refused != nil && after.Version < before.Version+2 {
					t.Errorf("the key of version %d was refused by version %d", before.Version, after.Version)
				}
			}
		})
	}
	rotating.Wait()
	close(done)
	reading.Wait()

	require.Len(t, keys, 1+writers*each)
	good := 0
	for version, key := range keys {
		if _, err := svc.Authenticate(t.Context(), key); err == nil {
			good++
			require.GreaterOrEqual(t, version, int64(writers*each), "the last two")
		}
	}
	require.Equal(t, 2, good)
}
