package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

func TestCreateDefaults(t *testing.T) {
	t.Parallel()
	svc, clock := authtokentest.NewService(t, authtoken.Config{})
	token, key := create(t, svc, authtoken.CreateParams{Identifier: "ci"})
	require.NotEqual(t, uuid.Nil, token.PK)
	require.Equal(t, authtoken.Token{
		PK: token.PK, Identifier: "ci", Intent: authtoken.IntentAPI, User: "7",
		Expires: clock.Now().Add(30 * time.Minute), Expiring: true, Scopes: authtoken.ScopeAll, Created: clock.Now(), Version: 1,
	}, token)
	require.Regexp(t, `^tok_[0-9A-Za-z]{49}$`, key)

	got, err := svc.Get(t.Context(), "ci")
	require.NoError(t, err)
	require.Equal(t, token, got)
}

func TestMaxTokens(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{MaxTokens: 5})
	var made, full atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, _, err := svc.As(alice.ID).Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint("t", i)})
			var v *authtoken.ValidationError
			switch {
			case err == nil:
				made.Add(1)
			case errors.As(err, &v) && v.Has("", authtoken.CodeTooMany):
				full.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 5, made.Load())
	require.EqualValues(t, 15, full.Load())
	_, _, err := svc.As(root.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "more", User: alice.ID})
	requireFaults(t, err, "the owner has reached the limit of 5 tokens")
	_, _, err = svc.As(bob.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "other"})
	require.NoError(t, err, "another user")
	create(t, svc, authtoken.CreateParams{Identifier: "trusted", User: alice.ID})
}

func TestUpdateChangesOnlyWhatIsNamed(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	before, key := create(t, svc, authtoken.CreateParams{
		Identifier: "old", Intent: authtoken.IntentAppPassword, Description: "keep", Managed: "m"})

	after, err := svc.Update(t.Context(), "old", authtoken.UpdateParams{Identifier: new("new")})
	require.NoError(t, err)
	want := before
	want.Identifier, want.Version = "new", 2
	require.Equal(t, want, after)
	stored, err := svc.Get(t.Context(), "new")
	require.NoError(t, err)
	require.Equal(t, want, stored)
	_, err = svc.Get(t.Context(), "old")
	require.ErrorIs(t, err, authtoken.ErrNotFound)

	after, err = svc.Update(t.Context(), "new", authtoken.UpdateParams{Managed: new(""), User: new("7")})
	require.NoError(t, err)
	require.Empty(t, after.Managed)

	check(t, svc, key) // updating leaves the key alone
}

func TestRenameOntoAnother(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	create(t, svc, authtoken.CreateParams{Identifier: "one"})
	create(t, svc, authtoken.CreateParams{Identifier: "two"})
	_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Identifier: new("two")})
	requireFaults(t, err, "identifier is taken")
	_, err = svc.Update(t.Context(), "one", authtoken.UpdateParams{Identifier: new("one")})
	require.NoError(t, err, "a token does not stand in its own way")
}

// conditional are the calls that a condition may go with.
func conditional(ctx context.Context, as *authtoken.Access, conditions ...authtoken.Condition) map[string]func() error {
	return map[string]func() error{
		"Update": func() error { _, err := as.Update(ctx, "one", authtoken.UpdateParams{}, conditions...); return err },
		"Rotate": func() error { _, _, err := as.Rotate(ctx, "one", 0, conditions...); return err },
		"SetKey": func() error { return as.SetKey(ctx, "one", importedKey, conditions...) },
		"Delete": func() error { return as.Delete(ctx, "one", conditions...) },
	}
}

func TestIfRevision(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conditions func(before, now string) []authtoken.Condition
		err        error
	}{
		"no condition": {func(_, _ string) []authtoken.Condition { return nil }, nil},
		"unchanged":    {func(_, now string) []authtoken.Condition { return []authtoken.Condition{authtoken.IfRevision(now)} }, nil},
		"changed": {func(before, _ string) []authtoken.Condition {
			return []authtoken.Condition{authtoken.IfRevision(before)}
		}, authtoken.ErrStale},
		"one of several": {func(before, now string) []authtoken.Condition {
			return []authtoken.Condition{authtoken.IfRevision("x", before, now)}
		}, nil},
		"none of several": {func(before, _ string) []authtoken.Condition {
			return []authtoken.Condition{authtoken.IfRevision(before, "x")}
		}, authtoken.ErrStale},
		"both of two": {func(before, now string) []authtoken.Condition {
			return []authtoken.Condition{authtoken.IfRevision(now), authtoken.IfRevision(now, before)}
		}, nil},
		"one of two": {func(before, now string) []authtoken.Condition {
			return []authtoken.Condition{authtoken.IfRevision(now), authtoken.IfRevision(before)}
		}, authtoken.ErrStale},
		// Nothing fails open: no token has an empty revision.
		"empty": {func(_, _ string) []authtoken.Condition {
			return []authtoken.Condition{authtoken.IfRevision("")}
		}, authtoken.ErrStale},
		"no revision":        {func(_, _ string) []authtoken.Condition { return []authtoken.Condition{authtoken.IfRevision()} }, authtoken.ErrStale},
		"the zero condition": {func(_, _ string) []authtoken.Condition { return []authtoken.Condition{{}} }, authtoken.ErrStale},
	} {
		for _, call := range []string{"Update", "Rotate", "SetKey", "Delete"} {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				svc, _ := authtokentest.NewService(t, authtoken.Config{})
				first, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
				before, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Description: new("b")})
				require.NoError(t, err)
				conditions := c.conditions(first.Revision(), before.Revision())
				require.ErrorIs(t, conditional(t.Context(), &svc.Access, conditions...)[call](), c.err)
				if c.err != nil {
					after, err := svc.Get(t.Context(), "one")
					require.NoError(t, err)
					require.Equal(t, before, after)
					check(t, svc, key)
				}
			})
		}
	}
	t.Run("a token made anew under the same name", func(t *testing.T) {
		t.Parallel()
		svc, _ := authtokentest.NewService(t, authtoken.Config{})
		first, _ := create(t, svc, authtoken.CreateParams{Identifier: "one"})
		require.NoError(t, svc.Delete(t.Context(), "one", authtoken.IfRevision(first.Revision())))
		again, _ := create(t, svc, authtoken.CreateParams{Identifier: "one"})
		require.Equal(t, first.Version, again.Version)
		require.ErrorIs(t, svc.Delete(t.Context(), "one", authtoken.IfRevision(first.Revision())), authtoken.ErrStale)
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	require.NoError(t, svc.Delete(t.Context(), "one"))
	require.ErrorIs(t, svc.Delete(t.Context(), "one"), authtoken.ErrNotFound)
	_, err := svc.Authenticate(t.Context(), key)
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
}

// Sixteen writers change one token at once; every change that was acknowledged
// must be in the versions that follow.
func TestConcurrentUpdatesAreAllThere(t *testing.T) {
	t.Parallel()
	const writers, each = 16, 20
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	create(t, svc, authtoken.CreateParams{Identifier: "one"})

	var mu sync.Mutex
	history := map[int64]string{1: ""}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				description := fmt.Sprintf("%d.%d", w, i)
				token, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Description: &description})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if other, ok := history[token.Version]; ok {
					t.Errorf("version %d went to %q and %q", token.Version, other, description)
				}
				history[token.Version] = token.Description
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, history, 1+writers*each)
	last, err := svc.Get(t.Context(), "one")
	require.NoError(t, err)
	require.EqualValues(t, 1+writers*each, last.Version)
	require.Equal(t, history[last.Version], last.Description)
}

func TestConcurrentCreatesOfOneIdentifier(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	errs := make([]error, 64)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			_, _, errs[i] = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "7"})
		})
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
			continue
		}
		requireFaults(t, err, "identifier is taken")
	}
	require.Equal(t, 1, made)
}

// stale is a store on which somebody else is always quicker.
type stale struct {
	store.Store
	updates int
}

func (s *stale) Update(context.Context, store.Record) error {
	s.updates++
	return fmt.Errorf("wrapped: %w", store.ErrStale)
}

func TestUpdateStopsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := &stale{Store: memory.New()}
		svc, err := authtoken.New(st, authtoken.Config{})
		require.NoError(t, err)
		create(t, svc, authtoken.CreateParams{Identifier: "one"})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err = svc.Update(ctx, "one", authtoken.UpdateParams{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Greater(t, st.updates, 1, "it tried again")
	})
}

func TestStoreErrorsComeThrough(t *testing.T) {
	t.Parallel()
	svc, err := authtoken.New(failing{memory.New()}, authtoken.Config{})
	require.NoError(t, err)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "1"})
	require.ErrorIs(t, err, errDisk)
	_, err = svc.Update(t.Context(), "one", authtoken.UpdateParams{})
	require.ErrorIs(t, err, errDisk)
	require.ErrorIs(t, svc.Delete(t.Context(), "one"), errDisk)
	_, err = svc.Authenticate(t.Context(), strings.Repeat("k", 32))
	require.ErrorIs(t, err, errDisk)
	require.NotErrorIs(t, err, authtoken.ErrRefused)
	_, err = svc.Page(t.Context(), authtoken.Filter{}, 1, 1)
	require.ErrorIs(t, err, errDisk)
}

// Now is the time that the service writes.
func TestNow(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{})
	clock.Set(time.Date(2030, time.May, 1, 14, 30, 0, 123456789, time.FixedZone("CEST", 2*60*60)))
	require.Equal(t, time.Date(2030, time.May, 1, 12, 30, 0, 123456000, time.UTC), svc.Now())
	token, _ := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
	require.Equal(t, svc.Now(), token.Created)
}
