package authtoken

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Config is how a Service behaves. The zero Config works.
type Config struct {
	// Policy defaults to the zero Policy, which is explained there.
	Policy Policy

	// Users defaults to AnyUser.
	Users Directory

	// KeyPrefix is what keys start with, before an underscore: 1 to 16 letters
	// and digits. Defaults to "tok". Keys made with another prefix stay good
	// if they are not shorter than MinKeyLength.
	KeyPrefix string

	// MinKeyLength is the shortest key that SetKey accepts, in bytes. Shorter
	// keys are refused whatever the store holds. Defaults to 32. Lower it
	// only for keys that are hard to guess all the same.
	MinKeyLength int

	// Sealer encrypts keys so that they can be shown again. Nil means that
	// they can't, and that only whoever makes a token sees its key.
	Sealer Sealer

	// Observer is told what happens. Nil for nobody.
	Observer Observer

	// TrackLastUsed remembers when each token was last used, to be written
	// down by [Service.RunJanitor] or [Service.FlushLastUsed].
	TrackLastUsed bool

	// CacheSize is how many tokens [Service.Authenticate] keeps in memory, at
	// some 700 bytes each and what their texts take, so as not to ask the store for them. Changes through
	// this Service count at once; those made by others, in this process or
	// another, may not be seen for CacheTTL. Owners are never cached. Zero is no cache.
	CacheSize int

	// CacheTTL defaults to 5 seconds.
	CacheTTL time.Duration

	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// New returns a Service that keeps its tokens in st. If cfg has faults, the
// error names all of them.
func New(st store.Store, cfg Config) (*Service, error) {
	cfg = cfg.withDefaults()
	err := cfg.check()
	if st == nil {
		err = errors.Join(errors.New("store is nil"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("authtoken: %w", err)
	}
	s := &Service{
		store:    st,
		policy:   cfg.Policy.withDefaults(),
		users:    cfg.Users,
		keys:     keyFormat{prefix: cfg.KeyPrefix + "_", minLength: cfg.MinKeyLength},
		sealer:   cfg.Sealer,
		clock:    cfg.Now,
		observer: cfg.Observer,
		origin:   new(origin),
	}
	s.Access = trusted(s)
	if cfg.TrackLastUsed {
		s.uses = new(uses)
	}
	if cfg.CacheSize > 0 {
		s.cache = newCache(cfg.CacheSize, cfg.CacheTTL)
		s.changed = s.cache
	}
	return s, nil
}

// withDefaults leaves the Policy as it is, whose faults must be seen first.
func (c Config) withDefaults() Config {
	if c.Users == nil {
		c.Users = AnyUser{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.KeyPrefix = cmp.Or(c.KeyPrefix, defaultPrefix)
	c.MinKeyLength = cmp.Or(c.MinKeyLength, defaultMinKeyLength)
	c.CacheTTL = cmp.Or(c.CacheTTL, 5*time.Second)
	return c
}

// check returns all faults of c.
func (c *Config) check() error {
	errs := []error{
		c.Policy.check(),
		notNegative("CacheSize", c.CacheSize),
		notNegative("CacheTTL", c.CacheTTL),
	}
	if len(c.KeyPrefix) > 16 || !consistsOf(c.KeyPrefix, digits) {
		errs = append(errs, fmt.Errorf("Config.KeyPrefix: %q is not 1 to 16 letters and digits", c.KeyPrefix))
	}
	if c.MinKeyLength < 0 || c.MinKeyLength > maxKeyLength {
		errs = append(errs, fmt.Errorf("Config.MinKeyLength: %d is not between 1 and %d", c.MinKeyLength, maxKeyLength))
	}
	return errors.Join(errs...)
}

// notNegative returns an error if v, the value of a field of Config, is negative.
func notNegative[T int | time.Duration](field string, v T) error {
	if v < 0 {
		return fmt.Errorf("Config.%s: %v is negative", field, v)
	}
	return nil
}
