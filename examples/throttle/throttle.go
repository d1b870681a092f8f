// Package throttle slows down callers who guess keys. Each remote address may fail a
// few checks, and then has to wait. Requests with a good key do not count.
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

// Throttle counts failed checks by remote address. It is safe for concurrent use.
type Throttle struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	mu    sync.Mutex
	hosts map[string]*rate.Limiter
}

// maxHosts bounds how many addresses are kept. With one more, all counts start again
// at zero: that is the most that an attacker with many addresses can achieve.
const maxHosts = 100_000

// New returns a throttle that lets an address fail burst times at once, and then once
// every interval.
func New(interval time.Duration, burst int, now func() time.Time) *Throttle {
	return &Throttle{limit: rate.Every(interval), burst: burst, now: now, hosts: make(map[string]*rate.Limiter)}
}

// Guard returns middleware that requires a key, and throttles callers without a good one.
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

// refused counts a failed check of the sender of r.
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

// host returns the address that r came from. Behind a proxy, take it from a header that
// the proxy sets, and trust no other header.
func host(r *http.Request) string {
	h, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return h
}
