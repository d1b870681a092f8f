package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// ending returns a context that ends at some moment: before anything is done, when
// it is looked at for the nth time, or at any time.
func ending() (context.Context, context.CancelFunc) {
	switch ctx, cancel := context.WithCancel(context.Background()); rand.IntN(4) {
	case 0:
		if rand.IntN(4) == 0 {
			cancel()
		} else {
			go cancel()
		}
		return ctx, cancel
	case 1:
		cancel()
		return context.WithTimeout(context.Background(), rand.N(2*time.Millisecond))
	default:
		f := &fuse{Context: ctx, blow: cancel}
		f.left.Store(rand.Int64N(10))
		return f, cancel
	}
}

// fuse is a context that whoever looks at it for the nth time finds cancelled.
type fuse struct {
	context.Context
	blow context.CancelFunc
	left atomic.Int64
}

func (f *fuse) Done() <-chan struct{} {
	_ = f.Err()
	return f.Context.Done()
}

func (f *fuse) Err() error {
	if f.left.Add(-1) < 0 {
		f.blow()
	}
	return f.Context.Err()
}

// TestCancelledCalls cancels calls of all methods at any moment, while others
// keep the store busy. A call that returned an error has changed nothing; one
// that didn't has done what it says; and nothing is left behind.
//
// Not parallel, as it counts goroutines.
func TestCancelledCalls(t *testing.T) {
	for name, newStore := range stores {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			st, closeStore := newStore(t)
			sealer, err := authtoken.NewAESSealer(bytes.Repeat([]byte{1}, 32))
			require.NoError(t, err)
			svc, err := authtoken.New(st, authtoken.Config{Sealer: sealer, CacheSize: 50, CacheTTL: time.Hour, TrackLastUsed: true})
			require.NoError(t, err)

			stop := make(chan struct{})
			var busy sync.WaitGroup
			for n := range 3 {
				busy.Go(func() { keepBusy(t, svc, strconv.Itoa(1000+n), stop) })
			}
			var done, cancelled atomic.Int64
			Together(8, func(i int) {
				o := &owner{t: t, svc: svc, user: strconv.Itoa(1 + i), tokens: make(map[string]owned)}
				for range callsEach {
					if o.call() {
						done.Add(1)
					} else {
						cancelled.Add(1)
					}
				}
			})
			close(stop)
			busy.Wait()
			closeStore()
			requireGoroutines(t, before)
			require.Positive(t, done.Load())
			require.Positive(t, cancelled.Load())
			t.Logf("%d calls were cancelled, %d were not in time", cancelled.Load(), done.Load())
		})
	}
}

// keepBusy uses tokens of a user, without cancelling anything.
func keepBusy(t *testing.T, svc *authtoken.Service, user string, stop chan struct{}) {
	ctx := context.Background()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		name := fmt.Sprint("busy-", user, "-", n)
		_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: name, User: user})
		if err == nil {
			_, err = svc.Authenticate(ctx, key.Reveal())
		}
		if err == nil {
			err = svc.Delete(ctx, name)
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// owner is a user whose tokens nobody else touches, and who knows what they must be.
type owner struct {
	t      *testing.T
	svc    *authtoken.Service
	user   string
	made   int
	tokens map[string]owned
}

type owned struct {
	token authtoken.Token
	key   string
}

// call makes a call that may be cancelled, and checks what has become of it. It
// reports whether it was not cancelled.
func (o *owner) call() bool {
	t := o.t
	after := maps.Clone(o.tokens) // what there is if the call is successful
	ctx, cancel := ending()
	err := o.any(ctx, after)
	ended := ctx.Err()
	cancel()
	if err == nil {
		o.tokens = after
	} else if ended == nil || !errors.Is(err, ended) {
		t.Errorf("the context says %v, and the call %v", ended, err)
	}

	there := make(map[string]authtoken.Token)
	for token, err := range o.svc.All(context.Background(), authtoken.Filter{User: o.user}) {
		require.NoError(t, err)
		there[token.Identifier] = withoutUse(token)
	}
	require.Len(t, there, len(o.tokens))
	for name, want := range o.tokens {
		require.Equal(t, want.token, there[name])
		who, err := o.svc.Authenticate(context.Background(), want.key)
		require.NoError(t, err)
		require.Equal(t, want.token, withoutUse(who.Token))
	}
	return err == nil
}

func withoutUse(token authtoken.Token) authtoken.Token {
	token.LastUsed, token.LastUsedFrom = time.Time{}, ""
	token.RetiredUntil = time.Time{} // SetKey does not tell it
	return token
}

// any makes any call there is, and changes after into what it leads to.
func (o *owner) any(ctx context.Context, after map[string]owned) error {
	mine := authtoken.Filter{User: o.user}
	var name string // of any token
	for name = range after {
		break
	}
	is := after[name]
	keep := func(token authtoken.Token, key string, err error) error {
		delete(after, name)
		after[token.Identifier] = owned{withoutUse(token), key}
		return err
	}
	o.made++
	made := fmt.Sprint("owned-", o.user, "-", o.made)
	if name == "" || len(after) < 4 && rand.IntN(3) == 0 {
		token, key, err := o.svc.Create(ctx, authtoken.CreateParams{Identifier: made, User: o.user})
		name = made
		return keep(token, key.Reveal(), err)
	}
	switch rand.IntN(15) {
	case 0:
		token, err := o.svc.Update(ctx, name, authtoken.UpdateParams{Identifier: &made, Managed: &made})
		return keep(token, is.key, err)
	case 1:
		token, err := o.svc.Update(ctx, name, authtoken.UpdateParams{Identifier: &name, Description: &made}, authtoken.IfRevision(is.token.Revision()))
		return keep(token, is.key, err)
	case 2:
		token, key, err := o.svc.Rotate(ctx, name, 0)
		return keep(token, key.Reveal(), err)
	case 3:
		key := "a-key-that-was-made-elsewhere-" + made
		is.token.Version++
		return keep(is.token, key, o.svc.SetKey(ctx, name, key))
	case 4:
		delete(after, name)
		return o.svc.Delete(ctx, name)
	case 5:
		delete(after, name)
		return o.svc.Delete(ctx, name, authtoken.IfRevision(is.token.Revision()))
	case 6:
		clear(after)
		tokens, err := o.svc.Revoke(ctx, mine)
		if err == nil {
			require.Len(o.t, tokens, len(o.tokens))
		}
		return err
	case 7:
		token, err := o.svc.Get(ctx, name)
		return o.same(err, is.token, withoutUse(token))
	case 8:
		who, err := o.svc.Authenticate(ctx, is.key)
		return o.same(err, is.token, withoutUse(who.Token))
	case 9:
		key, err := o.svc.Reveal(ctx, name)
		return o.same(err, is.key, key.Reveal())
	case 10:
		page, err := o.svc.Page(ctx, mine, 1, 100)
		return o.same(err, len(after), page.Count)
	case 11:
		tokens, _, err := o.svc.List(ctx, mine, "", 100)
		return o.same(err, len(after), len(tokens))
	case 12:
		n := 0
		for _, err := range o.svc.All(ctx, mine) {
			if err != nil {
				return err
			}
			n++
		}
		return o.same(nil, len(after), n)
	case 13:
		return o.svc.FlushLastUsed(ctx)
	default:
		_, err := o.svc.Sweep(ctx, 10) // finds nothing that has expired
		return err
	}
}

// same checks what a call has returned, if it hasn't returned an error.
func (o *owner) same(err error, want, got any) error {
	if err == nil {
		require.Equal(o.t, want, got)
	}
	return err
}
