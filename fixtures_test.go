package authtoken_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
)

// The users of these tests.
var (
	root  = authtoken.User{ID: "1", Username: "root", Active: true, Superuser: true}
	alice = authtoken.User{ID: "2", Username: "alice", Active: true}
	bob   = authtoken.User{ID: "3", Username: "Bob", Active: true, KeepsTokens: true}
	carol = authtoken.User{ID: "4", Username: "carol", Active: true, MaxLifetime: 2 * time.Hour}
	dave  = authtoken.User{ID: "5", Username: "dave"}
)

// importedKey is a key that was made elsewhere.
const importedKey = "a-key-of-more-than-thirty-two-bytes"

// newService returns a service with the users of these tests, and its clock.
func newService(t *testing.T, policy authtoken.Policy) (*authtoken.Service, *authtokentest.Clock) {
	t.Helper()
	svc, clock, _ := newObserved(t, authtoken.Config{Policy: policy})
	return svc, clock
}

// newObserved is newService with more of a configuration, and an observer.
func newObserved(t *testing.T, cfg authtoken.Config) (*authtoken.Service, *authtokentest.Clock, *recorder) {
	t.Helper()
	told := new(recorder)
	cfg.Users, cfg.Observer = userList(t, root, alice, bob, carol, dave), told
	svc, clock := authtokentest.NewService(t, cfg)
	return svc, clock, told
}

func userList(t *testing.T, users ...authtoken.User) *authtoken.UserList {
	t.Helper()
	list, err := authtoken.NewUserList(users...)
	require.NoError(t, err)
	return list
}

// newSealer returns a sealer that every test may have.
func newSealer(t testing.TB) *authtoken.AESSealer {
	t.Helper()
	sealer, err := authtoken.NewAESSealer(make([]byte, 32))
	require.NoError(t, err)
	return sealer
}

// create makes a token for user 7, or whomever p names.
func create(t *testing.T, svc *authtoken.Service, p authtoken.CreateParams) (authtoken.Token, string) {
	t.Helper()
	p.User = cmp.Or(p.User, "7")
	token, key, err := svc.Create(t.Context(), p)
	require.NoError(t, err)
	return token, key.Reveal()
}

// requireFaults checks that err reports exactly these faults, in this order.
func requireFaults(t *testing.T, err error, want ...string) {
	t.Helper()
	var v *authtoken.ValidationError
	require.ErrorAs(t, err, &v)
	var got []string
	for _, f := range v.Fields {
		got = append(got, f.Error())
	}
	require.Equal(t, want, got)
}

// loginKey returns a key of u's that never ends.
func loginKey(t *testing.T, svc *authtoken.Service, u authtoken.User) string {
	t.Helper()
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "login-" + u.Username, User: u.ID, Expiring: new(false)})
	return key
}

// check returns whom key stands for.
func check(t *testing.T, svc *authtoken.Service, key string) authtoken.Principal {
	t.Helper()
	who, err := svc.Authenticate(t.Context(), key, authtoken.Intents()...)
	require.NoError(t, err)
	return who
}

// acts are all that can be done with a token named "target", and "new" to create.
func acts(ctx context.Context, as *authtoken.Access) map[string]func() error {
	return map[string]func() error{
		"User": func() error { _, err := as.User(ctx); return err },
		"Create": func() error {
			_, _, err := as.Create(ctx, authtoken.CreateParams{Identifier: "new", User: "2"})
			return err
		},
		"Get":    func() error { _, err := as.Get(ctx, "target"); return err },
		"Update": func() error { _, err := as.Update(ctx, "target", authtoken.UpdateParams{}); return err },
		"Page":   func() error { _, err := as.Page(ctx, authtoken.Filter{}, 1, 1); return err },
		"List":   func() error { _, _, err := as.List(ctx, authtoken.Filter{}, "", 1); return err },
		"All": func() error {
			for _, err := range as.All(ctx, authtoken.Filter{}) {
				return err
			}
			return nil
		},
		"SetKey": func() error { return as.SetKey(ctx, "target", importedKey) },
		"Reveal": func() error { _, err := as.Reveal(ctx, "target"); return err },
		"Rotate": func() error { _, _, err := as.Rotate(ctx, "target", 0); return err },
		"Owner":  func() error { _, err := as.Owner(ctx, authtoken.Token{User: "2"}); return err },
		"Owners": func() error { _, err := as.Owners(ctx, []authtoken.Token{{User: "2"}}); return err },
		"Revoke": func() error { _, err := as.Revoke(ctx, authtoken.Filter{User: "2"}); return err },
		"Delete": func() error { return as.Delete(ctx, "target") },
	}
}

// identifiers returns the identifiers of tokens.
func identifiers(tokens []authtoken.Token) []string {
	names := make([]string, len(tokens))
	for i, t := range tokens {
		names[i] = t.Identifier
	}
	return names
}

// orders returns what to sort by for text such as "-expires,user". It leaves out what
// names no field, or the same field again.
func orders(text string) []authtoken.Order {
	var orders []authtoken.Order
	for name := range strings.SplitSeq(text, ",") {
		field, desc := strings.CutPrefix(name, "-")
		o := authtoken.Order{Field: authtoken.Field(field), Desc: desc}
		known := slices.Contains(authtoken.OrderFields(), o.Field)
		again := slices.ContainsFunc(orders, func(p authtoken.Order) bool { return p.Field == o.Field })
		if known && !again {
			orders = append(orders, o)
		}
	}
	return orders
}

// recorder is an observer that keeps what it is told.
type recorder struct {
	mu     sync.Mutex
	events []authtoken.Event
}

func (r *recorder) Observe(_ context.Context, e authtoken.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// take returns what came since the last time, as "kind identifier actor reason".
// An actor who has no ID is "-".
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var told []string
	for _, e := range r.events {
		text := fmt.Sprintf("%s %s %s", e.Kind, e.Token.Identifier, cmp.Or(e.Actor, "-"))
		if e.Reason != nil {
			text += " " + e.Reason.Error()
		}
		told = append(told, text)
	}
	r.events = nil
	return told
}

// counting is a store that counts how often it is asked for a key.
type counting struct {
	store.Store
	asked int
}

func (c *counting) GetByDigest(ctx context.Context, d store.Digest) (store.Record, error) {
	c.asked++
	return c.Store.GetByDigest(ctx, d)
}

var errDisk = errors.New("disk on fire")

// failing is a store that fails.
type failing struct{ store.Store }

func (failing) Create(context.Context, store.Record, int) error { return errDisk }

func (failing) Get(context.Context, string) (store.Record, error) {
	return store.Record{}, errDisk
}

func (failing) GetByDigest(context.Context, store.Digest) (store.Record, error) {
	return store.Record{}, errDisk
}

func (failing) Count(context.Context, store.Query) (int, error) { return 0, errDisk }

// switchable is a directory that can be switched off.
type switchable struct {
	authtoken.Directory
	err error
}

func (d *switchable) User(ctx context.Context, id string) (authtoken.User, error) {
	if d.err != nil {
		return authtoken.User{}, d.err
	}
	return d.Directory.User(ctx, id)
}

// changing is a directory of one user, who may change. It returns that user whoever
// is asked for.
type changing struct{ user authtoken.User }

func (d *changing) User(context.Context, string) (authtoken.User, error) { return d.user, nil }
