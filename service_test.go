package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

// create makes a token for user 7, or whomever p names.
func create(t *testing.T, svc *authtoken.Service, p authtoken.CreateParams) (authtoken.Token, string) {
	t.Helper()
	if p.User == 0 {
		p.User = 7
	}
	token, key, err := svc.Create(t.Context(), p)
	require.NoError(t, err)
	return token, key.Reveal()
}

// requireFaults checks that err names exactly these fields and messages, in
// this order.
func requireFaults(t *testing.T, err error, want ...string) {
	t.Helper()
	var v *authtoken.ValidationError
	require.ErrorAs(t, err, &v)
	var got []string
	for _, f := range v.Fields {
		got = append(got, f.Field+": "+f.Message)
	}
	require.Equal(t, want, got)
}

func TestCreateDefaults(t *testing.T) {
	t.Parallel()
	svc, clock := authtokentest.NewService(t, authtoken.Config{})
	token, key := create(t, svc, authtoken.CreateParams{Identifier: "ci"})
	require.NotEqual(t, uuid.Nil, token.PK)
	require.Equal(t, authtoken.Token{
		PK: token.PK, Identifier: "ci", Intent: authtoken.IntentAPI, User: 7,
		Expires: clock.Now().Add(30 * time.Minute), Expiring: true, Created: clock.Now(), Version: 1,
	}, token)
	require.Regexp(t, `^tok_[0-9A-Za-z]{49}$`, key)

	got, err := svc.Get(t.Context(), "ci")
	require.NoError(t, err)
	require.Equal(t, token, got)
}

func TestCreateTrimsAndKeeps(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	expires := time.Date(2031, 2, 3, 4, 5, 6, 7891, time.FixedZone("", 3600))
	token, _ := create(t, svc, authtoken.CreateParams{
		Identifier: " ci\n", Intent: authtoken.IntentRecovery, Description: "\u00a0two  words\x1f", Managed: " m ",
		Expires: expires, Expiring: new(false),
	})
	require.Equal(t, "ci", token.Identifier)
	require.Equal(t, "two  words", token.Description)
	require.Equal(t, "m", token.Managed)
	require.Equal(t, time.Date(2031, 2, 3, 3, 5, 6, 7000, time.UTC), token.Expires)
	require.False(t, token.Expiring)
}

func TestCreateReportsAllFaultsInOrder(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	create(t, svc, authtoken.CreateParams{Identifier: "taken", Managed: "taken"})

	_, _, err := svc.Create(t.Context(), authtoken.CreateParams{
		Expires: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Description: "nul\x00", User: -1, Intent: "x",
		Identifier: strings.Repeat("ä", 256), Managed: " ",
		Invalid: []authtoken.FieldError{{Field: "expiring", Message: "no"}, {Field: "other", Message: "neither"}},
	})
	requireFaults(t, err,
		"managed: This field may not be blank.",
		"identifier: Ensure this field has no more than 255 characters.",
		`identifier: Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.`,
		`intent: "x" is not a valid choice.`,
		`user: Invalid pk "-1" - object does not exist.`,
		"description: Null characters are not allowed.",
		"expires: Datetime value out of range.",
		"expiring: no",
		"other: neither",
	)

	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "taken", Managed: "taken", User: 7})
	requireFaults(t, err,
		"managed: Token with this Managed by authentik already exists.",
		"identifier: Token with this identifier already exists.",
	)
	require.True(t, errors.As(err, new(*authtoken.ValidationError)))

	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "taken", Intent: "x"})
	requireFaults(t, err,
		"identifier: Token with this identifier already exists.",
		`intent: "x" is not a valid choice.`,
		"user: This field is required.",
	)

	count, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
	require.NoError(t, err)
	require.Equal(t, 1, count.Count, "nothing but the first token was stored")
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

	after, err = svc.Update(t.Context(), "new", authtoken.UpdateParams{Managed: new(""), User: new(int64(7))})
	require.NoError(t, err)
	require.Empty(t, after.Managed)

	check(t, svc, key) // updating leaves the key alone
}

func TestReplace(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	before, _ := create(t, svc, authtoken.CreateParams{
		Identifier: "one", Intent: authtoken.IntentAppPassword, Description: "keep"})

	_, err := svc.Replace(t.Context(), "one", authtoken.UpdateParams{Description: new("other")})
	requireFaults(t, err, "identifier: This field is required.")

	after, err := svc.Replace(t.Context(), "one", authtoken.UpdateParams{Identifier: new("one")})
	require.NoError(t, err)
	require.Equal(t, authtoken.IntentAPI, after.Intent)
	require.Equal(t, before.Description, after.Description)
	require.Equal(t, before.Expires, after.Expires)

	p := authtoken.UpdateParams{Identifier: new("one"), User: new(int64(8))}
	_, err = svc.Replace(t.Context(), "one", p)
	requireFaults(t, err, "user: User cannot be changed")
	_, err = svc.Replace(t.Context(), "one", p, authtoken.IfRevision(after.Revision()))
	requireFaults(t, err, "user: User cannot be changed")
	_, err = svc.Replace(t.Context(), "none", authtoken.UpdateParams{})
	require.ErrorIs(t, err, authtoken.ErrNotFound, "what is not there comes before what is wrong")
}

func TestUpdateFaultsDoNotPileUp(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	create(t, svc, authtoken.CreateParams{Identifier: "one"})
	invalid := make([]authtoken.FieldError, 1, 8)
	invalid[0] = authtoken.FieldError{Field: "expires", Message: "no"}
	p := authtoken.UpdateParams{Identifier: new(""), Invalid: invalid}
	for range 2 {
		_, err := svc.Update(t.Context(), "one", p)
		requireFaults(t, err, "identifier: This field may not be blank.", "expires: no")
	}
	require.Equal(t, "expires", invalid[0].Field, "the caller's slice is left alone")
}

func TestRenameOntoAnother(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	create(t, svc, authtoken.CreateParams{Identifier: "one"})
	create(t, svc, authtoken.CreateParams{Identifier: "two"})
	_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Identifier: new("two")})
	requireFaults(t, err, "identifier: Token with this identifier already exists.")
	_, err = svc.Update(t.Context(), "one", authtoken.UpdateParams{Identifier: new("one")})
	require.NoError(t, err, "a token does not stand in its own way")
}

func TestIfUnchanged(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	first, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	second, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Description: new("b")}, authtoken.IfRevision(first.Revision()))
	require.NoError(t, err)
	_, err = svc.Update(t.Context(), "one", authtoken.UpdateParams{Description: new("c")}, authtoken.IfRevision(first.Revision()))
	require.ErrorIs(t, err, authtoken.ErrStale)
	require.ErrorIs(t, svc.Delete(t.Context(), "one", authtoken.IfRevision(first.Revision())), authtoken.ErrStale)
	_, _, err = svc.Rotate(t.Context(), "one", 0, authtoken.IfRevision(first.Revision()))
	require.ErrorIs(t, err, authtoken.ErrStale)
	_, err = svc.Authenticate(t.Context(), key)
	require.NoError(t, err, "the key is not touched")
	third, _, err := svc.Rotate(t.Context(), "one", 0, authtoken.IfRevision(second.Revision()))
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), key)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	for _, empty := range []authtoken.Condition{authtoken.IfRevision(""), {}} {
		require.ErrorIs(t, svc.Delete(t.Context(), "one", empty), authtoken.ErrStale, "no token has an empty revision")
		_, _, err = svc.Rotate(t.Context(), "one", 0, empty)
		require.ErrorIs(t, err, authtoken.ErrStale)
		_, err = svc.Update(t.Context(), "one", authtoken.UpdateParams{}, empty)
		require.ErrorIs(t, err, authtoken.ErrStale)
		require.ErrorIs(t, svc.SetKey(t.Context(), "one", "a-key-of-more-than-thirty-two-bytes", empty), authtoken.ErrStale)
	}
	require.NoError(t, svc.Delete(t.Context(), "one", authtoken.IfRevision(third.Revision())))

	// A token made anew under the same name is another token.
	again, _ := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	require.Equal(t, first.Version, again.Version)
	require.ErrorIs(t, svc.Delete(t.Context(), "one", authtoken.IfRevision(first.Revision())), authtoken.ErrStale)
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
			_, _, errs[i] = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 7})
		})
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
			continue
		}
		requireFaults(t, err, "identifier: Token with this identifier already exists.")
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

func TestNewReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := authtoken.New(memory.New(), authtoken.Config{Policy: authtoken.Policy{DefaultLifetime: 2, MaxLifetime: 1}})
	require.ErrorContains(t, err, "is more than MaxLifetime")
	_, err = authtoken.New(nil, authtoken.Config{
		KeyPrefix: "no good", MinKeyLength: -1,
		Policy: authtoken.Policy{DefaultLifetime: -1, MaxLifetime: -1, MaxTextLength: -1, UserIntents: []authtoken.Intent{"x"}},
	})
	for _, want := range []string{
		"store is nil", "Config.KeyPrefix", "Config.MinKeyLength",
		"Config.Policy.DefaultLifetime", "Config.Policy.MaxLifetime", "Config.Policy.MaxTextLength", `"x" is not an intent`,
	} {
		require.ErrorContains(t, err, want)
	}
}

// failing is a store that fails.
type failing struct{ store.Store }

var errDisk = errors.New("disk on fire")

func (failing) Create(context.Context, store.Record, int) error { return errDisk }
func (failing) Get(context.Context, string) (store.Record, error) {
	return store.Record{}, errDisk
}
func (failing) GetByDigest(context.Context, store.Digest) (store.Record, error) {
	return store.Record{}, errDisk
}
func (failing) Count(context.Context, store.Query) (int, error) { return 0, errDisk }

func TestStoreErrorsComeThrough(t *testing.T) {
	t.Parallel()
	svc, err := authtoken.New(failing{memory.New()}, authtoken.Config{})
	require.NoError(t, err)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 1})
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

// directory is a Directory that fails for one user.
type directory struct{}

func (directory) User(_ context.Context, pk int64) (authtoken.User, error) {
	switch pk {
	case 1:
		return authtoken.User{PK: 1, Active: true}, nil
	case 2:
		return authtoken.User{}, errDisk
	}
	return authtoken.User{}, authtoken.ErrUserNotFound
}

func TestDirectoryErrors(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: directory{}})
	_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 2})
	require.ErrorIs(t, err, errDisk)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 3})
	requireFaults(t, err, `user: Invalid pk "3" - object does not exist.`)
}
