package authtoken_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
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

// notes are the scopes of an application with notes, and of one who may manage tokens.
var notes = []authtoken.Scope{
	{Name: "notes:read", Title: "Read notes"},
	{Name: "notes:write", Title: "Write notes", Implies: []string{"notes:read"}},
	{Name: "tokens", Title: "Manage tokens"},
	{Name: "notes:purge", Implies: []string{"notes:write"}, Superuser: true},
}

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
	return sealerOf(t, make([]byte, 32))
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
		"User":    func() error { _, err := as.User(ctx); return err },
		"SeesAll": func() error { _, err := as.SeesAll(ctx); return err },
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
		"SetKey":     func() error { return as.SetKey(ctx, "target", importedKey) },
		"Reveal":     func() error { _, err := as.Reveal(ctx, "target"); return err },
		"Rotate":     func() error { _, _, err := as.Rotate(ctx, "target", 0); return err },
		"Owner":      func() error { _, err := as.Owner(ctx, authtoken.Token{User: "2"}); return err },
		"Owners":     func() error { _, err := as.Owners(ctx, []authtoken.Token{{User: "2"}}); return err },
		"Revoke":     func() error { _, err := as.Revoke(ctx, authtoken.Filter{User: "2"}); return err },
		"Delete":     func() error { return as.Delete(ctx, "target") },
		"EndOverlap": func() error { _, err := as.EndOverlap(ctx, "target"); return err },
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

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// number reads base62 digits the slow way.
func number(digits string) *big.Int {
	n := new(big.Int)
	for _, c := range digits {
		n.Mul(n, big.NewInt(62))
		n.Add(n, big.NewInt(int64(strings.IndexRune(base62, c))))
	}
	return n
}

// sealingSecret returns a secret of 32 bytes, another one for each n.
func sealingSecret(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

func sealerOf(t testing.TB, current []byte, older ...[]byte) *authtoken.AESSealer {
	t.Helper()
	s, err := authtoken.NewAESSealer(current, older...)
	require.NoError(t, err)
	return s
}

// touched is a store that counts writes of last uses.
type touched struct {
	store.Store
	mu            sync.Mutex
	batches, uses int
	err           error
}

// fail makes writes fail with err from now on.
func (s *touched) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *touched) Touch(ctx context.Context, uses []store.Use) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.batches++
	s.uses += len(uses)
	return s.Store.Touch(ctx, uses)
}

// newList returns a service with tokens a to e, of alice, Bob and carol in turn.
func newList(t *testing.T) (*authtoken.Service, *authtokentest.Clock) {
	t.Helper()
	svc, clock := newService(t, authtoken.Policy{})
	for i, p := range []authtoken.CreateParams{
		{Identifier: "c", User: alice.ID, Description: "50% off"},
		{Identifier: "a", User: bob.ID, Intent: authtoken.IntentAppPassword, Managed: "z"},
		{Identifier: "e", User: carol.ID, Description: "Élan"},
		{Identifier: "b", User: alice.ID, Expiring: new(false)},
		{Identifier: "d", User: bob.ID, Managed: "y"},
	} {
		p.Expires = clock.Now().Add(time.Duration(5-i) * time.Minute)
		create(t, svc, p)
		clock.Advance(time.Second)
	}
	return svc, clock
}

// oneByOne is a directory that notes whom it was asked for. Users whose ID ends in 0
// are gone.
type oneByOne struct {
	asked []string
	err   error
}

func (d *oneByOne) User(_ context.Context, id string) (authtoken.User, error) {
	d.asked = append(d.asked, id)
	if d.err == nil && strings.HasSuffix(id, "0") {
		return authtoken.User{}, fmt.Errorf("user %q: %w", id, authtoken.ErrUserNotFound)
	}
	return userWithID(id), d.err
}

func userWithID(id string) authtoken.User {
	return authtoken.User{ID: id, Username: "u" + id, Active: true}
}

// files returns the texts of all files whose names end like this, by their paths.
func files(t *testing.T, suffix string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, suffix):
			return nil
		}
		text, err := os.ReadFile(name)
		found[filepath.ToSlash(name)] = string(text)
		return err
	})
	require.NoError(t, err)
	return found
}

const module = "github.com/authtoken/authtoken"

// relative returns the path of a package within this module, if it is in it.
func relative(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// meddled is a store in which something happens meanwhile, once: before a record is
// added or deleted, after a record was read, or after a Purge has found what it deletes.
type meddled struct {
	store.Store
	beforeCreate, beforeDelete, afterGet, inPurge func()
}

func once(f *func()) {
	if do := *f; do != nil {
		*f = nil
		do()
	}
}

func (m *meddled) Create(ctx context.Context, r store.Record, limit int) error {
	once(&m.beforeCreate)
	return m.Store.Create(ctx, r, limit)
}

func (m *meddled) Delete(ctx context.Context, pk store.PK, version int64) error {
	once(&m.beforeDelete)
	return m.Store.Delete(ctx, pk, version)
}

func (m *meddled) Get(ctx context.Context, identifier string) (store.Record, error) {
	r, err := m.Store.Get(ctx, identifier)
	once(&m.afterGet)
	return r, err
}

func (m *meddled) Purge(ctx context.Context, q store.Query) ([]store.Record, error) {
	found, err := m.List(ctx, q)
	once(&m.inPurge)
	for _, r := range found {
		err = errors.Join(err, m.Delete(ctx, r.PK, r.Version))
	}
	return found, err
}
