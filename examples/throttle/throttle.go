// Package throttle shows how to slow down whoever guesses at keys: each remote
// address has so many failed checks a minute, and has to wait when they are used
// up. Requests with a good key cost nothing.
package throttle

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

// Throttle counts failed checks by remote address. It may be used from any
// number of goroutines.
type Throttle struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	mu    sync.Mutex
	hosts map[string]*rate.Limiter
}

// maxHosts bounds what is kept. When there are more, all start afresh, which
// is the worst that many addresses together can bring about.
const maxHosts = 100_000

// New returns a throttle that lets an address fail burst times, and again once
// every interval.
func New(interval time.Duration, burst int, now func() time.Time) *Throttle {
	return &Throttle{limit: rate.Every(interval), burst: burst, now: now, hosts: make(map[string]*rate.Limiter)}
}

// Guard returns middleware that requires a token and throttles who has none.
func (t *Throttle) Guard(svc *authtoken.Service) (func(http.Handler) http.Handler, error) {
	return httpadapter.RequireToken(svc, httpadapter.GuardConfig{
		Throttle: t.wait,
		Refused:  t.refused,
	})
}

// wait returns how long until the sender of r may fail again.
func (t *Throttle) wait(r *http.Request) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.hosts[host(r)]
	if l == nil {
		return 0
	}
	if missing := 1 - l.TokensAt(t.now()); missing > 0 {
		return time.Duration(missing / float64(t.limit) * float64(time.Second))
	}
	return 0
}

// refused takes one off what the sender of r has left.
func (t *Throttle) refused(r *http.Request, _ error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.hosts[host(r)]
	if l == nil {
		if len(t.hosts) >= maxHosts {
			clear(t.hosts)
		}
		l = rate.NewLimiter(t.limit, t.burst)
		t.hosts[host(r)] = l
	}
	l.AllowN(t.now(), 1)
}

// host is where r came from. Behind a proxy, take it from a header that the
// proxy sets, and from nowhere else.
func host(r *http.Request) string {
	h, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return h
}
