package authtokentest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
)

// Where there is no testing.TB, make a service with the clock.
func ExampleClock() {
	ctx := context.Background()
	clock := authtokentest.NewClock(time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC))
	svc, err := authtoken.New(memory.New(), authtoken.Config{Now: clock.Now})
	if err != nil {
		panic(err)
	}
	_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	if err != nil {
		panic(err)
	}
	clock.Advance(30 * time.Minute)
	_, err = svc.Authenticate(ctx, key.Reveal())
	fmt.Println(err)
	// Output: key refused: its token has expired
}
