package authtoken

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Policy says what the application allows. The zero Policy is a safe default.
// [Authentik] returns the policy of authentik.
//
// By default, every token that expires has an expiry time. It is the time that the
// caller asked for, and a time that is too late is an error.
type Policy struct {
	// SuperuserIntents and UserIntents are the intents that superusers, and all other
	// users, may ask for through [Service.As] and [Service.For]. Nil means all four for
	// superusers, and IntentAPI and IntentAppPassword for others. Empty means none.
	//
	// If a token of a user who is not a superuser has another intent, the user may list
	// and delete it, but not change, rotate or reveal it.
	SuperuserIntents []Intent
	UserIntents      []Intent

	// DefaultLifetime is how long a token lives if the caller asks for no expiry time.
	// Defaults to 30 minutes, or to MaxLifetime if that is less.
	DefaultLifetime time.Duration

	// MaxLifetime is the longest lifetime that a caller may ask for. MaxLifetime of the
	// owner overrides it. Zero means no limit. If there is a limit, nobody can make a
	// token that never expires, except where KeepsTokens of the owner or OptionalExpiry
	// allows it.
	MaxLifetime time.Duration

	// FixedAPILifetime gives each token of IntentAPI the DefaultLifetime, whatever the
	// caller asks for. It starts anew at each creation, change and rotation by a person or
	// a key. No maximum lifetime applies to that intent.
	FixedAPILifetime bool

	// OptionalExpiry allows an expiring token to have no expiry time; it then never
	// expires. A token has none if the caller asks for none, or removes it.
	OptionalExpiry bool

	// Retention is how long the store keeps an expired token before [Service.Sweep]
	// deletes it. Its key is refused meanwhile. Defaults to 30 days. Negative means that
	// the next sweep deletes it.
	Retention time.Duration

	// RenewExpired makes [Service.Sweep] renew expired tokens of IntentAPI instead of
	// deleting them. A renewed token has a new key and the DefaultLifetime.
	RenewExpired bool

	// MaxTokens is how many tokens a user may have. Beyond that, [Service.As] and
	// [Service.For] make no more for that user. Zero means no limit. The limit is exact,
	// even if several services and processes share the store.
	MaxTokens int

	// MaxTextLength is the longest Description and the longest Managed of a token, in
	// characters. A longer text that a token already has may stay, and may be sent again.
	// Defaults to 1,000. It bounds the memory that a page of a list takes.
	MaxTextLength int

	// UnboundedKeys lets a key make and manage tokens that live longer than the key
	// itself. Otherwise [Service.For] does not allow that. FixedAPILifetime and
	// RenewExpired require UnboundedKeys, because they extend tokens by themselves.
	UnboundedKeys bool

	// UsersSetManaged lets users who are not superusers set and change Managed of their
	// own tokens. Its values are unique, so a user can take one that the application
	// is about to use.
	UsersSetManaged bool

	// Scopes is the catalogue of what tokens can be limited to. Without one, new tokens
	// have [ScopeAll], and a token that has other scopes permits nothing. A scope that is
	// taken out of the catalogue stays on its tokens, and permits nothing.
	Scopes []Scope

	// DefaultScopes are the scopes of a token that is made without naming any. Nil means
	// ScopeAll if there is no catalogue. If there is one, nil means that scopes must be
	// named.
	DefaultScopes []string

	// MustLimit lets only superusers and trusted code give ScopeAll.
	MustLimit bool

	// ManageScope is the one of Scopes that lets a limited key manage tokens: see
	// [Service.For]. Empty means that limited keys manage none.
	ManageScope string

	// RevokeOnReuse deletes a token when somebody uses a key that was replaced and whose
	// overlap has ended: that key has probably leaked. Otherwise such a use is refused
	// and reported like any other. A token that is locked stays: its owner must not get
	// rid of it that way.
	RevokeOnReuse bool

	catalogue catalogue // of Scopes
}

// Authentik returns the policy of authentik 2024.8. Users may ask for IntentAPI and
// IntentAppPassword. Tokens of IntentAPI live for 30 minutes from their last
// change, and the sweep renews them. Those of IntentAppPassword live for 30
// minutes at most, or never expire, and the sweep deletes the expired ones.
func Authentik() Policy {
	return Policy{
		SuperuserIntents: []Intent{IntentAPI, IntentAppPassword},
		DefaultLifetime:  defaultLifetime,
		MaxLifetime:      defaultLifetime,
		FixedAPILifetime: true,
		OptionalExpiry:   true,
		Retention:        -1,
		RenewExpired:     true,
		UnboundedKeys:    true,
		UsersSetManaged:  true,
		MaxTextLength:    10_000,
	}
}

const (
	defaultLifetime  = 30 * time.Minute
	defaultRetention = 30 * 24 * time.Hour

	defaultTextLength = 1000
)

// Policy returns a copy of the policy, with its defaults.
func (s *Service) Policy() Policy {
	p := s.policy
	p.SuperuserIntents, p.UserIntents = slices.Clone(p.SuperuserIntents), slices.Clone(p.UserIntents)
	p.Scopes, p.DefaultScopes = copyScopes(p.Scopes), slices.Clone(p.DefaultScopes)
	return p
}

// check returns all faults of p.
func (p *Policy) check() error {
	errs := []error{
		notNegative("Policy.DefaultLifetime", p.DefaultLifetime),
		notNegative("Policy.MaxLifetime", p.MaxLifetime),
		notNegative("Policy.MaxTokens", p.MaxTokens),
		notNegative("Policy.MaxTextLength", p.MaxTextLength),
	}
	for _, i := range slices.Concat(p.SuperuserIntents, p.UserIntents) {
		if !i.Valid() {
			errs = append(errs, fmt.Errorf("Config.Policy.SuperuserIntents, UserIntents: %q is not an intent", i))
		}
	}
	if p.MaxLifetime > 0 && p.DefaultLifetime > p.MaxLifetime {
		errs = append(errs, fmt.Errorf("Config.Policy.DefaultLifetime: %v is more than MaxLifetime, %v", p.DefaultLifetime, p.MaxLifetime))
	}
	if !p.UnboundedKeys && (p.FixedAPILifetime || p.RenewExpired) {
		errs = append(errs, errors.New("Config.Policy.UnboundedKeys: FixedAPILifetime and RenewExpired require it, because they let a token outlive the key that made it"))
	}
	return errors.Join(append(errs, p.checkCatalogue()...)...)
}

func (p Policy) withDefaults() Policy {
	if p.SuperuserIntents == nil {
		p.SuperuserIntents = Intents()
	}
	if p.UserIntents == nil {
		p.UserIntents = []Intent{IntentAPI, IntentAppPassword}
	}
	if p.DefaultLifetime == 0 {
		p.DefaultLifetime = min(defaultLifetime, cmp.Or(p.MaxLifetime, defaultLifetime))
	}
	p.DefaultLifetime = p.DefaultLifetime.Truncate(time.Microsecond)
	p.Retention = max(cmp.Or(p.Retention, defaultRetention), 0)
	p.MaxTextLength = cmp.Or(p.MaxTextLength, defaultTextLength)
	p.Scopes = copyScopes(p.Scopes)
	p.catalogue = newCatalogue(p.Scopes)
	return p
}

// allowed reports whether by may ask for a token of this intent.
func (p *Policy) allowed(by *actor, intent Intent) bool {
	switch {
	case by.trusted:
		return true
	case by.user.Superuser:
		return slices.Contains(p.SuperuserIntents, intent)
	default:
		return slices.Contains(p.UserIntents, intent)
	}
}

// mayUse reports whether by, who sees r, may change it, replace its key, or reveal it.
// A token of an earlier user with the same ID is not the user's own.
func (p *Policy) mayUse(by *actor, r *store.Record) bool {
	own := slices.Contains(p.UserIntents, Intent(r.Intent)) && !by.user.olderToken(r) && !locked(r)
	return (by.seesAll() || own) && p.holds(by, r)
}

// mayDelete reports whether by, who sees r, may delete it.
func (p *Policy) mayDelete(by *actor, r *store.Record) bool {
	return (by.seesAll() || !locked(r)) && p.holds(by, r)
}

// holds reports whether r is within the acting key. Other actors have no such limit.
func (p *Policy) holds(by *actor, r *store.Record) bool {
	return !by.bounded() ||
		Intent(r.Intent) == by.intent && by.outlives(r) && p.scopesWithin(by, r) && by.reaches(r)
}

// outlives reports whether r expires no later than the acting key ends.
func (by *actor) outlives(r *store.Record) bool {
	return by.ends.IsZero() || r.Expiring && !r.Expires.IsZero() && !r.Expires.After(by.ends)
}

// scopesWithin reports whether r may do no more than the acting key.
func (p *Policy) scopesWithin(by *actor, r *store.Record) bool {
	return !by.limited || p.catalogue.within(Scopes(r.Scopes), by.scopes, by.user.Superuser)
}

// reaches reports whether the key of r may come only from where the acting key may.
func (by *actor) reaches(r *store.Record) bool {
	return networksWithin(r.Networks, by.networks)
}

// fixesExpiry reports whether p sets the lifetime of r, whatever a caller asks for.
func (p *Policy) fixesExpiry(r *store.Record) bool {
	return p.FixedAPILifetime && Intent(r.Intent) == IntentAPI
}

// renew starts the lifetime of r anew if p fixes it, and reports whether it did. For
// trusted code p fixes none.
func (p *Policy) renew(r *store.Record, by *actor, now time.Time) bool {
	if by.trusted || !p.fixesExpiry(r) {
		return false
	}
	r.Expires = now.Add(p.DefaultLifetime)
	return true
}

// expiry decides whether a token expires, and when.
type expiry struct {
	policy *Policy
	by     *actor
	owner  *User
	before *store.Record // the token before the change
}

// set sets Expiring and Expires of r, which already has its new intent. It adds to f what
// p asks for but may not have.
func (x expiry) set(r *store.Record, p *UpdateParams, f *faults, now time.Time) {
	x.setExpiring(r, p.Expiring, f, now)
	if !x.policy.renew(r, x.by, now) {
		x.setExpires(r, p.Expires, f, now)
	}
	x.confine(r, p.Expires, f)
}

// setExpiring sets Expiring. Trusted code and superusers choose it.
func (x expiry) setExpiring(r *store.Record, asked *bool, f *faults, now time.Time) {
	switch {
	case asked != nil && x.by.seesAll():
		r.Expiring = *asked
	case r.Version == 0:
		r.Expiring = x.by.seesAll() || !x.by.user.KeepsTokens || x.by.bounded() && !x.by.ends.IsZero()
		return
	default:
		return
	}
	if !r.Expiring && !x.policy.OptionalExpiry && !x.owner.KeepsTokens && !x.latest(r, now).IsZero() {
		f.addCode("expiring", CodeDenied)
	}
}

// setExpires sets Expires. asked is nil if p names no time, and zero if it asks for none.
func (x expiry) setExpires(r *store.Record, asked *time.Time, f *faults, now time.Time) {
	if asked != nil {
		r.Expires = asked.UTC().Truncate(time.Microsecond)
	}
	latest := x.latest(r, now)
	// A time that stays must be checked again if another rule now applies to it.
	again := r.Expiring && (r.Intent != x.before.Intent || !x.before.Expiring)
	if (asked != nil || again) && later(r.Expires, latest) {
		f.add(FieldError{Field: "expires", Code: CodeTooLate, Latest: latest})
		return
	}
	optional := x.policy.OptionalExpiry && !x.policy.fixesExpiry(r)
	if r.Expires.IsZero() && r.Expiring && !optional {
		r.Expires = now.Add(x.policy.DefaultLifetime)
		if later(r.Expires, latest) {
			r.Expires = latest
		}
	}
}

// latest returns the latest time at which r may expire, or zero for no limit.
func (x expiry) latest(r *store.Record, now time.Time) time.Time {
	lifetime := cmp.Or(x.owner.MaxLifetime, x.policy.MaxLifetime)
	if lifetime == 0 || x.policy.fixesExpiry(r) {
		return time.Time{}
	}
	return now.Add(lifetime).Truncate(time.Microsecond)
}

// later reports whether t is after limit. A zero limit is no limit.
func later(t, limit time.Time) bool { return !limit.IsZero() && t.After(limit) }

// confine keeps r within the limits of the acting key. What the caller asks for beyond
// them is a fault. A time that the caller did not ask for is cut to the key's.
func (x expiry) confine(r *store.Record, asked *time.Time, f *faults) {
	if !x.by.bounded() {
		return
	}
	if Intent(r.Intent) != x.by.intent && !f.has("intent") {
		f.add(FieldError{Field: "intent", Code: CodeBeyondKey, Value: r.Intent})
	}
	if !x.policy.scopesWithin(x.by, r) && !f.has("scopes") {
		f.addCode("scopes", CodeBeyondKey)
	}
	if !x.by.reaches(r) && !f.has("networks") {
		f.addCode("networks", CodeBeyondKey)
	}
	ends := x.by.ends
	if ends.IsZero() {
		return
	}
	if !r.Expiring {
		f.addCode("expiring", CodeBeyondKey)
	}
	if r.Expires.IsZero() || r.Expires.After(ends) {
		if asked != nil && !asked.IsZero() && !f.has("expires") {
			f.add(FieldError{Field: "expires", Code: CodeBeyondKey, Latest: ends})
		}
		r.Expires = ends
	}
}

// storable reports whether every store can hold t. It also refuses a time that is not
// zero but becomes zero, which means none, when its nanoseconds are cut off.
func storable(t time.Time) bool {
	year := t.UTC().Year()
	return t.IsZero() || year >= 1 && year <= 9999 && !t.Truncate(time.Microsecond).IsZero()
}

// Expired reports whether the token has expired at the time now, so that its key is
// refused.
func (t Token) Expired(now time.Time) bool {
	return expired(t.Expiring, t.Expires, now)
}

func expired(expiring bool, expires, now time.Time) bool {
	return expiring && !expires.IsZero() && !now.Before(expires)
}

// end returns the time from which the key with this digest, by which r was found, is
// refused. Zero means never.
func end(r *store.Record, digest store.Digest) time.Time {
	var ends time.Time
	if r.Expiring {
		ends = r.Expires
	}
	if r.Digest != digest && (ends.IsZero() || r.RetiredUntil.Before(ends)) {
		ends = r.RetiredUntil
	}
	return ends
}
