package authtoken

import (
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
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if st == nil {
		fault("store is nil")
	}
	if err := cfg.Policy.check(); err != nil {
		errs = append(errs, err)
	}
	if cfg.Users == nil {
		cfg.Users = AnyUser{}
	}
	if cfg.KeyPrefix == "" {
		cfg.KeyPrefix = defaultPrefix
	}
	if len(cfg.KeyPrefix) > 16 || !consistsOf(cfg.KeyPrefix, digits) {
		fault("Config.KeyPrefix: %q is not 1 to 16 letters and digits", cfg.KeyPrefix)
	}
	if cfg.MinKeyLength == 0 {
		cfg.MinKeyLength = defaultMinKeyLength
	}
	if cfg.MinKeyLength < 0 || cfg.MinKeyLength > maxKeyLength {
		fault("Config.MinKeyLength: %d is not between 1 and %d", cfg.MinKeyLength, maxKeyLength)
	}
	if cfg.CacheSize < 0 {
		fault("Config.CacheSize: %d is negative", cfg.CacheSize)
	}
	if cfg.CacheTTL < 0 {
		fault("Config.CacheTTL: %v is negative", cfg.CacheTTL)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CacheTTL == 0 {
		cfg.CacheTTL = 5 * time.Second
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("authtoken: %w", errors.Join(errs...))
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
