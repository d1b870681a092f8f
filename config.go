package authtoken

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Config configures a [Service]. The zero Config works.
type Config struct {
	// Policy says what the application allows. The zero Policy is a safe default.
	Policy Policy

	// Users looks up users. Nil means AnyUser.
	Users Directory

	// KeyPrefix starts each new key, before an underscore: 1 to 16 letters and digits.
	// Defaults to "tok". Keys with another prefix stay valid if they are not shorter
	// than MinKeyLength.
	KeyPrefix string

	// MinKeyLength is the length in bytes of the shortest key that SetKey accepts.
	// Shorter keys are refused, whatever the store holds. Defaults to 32; at most
	// 1,024. Lower it only for keys that are hard to guess all the same.
	MinKeyLength int

	// Sealer encrypts keys, so that they can be revealed later. Nil means that only
	// Create and Rotate return a key, and nobody can get it again.
	Sealer Sealer

	// Observer receives events. Nil means that nobody does.
	Observer Observer

	// TrackLastUsed remembers when each token was last used. [Service.RunJanitor] or
	// [Service.FlushLastUsed] writes it to the store.
	TrackLastUsed bool

	// CacheSize is how many tokens [Service.Authenticate] keeps in memory, to spare
	// the store. Each takes about 700 bytes and its texts. A change through this
	// Service counts at once. A change by another service or process may be missed
	// for CacheTTL. Owners are never cached. Zero means no cache.
	CacheSize int

	// CacheTTL is how long a token stays in the cache. Defaults to 5 seconds.
	CacheTTL time.Duration

	// Now returns the current time. Nil means time.Now.
	Now func() time.Time
}

// New returns a Service that keeps its tokens in st. If cfg has faults, the error names
// all of them.
func New(st store.Store, cfg Config) (*Service, error) {
	cfg = cfg.withDefaults()
	err := cfg.check()
	if st == nil {
		err = errors.Join(errors.New("store is nil"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("authtoken: %w", err)
	}
	policy := cfg.Policy.withDefaults()
	s := &Service{
		store:    st,
		policy:   policy,
		users:    cfg.Users,
		keys:     keyFormat{prefix: cfg.KeyPrefix + "_", minLength: cfg.MinKeyLength},
		sealer:   cfg.Sealer,
		clock:    cfg.Now,
		observer: cfg.Observer,
		origin:   &origin{policy.catalogue},
	}
	s.Access = trusted(s)
	if cfg.TrackLastUsed {
		s.uses = new(uses)
	}
	if cfg.CacheSize > 0 {
		s.cache = newCache(cfg.CacheSize, cfg.CacheTTL)
		s.invalidate = s.cache
	}
	return s, nil
}

// withDefaults returns c with its defaults, except those of the Policy: check must see
// the Policy as it was given.
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
