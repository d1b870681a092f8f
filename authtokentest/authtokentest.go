package authtokentest

import (
	"bytes"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

// Clock is a clock that stands still until a test moves it. It is safe for concurrent
// use. Make one with [NewClock]: the zero Clock shows the zero time.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, which may be negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set moves the clock to now.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// NewService returns a service with this configuration over a new in-memory store, and
// its clock. The clock shows the present time until the test moves it. cfg.Now must be
// nil. If anything is wrong, the test fails at once.
func NewService(t testing.TB, cfg authtoken.Config) (*authtoken.Service, *Clock) {
	t.Helper()
	if cfg.Now != nil {
		t.Fatal("authtokentest: Config.Now is set, and NewService brings a clock of its own")
	}
	clock := NewClock(time.Now().UTC().Truncate(time.Microsecond))
	cfg.Now = clock.Now
	svc, err := authtoken.New(memory.New(), cfg)
	if err != nil {
		t.Fatalf("authtokentest: %v", err)
	}
	return svc, clock
}

// Server is a server that takes the place of authentik. Its policy is
// authtoken.Authentik(), and keys can be viewed. Make one with [NewServer].
type Server struct {
	// URL is the URL of the server, without a path: "http://127.0.0.1:40123". The API is
	// at URL + "/api/v3".
	URL string

	// Superuser is the first active superuser among the users. Key is the key of the
	// token "test", which belongs to that superuser and never expires.
	Superuser authtoken.User
	Key       string

	Service *authtoken.Service
	Clock   *Clock
}

// Profiles returns the users that a Server has by default: the superuser "akadmin" with
// the ID 1, "alice" with the ID 2, and "bob" with the ID 3.
func Profiles() []httpadapter.Profile {
	return []httpadapter.Profile{
		{ID: "1", Username: "akadmin", Name: "authentik Default Admin", Email: "akadmin@example.com", Active: true, Superuser: true},
		{ID: "2", Username: "alice", Name: "Alice Doe", Email: "alice@example.com", Active: true},
		{ID: "3", Username: "bob", Name: "Bob Roe", Email: "bob@example.com", Active: true},
	}
}

// Users returns the users of [Profiles], for a directory.
func Users() []authtoken.User { return users(Profiles()) }

func users(profiles []httpadapter.Profile) []authtoken.User {
	users := make([]authtoken.User, len(profiles))
	for i, p := range profiles {
		users[i] = p.User()
	}
	return users
}

// NewServer starts a server on a port of the loopback interface. The server stops when the
// test ends. Its users default to [Profiles]. One of them must be an active superuser. If
// anything is wrong, the test fails at once.
func NewServer(t testing.TB, profiles ...httpadapter.Profile) *Server {
	t.Helper()
	if len(profiles) == 0 {
		profiles = Profiles()
	}
	users := users(profiles)
	i := slices.IndexFunc(users, func(u authtoken.User) bool { return u.Superuser && u.Active })
	if i < 0 {
		t.Fatal("authtokentest: none of the users is an active superuser")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("authtokentest: %v", err)
		}
	}
	directory, err := authtoken.NewUserList(users...)
	must(err)
	sealer, err := authtoken.NewAESSealer(bytes.Repeat([]byte{1}, 32))
	must(err)
	svc, clock := NewService(t, authtoken.Config{
		Policy: authtoken.Authentik(),
		Users:  directory,
		Sealer: sealer,
	})
	h, err := httpadapter.New(svc, httpadapter.Config{Profiles: httpadapter.ProfileList(profiles...)})
	must(err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)

	s := &Server{URL: server.URL, Superuser: users[i], Service: svc, Clock: clock}
	s.Key = s.key(t, "test", s.Superuser.ID)
	return s
}

// KeyOf returns a key of the user with this ID. It can call the API and never expires. The
// first call makes its token, which is named "test-<ID>".
func (s *Server) KeyOf(t testing.TB, user string) string {
	t.Helper()
	identifier := "test-" + user
	if key, err := s.Service.Reveal(t.Context(), identifier); err == nil {
		return key.Reveal()
	}
	return s.key(t, identifier, user)
}

func (s *Server) key(t testing.TB, identifier, user string) string {
	t.Helper()
	_, key, err := s.Service.Create(t.Context(), authtoken.CreateParams{
		Identifier: identifier, User: user, Expiring: new(false),
	})
	if err != nil {
		t.Fatalf("authtokentest: %v", err)
	}
	return key.Reveal()
}
