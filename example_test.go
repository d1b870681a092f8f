package authtoken_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"regexp"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
)

// must keeps the examples short. Applications look at their errors.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// newExample returns a service whose clock stands at noon.
func newExample(cfg authtoken.Config) (*authtoken.Service, *authtokentest.Clock) {
	clock := authtokentest.NewClock(time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC))
	cfg.Now = clock.Now
	return must(authtoken.New(memory.New(), cfg)), clock
}

func Example() {
	ctx := context.Background()
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	if err != nil {
		log.Fatal(err)
	}
	who, err := svc.Authenticate(ctx, key.Reveal())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key, "speaks for user", who.User.ID)
	// Output: [redacted] speaks for user 7
}

func ExampleService_Create() {
	svc, _ := newExample(authtoken.Config{})
	_, _, err := svc.Create(context.Background(), authtoken.CreateParams{Identifier: "no good", Intent: "other"})
	if v, ok := errors.AsType[*authtoken.ValidationError](err); ok {
		for _, f := range v.Fields {
			fmt.Println(f.Field, f.Code)
		}
	}
	// Output:
	// identifier invalid
	// user required
	// intent choice
}

func ExampleService_Update() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{})
	_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7", Description: "builds"})

	token := must(svc.Update(ctx, "ci", authtoken.UpdateParams{Identifier: new("deploy")}))
	fmt.Println(token.Identifier, token.Description, token.Version)

	// Change it only if nobody else has since it was read.
	_, err := svc.Update(ctx, "deploy", authtoken.UpdateParams{Description: new("x")}, authtoken.IfRevision("an old revision"))
	fmt.Println(errors.Is(err, authtoken.ErrStale))
	// Output:
	// deploy builds 2
	// true
}

func ExampleService_As() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{})
	token, _, _ := svc.As("alice@example.com").Create(ctx, authtoken.CreateParams{Identifier: "hers"})
	fmt.Println(token.User)
	_, err := svc.As("bob@example.com").Get(ctx, "hers")
	fmt.Println(err)
	// Output:
	// alice@example.com
	// get token: token not found
}

func ExampleService_Authenticate() {
	ctx := context.Background()
	svc, clock := newExample(authtoken.Config{})
	_, key, _ := svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})

	_, err := svc.Authenticate(ctx, key.Reveal(), authtoken.IntentAPI)
	fmt.Println(err)
	clock.Advance(30 * time.Minute)
	_, err = svc.Authenticate(ctx, key.Reveal(), authtoken.IntentAPI)
	fmt.Println(errors.Is(err, authtoken.ErrKeyExpired), errors.Is(err, authtoken.ErrRefused))
	// Output:
	// <nil>
	// true true
}

func ExampleService_Check() {
	ctx := context.Background()
	users := must(authtoken.NewUserList(authtoken.User{ID: "7", Username: "alice", Active: true}))
	svc, _ := newExample(authtoken.Config{Users: users})
	_, key, _ := svc.Create(ctx, authtoken.CreateParams{
		Identifier: "mail", User: "7", Intent: authtoken.IntentAppPassword})

	// An app password stands in for the password of its owner only.
	for _, username := range []string{"alice", "bob"} {
		_, err := svc.Check(ctx, authtoken.Credentials{Key: key, Username: &username, From: "192.0.2.1"},
			authtoken.IntentAppPassword)
		fmt.Println(username, err)
	}
	// Output:
	// alice <nil>
	// bob key refused: it is not that user's
}

func ExampleService_Rotate() {
	ctx := context.Background()
	svc, clock := newExample(authtoken.Config{})
	_, old, _ := svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7", Expiring: new(false)})

	token, fresh, _ := svc.Rotate(ctx, "ci", time.Hour)
	fmt.Println("the old key is good until", token.RetiredUntil.Format(time.TimeOnly))
	for range 2 {
		_, oldErr := svc.Authenticate(ctx, old.Reveal())
		_, freshErr := svc.Authenticate(ctx, fresh.Reveal())
		fmt.Println(clock.Now().Format(time.TimeOnly), "old:", oldErr, "new:", freshErr)
		clock.Advance(time.Hour)
	}
	// Output:
	// the old key is good until 13:00:00
	// 12:00:00 old: <nil> new: <nil>
	// 13:00:00 old: key refused: it has been replaced new: <nil>
}

func ExampleService_SetKey() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{})
	_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: "legacy", User: "7"})
	fmt.Println(svc.SetKey(ctx, "legacy", "short"))
	fmt.Println(svc.SetKey(ctx, "legacy", "0123456789abcdef0123456789abcdef"))
	// Output:
	// set key: invalid input: key is shorter than 32 bytes
	// <nil>
}

func ExampleService_Reveal() {
	ctx := context.Background()
	sealer := must(authtoken.NewAESSealer([]byte("32 random bytes, kept out of git")))
	svc, _ := newExample(authtoken.Config{Sealer: sealer})
	_, key, _ := svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	again, err := svc.Reveal(ctx, "ci")
	fmt.Println(again.Reveal() == key.Reveal(), err)
	// Output: true <nil>
}

// The sealing secret is exchanged: the service has both, until all keys are sealed
// with the new one.
func ExampleService_Reseal() {
	ctx := context.Background()
	old, fresh := []byte("32 random bytes, kept out of git"), []byte("another 32 bytes, as random too!")
	st := memory.New()
	before := must(authtoken.New(st, authtoken.Config{Sealer: must(authtoken.NewAESSealer(old))}))
	for _, name := range []string{"ci", "cd", "cli"} {
		_, _, _ = before.Create(ctx, authtoken.CreateParams{Identifier: name, User: "7"})
	}

	svc := must(authtoken.New(st, authtoken.Config{Sealer: must(authtoken.NewAESSealer(fresh, old))}))
	for cursor := ""; ; {
		part, err := svc.Reseal(ctx, cursor, 2)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(part.Done, "sealed anew,", len(part.Failed), "failed")
		if cursor = part.Cursor; cursor == "" {
			break
		}
	}

	after := must(authtoken.New(st, authtoken.Config{Sealer: must(authtoken.NewAESSealer(fresh))}))
	_, err := after.Reveal(ctx, "ci")
	fmt.Println("without the old secret:", err)
	// Output:
	// 2 sealed anew, 0 failed
	// 1 sealed anew, 0 failed
	// without the old secret: <nil>
}

func ExampleService_Sweep() {
	ctx := context.Background()
	svc, clock := newExample(authtoken.Config{Policy: authtoken.Policy{Retention: 24 * time.Hour}})
	_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	for range 3 {
		fmt.Println(svc.Sweep(ctx, 100))
		clock.Advance(24 * time.Hour)
	}
	// Output:
	// 0 <nil>
	// 0 <nil>
	// 1 <nil>
}

func ExampleService_RunJanitor() {
	ctx, cancel := context.WithCancel(context.Background())
	svc, _ := newExample(authtoken.Config{})
	done := make(chan error)
	go func() { done <- svc.RunJanitor(ctx, time.Minute) }()
	// … serve …
	cancel()
	fmt.Println(<-done)
	// Output: <nil>
}

func ExampleService_ExpiringBetween() {
	ctx := context.Background()
	svc, clock := newExample(authtoken.Config{})
	for i, name := range []string{"today", "tomorrow", "next-week"} {
		_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: name, User: "7",
			Expires: clock.Now().Add([]time.Duration{1, 24, 7 * 24}[i] * time.Hour)})
	}
	for token, err := range svc.ExpiringBetween(ctx, clock.Now(), clock.Now().Add(48*time.Hour)) {
		fmt.Println("user", token.User, "should renew", token.Identifier, err)
	}
	// Output:
	// user 7 should renew today <nil>
	// user 7 should renew tomorrow <nil>
}

func ExampleService_Revoke() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{})
	for _, name := range []string{"laptop", "phone"} {
		_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: name, User: "7"})
	}
	tokens, err := svc.Revoke(ctx, authtoken.Filter{User: "7"})
	fmt.Println(len(tokens), err)
	// Output: 2 <nil>
}

func ExampleService_FlushLastUsed() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{TrackLastUsed: true})
	_, key, _ := svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	_, _ = svc.Check(ctx, authtoken.Credentials{Key: key, From: "192.0.2.1"})
	_ = svc.FlushLastUsed(ctx) // RunJanitor does it
	token := must(svc.Get(ctx, "ci"))
	fmt.Println(token.LastUsed.Format(time.TimeOnly), token.LastUsedFrom)
	// Output: 12:00:00 192.0.2.1
}

func ExampleLogObserver() {
	ctx := context.Background()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // another one each time
			}
			return a
		},
	}))
	svc, _ := newExample(authtoken.Config{Observer: authtoken.LogObserver(logger)})
	_, _ = svc.Authenticate(ctx, "guessed")
	// Output: level=WARN msg="token refused" reason="key refused: no token has it"
}

func ExampleQueue() {
	queue := authtoken.NewQueue(1000)
	svc, _ := newExample(authtoken.Config{Observer: queue})
	ctx, cancel := context.WithCancel(context.Background())
	_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	cancel()
	// What is queued when the context ends is still passed on.
	queue.Run(ctx, authtoken.ObserverFunc(func(_ context.Context, e authtoken.Event) {
		fmt.Println(e.Kind, e.Token.Identifier)
	}))
	// Output: created ci
}

func ExamplePolicy() {
	ctx := context.Background()
	svc, clock := newExample(authtoken.Config{Policy: authtoken.Policy{
		MaxLifetime: 90 * 24 * time.Hour,
		MaxTokens:   1,
	}})
	alice := svc.As("1")
	_, _, err := alice.Create(ctx, authtoken.CreateParams{Identifier: "a", Expires: clock.Now().AddDate(1, 0, 0)})
	fmt.Println(err)
	_, _, _ = alice.Create(ctx, authtoken.CreateParams{Identifier: "b"})
	_, _, err = alice.Create(ctx, authtoken.CreateParams{Identifier: "c"})
	fmt.Println(err)
	// Output:
	// create token: invalid input: expires is after the latest time allowed: 2030-04-02T12:00:00Z
	// create token: invalid input: the owner has reached the limit of 1 tokens
}

func ExampleConfig_cache() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{CacheSize: 10_000, CacheTTL: 10 * time.Second})
	_, key, _ := svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	_, _ = svc.Authenticate(ctx, key.Reveal()) // from now on without asking the store
	_ = svc.Delete(ctx, "ci")
	_, err := svc.Authenticate(ctx, key.Reveal())
	fmt.Println(err)
	// Output: key refused: no token has it
}

func ExampleService_All() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{})
	for i := range 3 {
		_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: "7"})
	}
	for token, err := range svc.All(ctx, authtoken.Filter{Order: []authtoken.Order{{Field: "identifier", Desc: true}}}) {
		fmt.Println(token.Identifier, err)
	}
	// Output:
	// t2 <nil>
	// t1 <nil>
	// t0 <nil>
}

func ExampleService_List() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{})
	for i := range 3 {
		_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: "7"})
	}
	for cursor, more := "", true; more; more = cursor != "" {
		var tokens []authtoken.Token
		tokens, cursor, _ = svc.List(ctx, authtoken.Filter{}, cursor, 2)
		fmt.Println(len(tokens))
	}
	// Output:
	// 2
	// 1
}

func ExampleService_Page() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{})
	for i := range 3 {
		_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: "7"})
	}
	page := must(svc.Page(ctx, authtoken.Filter{Words: []string{"T"}}, 2, 2))
	fmt.Println(page.Tokens[0].Identifier, "on page", page.Number, "of", page.Pages)
	// Output: t2 on page 2 of 2
}

func ExampleKeyPattern() {
	svc, _ := newExample(authtoken.Config{KeyPrefix: "acme"})
	_, key, _ := svc.Create(context.Background(), authtoken.CreateParams{Identifier: "ci", User: "7"})
	leaked := "curl -H 'Authorization: Bearer " + key.Reveal() + "' https://example.com"
	fmt.Println(regexp.MustCompile(authtoken.KeyPattern("acme")).FindString(leaked) == key.Reveal())
	// Output: true
}

func ExampleIfRevision() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{})
	shown, _, _ := svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	must(svc.Update(ctx, "ci", authtoken.UpdateParams{Description: new("still needed")}))

	err := svc.Delete(ctx, "ci", authtoken.IfRevision(shown.Revision()))
	fmt.Println(errors.Is(err, authtoken.ErrStale))
	// Output: true
}

func ExampleNewUserList() {
	ctx := context.Background()
	users := must(authtoken.NewUserList(
		authtoken.User{ID: "1", Username: "root", Active: true, Superuser: true},
		authtoken.User{ID: "2", Username: "alice", Active: true},
	))
	svc, _ := newExample(authtoken.Config{Users: users})
	_, _, _ = svc.Create(ctx, authtoken.CreateParams{Identifier: "laptop", User: "2"})
	_, _, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "phone", User: "3"})
	fmt.Println(err)

	page := must(svc.As("1").Page(ctx, authtoken.Filter{Username: "alice"}, 1, 10))
	fmt.Println(page.Tokens[0].Identifier)
	// Output:
	// create token: invalid input: user "3" does not exist
	// laptop
}

func ExampleValidationError() {
	ctx := context.Background()
	svc, _ := newExample(authtoken.Config{})
	_, _, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "a name", Intent: "none", User: "7"})
	if invalid, ok := errors.AsType[*authtoken.ValidationError](err); ok {
		for _, f := range invalid.Fields {
			fmt.Println(f.Code, "-", f)
		}
	}
	// Output:
	// invalid - identifier is invalid
	// choice - intent "none" is not one of the choices
}
