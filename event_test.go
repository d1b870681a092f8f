package authtoken_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	svc, clock, told := newObserved(t, authtoken.Config{Sealer: newSealer(t)})
	as := svc.As(alice.ID)
	step := func(want string, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, []string{want}, told.take())
	}
	_, key, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "one"})
	step("created one 2", err)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "two", User: dave.ID})
	step("created two -", err)
	_, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Identifier: new("uno")})
	step("updated uno 2", err)
	_, err = as.Reveal(t.Context(), "uno")
	step("revealed uno 2", err)
	_, _, err = as.Rotate(t.Context(), "uno", 0)
	step("rotated uno 2", err)
	step("key_set uno 1", svc.As(root.ID).SetKey(t.Context(), "uno", importedKey))

	refused := func(want, key string, intents ...authtoken.Intent) {
		t.Helper()
		_, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.7"}, intents...)
		require.ErrorIs(t, err, authtoken.ErrRefused)
		require.Equal(t, "192.0.2.7", told.events[0].From)
		require.Equal(t, []string{want + " - " + err.Error()}, told.take())
	}
	refused("refused ", "garbage")
	refused("refused uno", key.Reveal())
	refused("refused uno", importedKey, authtoken.IntentRecovery)
	two, err := svc.Reveal(t.Context(), "two")
	step("revealed two -", err)
	refused("refused two", two.Reveal()) // dave is not active
	clock.Advance(time.Hour)
	refused("refused uno", importedKey)
	_, err = svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(importedKey), Username: new("bob")})
	require.Error(t, err)
	told.take()

	step("revoked uno 2", as.Delete(t.Context(), "uno"))
	clock.Advance(30 * 24 * time.Hour)
	_, err = svc.Sweep(t.Context(), 10)
	step("expired two -", err)

	// What fails has not happened.
	_, err = as.Update(t.Context(), "two", authtoken.UpdateParams{})
	require.Error(t, err)
	_, _, err = as.Create(t.Context(), authtoken.CreateParams{Identifier: "a b"})
	require.Error(t, err)
	require.Empty(t, told.take())
}

// A panic in an observer is nobody's loss, and is not lost either. It is logged to
// the default logger, so that this test can't run beside others.
func TestObserversHarmNobody(t *testing.T) { //nolint:paralleltest // changes the default logger
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	logged := func(event string) {
		t.Helper()
		require.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), "once for each event")
		require.Contains(t, log.String(), "event="+event)
		require.Contains(t, log.String(), "TestObserversHarmNobody", "where it came from")
		require.NotContains(t, log.String(), "a secret")
		log.Reset()
	}

	angry := authtoken.ObserverFunc(func(context.Context, authtoken.Event) { panic("a secret") })
	svc, _ := authtokentest.NewService(t, authtoken.Config{Observer: angry})
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	logged("created")
	_, err := svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	require.Empty(t, log.String())
	_, err = svc.Authenticate(t.Context(), "garbage")
	require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	logged("refused")

	queue := authtoken.NewQueue(1)
	queue.Observe(t.Context(), authtoken.Event{Kind: authtoken.EventFailed})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	queue.Run(ended, angry)
	logged("failed")
}

// An event names the token whose key did it.
func TestEventsTellByWhichToken(t *testing.T) {
	t.Parallel()
	svc, _, told := newObserved(t, authtoken.Config{})
	acting, key := create(t, svc, authtoken.CreateParams{Identifier: "acting", User: alice.ID})
	as := svc.For(check(t, svc, key))
	_, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "one"})
	require.NoError(t, err)
	_, _, err = as.Rotate(t.Context(), "one", 0)
	require.NoError(t, err)
	_, err = as.Update(t.Context(), "one", authtoken.UpdateParams{})
	require.NoError(t, err)
	require.NoError(t, as.Delete(t.Context(), "one"))
	require.Len(t, told.events, 5)
	require.Zero(t, told.events[0].Via, "trusted code")
	for _, e := range told.events[1:] {
		require.Equal(t, acting.PK, e.Via, e.Kind)
		require.Equal(t, alice.ID, e.Actor, e.Kind)
	}
	var log bytes.Buffer
	authtoken.LogObserver(slog.New(slog.NewTextHandler(&log, nil))).Observe(t.Context(), told.events[1])
	require.Contains(t, log.String(), "via="+acting.PK.String())

	told.take()
	require.NoError(t, svc.As(alice.ID).Delete(t.Context(), "acting"))
	require.Zero(t, told.events[0].Via, "a person")
}

func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := authtoken.NewQueue(2)
		svc, err := authtoken.New(memory.New(), authtoken.Config{Observer: queue})
		require.NoError(t, err)
		var told recorder
		slow := authtoken.ObserverFunc(func(ctx context.Context, e authtoken.Event) {
			time.Sleep(time.Hour)
			told.Observe(ctx, e)
			panic("after all")
		})
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, id := range []string{"a", "b", "c"} {
			create(t, svc, authtoken.CreateParams{Identifier: id})
		}
		require.EqualValues(t, 1, queue.Dropped(), "there is room for two")
		require.Zero(t, time.Since(start), "nobody waits")
		running.Go(func() { queue.Run(ctx, slow) })
		synctest.Wait()
		create(t, svc, authtoken.CreateParams{Identifier: "d"})
		cancel()
		running.Wait()
		require.Equal(t, []string{"created a -", "created b -", "created d -"}, told.take(), "what is queued is passed on")
	})
}

func TestLogObserver(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "pk" {
				return slog.Attr{}
			}
			return a
		},
	}))
	svc, _ := authtokentest.NewService(t, authtoken.Config{
		Users: userList(t, root, alice), Observer: authtoken.LogObserver(logger)})
	_, _, err := svc.As(alice.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "one"})
	require.NoError(t, err)
	_, err = svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf("garbage"), From: "192.0.2.7"})
	require.Error(t, err)
	require.Equal(t, `level=INFO msg="token created" token=one intent=api user=2 actor=2
level=WARN msg="token refused" from=192.0.2.7 reason="key refused: no token has it"
`, log.String())
}
