package postgres_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store/postgres"
)

// fault is a way for a connection to break.
type fault int

const (
	none        fault = iota
	nothingSent       // it is noticed when the request is to be sent
	requestLost       // the request is sent, and never arrives
	answerLost        // the server has done what it was asked to, and the answer never arrives
)

func (f fault) String() string {
	return [...]string{"none", "nothing sent", "request lost", "answer lost"}[f]
}

var errUnplugged = &net.OpError{Op: "read", Net: "test", Err: errors.New("unplugged")}

// cable is what the only connection of a store goes through.
type cable struct {
	mu        sync.Mutex
	after     int    // how many requests go through first
	next      fault  // of the one after those
	meanwhile func() // what happens then, before anything else is sent
	dial      func() error
}

// breaks has a request of the store meet a fault, after some that don't.
func (c *cable) breaks(after int, f fault, meanwhile func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after, c.next, c.meanwhile = after, f, meanwhile
}

// dials has f called whenever the store connects.
func (c *cable) dials(f func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dial = f
}

func (c *cable) take() (fault, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != none && c.after > 0 {
		c.after--
		return none, nil
	}
	f, meanwhile := c.next, c.meanwhile
	c.next, c.meanwhile = none, nil
	return f, meanwhile
}

// plug is a connection by way of the cable.
type plug struct {
	net.Conn
	cable *cable
	lose  atomic.Pointer[func()] // if not nil, called instead of handing on the next answer
	dead  atomic.Bool
}

func (p *plug) unplug(meanwhile func()) {
	p.dead.Store(true)
	p.Conn.Close()
	if meanwhile != nil {
		meanwhile()
	}
}

func (p *plug) Write(b []byte) (int, error) {
	if p.dead.Load() {
		return 0, errUnplugged
	}
	switch f, meanwhile := p.cable.take(); f {
	case nothingSent:
		p.unplug(meanwhile)
		return 0, errUnplugged
	case requestLost:
		p.unplug(meanwhile)
		return len(b), nil
	case answerLost:
		lose := func() { p.unplug(meanwhile) }
		p.lose.Store(&lose)
	}
	return p.Conn.Write(b)
}

func (p *plug) Read(b []byte) (int, error) {
	if p.dead.Load() {
		return 0, errUnplugged
	}
	n, err := p.Conn.Read(b)
	if lose := p.lose.Swap(nil); lose != nil {
		(*lose)()
		return 0, errUnplugged
	}
	return n, err
}

// plugged returns a store whose only connection goes through a cable.
func plugged(t *testing.T, dsn string, retryFor time.Duration) (*postgres.Store, *cable) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	c := &cable{}
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c.mu.Lock()
		before := c.dial
		c.mu.Unlock()
		if before != nil {
			if err := before(); err != nil {
				return nil, err
			}
		}
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &plug{Conn: conn, cable: c}, nil
	}
	cfg.MaxConns = 1
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // which would meet the fault
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, postgres.Migrate(t.Context(), pool, postgres.Config{}))
	s, err := postgres.New(t.Context(), pool, postgres.Config{RetryFor: retryFor})
	require.NoError(t, err)
	return s, c
}
