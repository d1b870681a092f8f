package authtoken

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Policy is what an application allows. The zero Policy is a good and safe default.
// [Authentik] is the policy of authentik.
//
// In the default policy, a token that expires always has an expiry time. That is
// the time that was asked for, and asking for too much is an error.
type Policy struct {
	// SuperuserIntents and UserIntents are the intents that superusers, and all
	// other users, may ask for through [Service.As] and [Service.For]. Nil means
	// all four for superusers, and IntentAPI and IntentAppPassword for others.
	// Empty means none.
	//
	// A user who is no superuser may list and delete a token of any other intent,
	// but not change, rotate or reveal it.
	SuperuserIntents []Intent
	UserIntents      []Intent

	// DefaultLifetime is how long a token lives if no expiry was asked for.
	// Defaults to 30 minutes, or to MaxLifetime if that is less.
	DefaultLifetime time.Duration

	// MaxLifetime is the longest life that may be asked for. MaxLifetime of the
	// owner goes before it. Zero is no limit. Where there is a limit, nobody can
	// make a token that never expires, unless KeepsTokens of the owner or
	// OptionalExpiry allows it.
	MaxLifetime time.Duration

	// FixedAPILifetime gives tokens of IntentAPI the DefaultLifetime, counted from
	// each creation, change and rotation by a person or a key, whatever was asked for.
	// No maximum applies to that intent.
	FixedAPILifetime bool

	// OptionalExpiry allows an expiring token to have no expiry time; it then never
	// expires. This happens if none was asked for, or if it was removed.
	OptionalExpiry bool

	// Retention is how long an expired token is kept before [Service.Sweep] deletes
	// it. It is refused all the while. Defaults to 30 days. Negative means that the
	// next sweep deletes it.
	Retention time.Duration

	// RenewExpired makes [Service.Sweep] give expired tokens of IntentAPI a new key
	// and the DefaultLifetime, instead of deleting them.
	RenewExpired bool

	// MaxTokens is how many tokens a user may have before no more can be made for
	// them through [Service.As] and [Service.For]. Zero is any number. The limit is
	// exact, however many services and processes share the store.
	MaxTokens int

	// MaxTextLength is how many characters the Description and the Managed of a
	// token may have. What a token has already may stay, and be sent again.
	// Defaults to 1,000. A list holds as many of these texts in memory as there
	// are tokens on a page.
	MaxTextLength int

	// UnboundedKeys lets a key make and manage tokens that last longer than the
	// key itself. Without it, [Service.For] does not. FixedAPILifetime and
	// RenewExpired make tokens last longer by themselves, so they require it.
	UnboundedKeys bool

	// UsersSetManaged lets users who are no superusers set and change Managed of
	// their own tokens. Since names there are unique, one user can take the name
	// that the application is going to use.
	UsersSetManaged bool

	// RevokeOnReuse deletes a token when one of its replaced keys is used after its
	// overlap has ended: somebody must have kept it who should not have. Without
	// it, such a use is refused and reported like any other.
	RevokeOnReuse bool
}

// Authentik returns the policy of authentik 2024.8. Users may ask for IntentAPI and
// IntentAppPassword. Tokens of IntentAPI live for 30 minutes from their last
// change, and the sweep renews them. Those of IntentAppPassword live for 30
// minutes at most, or for ever, and the sweep deletes the expired ones.
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
		errs = append(errs, errors.New("Config.Policy.UnboundedKeys: FixedAPILifetime and RenewExpired make tokens last longer than the keys they are made with, and require it"))
	}
	return errors.Join(errs...)
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
	return p
}

// allowed reports whether by may ask for intent.
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

// mayUse reports whether by, who sees r, may change it, give it another key, or
// be shown its key. A token that was an earlier user's, with the same ID, is nobody's
// to use.
func (p *Policy) mayUse(by *actor, r *store.Record) bool {
	return (by.seesAll() || slices.Contains(p.UserIntents, Intent(r.Intent)) && !by.user.olderToken(r)) && by.holds(r)
}

// holds reports whether r is within what by may touch. A key that ends holds what
// has the intent of its own token and expires no later than the key ends.
func (by *actor) holds(r *store.Record) bool {
	return by.ends.IsZero() ||
		Intent(r.Intent) == by.intent && r.Expiring && !r.Expires.IsZero() && !r.Expires.After(by.ends)
}

// fixesExpiry reports whether p alone decides when r expires, whatever was asked for.
func (p *Policy) fixesExpiry(r *store.Record) bool {
	return p.FixedAPILifetime && Intent(r.Intent) == IntentAPI
}

// renew gives r the life that p fixes, if it fixes one. Trusted code goes before it.
func (p *Policy) renew(r *store.Record, by *actor, now time.Time) bool {
	if by.trusted || !p.fixesExpiry(r) {
		return false
	}
	r.Expires = now.Add(p.DefaultLifetime)
	return true
}

// expiry is what decides when a token expires.
type expiry struct {
	policy *Policy
	by     *actor
	owner  *User
	before *store.Record // the token as it was
}

// set decides whether r expires and when. r has its new intent already. It adds to f
// what p asks for and does not get.
func (x expiry) set(r *store.Record, p *UpdateParams, f *faults, now time.Time) {
	x.setExpiring(r, p.Expiring, f, now)
	if !x.policy.renew(r, x.by, now) {
		x.setExpires(r, p.Expires, f, now)
	}
	x.confine(r, p.Expires, f)
}

// setExpiring decides whether r expires. Trusted code and superusers choose.
func (x expiry) setExpiring(r *store.Record, asked *bool, f *faults, now time.Time) {
	switch {
	case asked != nil && x.by.seesAll():
		r.Expiring = *asked
	case r.Version == 0:
		r.Expiring = x.by.seesAll() || !x.by.user.KeepsTokens || !x.by.ends.IsZero()
		return
	default:
		return
	}
	if !r.Expiring && !x.policy.OptionalExpiry && !x.owner.KeepsTokens && !x.latest(r, now).IsZero() {
		f.addCode("expiring", CodeDenied)
	}
}

// setExpires decides when r expires. asked is nil if no time was named, and zero if
// none is wanted.
func (x expiry) setExpires(r *store.Record, asked *time.Time, f *faults, now time.Time) {
	if asked != nil {
		r.Expires = asked.UTC().Truncate(time.Microsecond)
	}
	latest := x.latest(r, now)
	// A time that stays is looked at again if another rule applies to it now.
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

// latest returns the last instant at which r may expire. It is zero if there is
// no limit.
func (x expiry) latest(r *store.Record, now time.Time) time.Time {
	lifetime := cmp.Or(x.owner.MaxLifetime, x.policy.MaxLifetime)
	if lifetime == 0 || x.policy.fixesExpiry(r) {
		return time.Time{}
	}
	return now.Add(lifetime).Truncate(time.Microsecond)
}

// later reports whether t is after limit. The zero limit is none.
func later(t, limit time.Time) bool { return !limit.IsZero() && t.After(limit) }

// confine keeps r within what the key of the actor holds. A time that was not asked
// for is cut.
func (x expiry) confine(r *store.Record, asked *time.Time, f *faults) {
	ends := x.by.ends
	if ends.IsZero() {
		return
	}
	if Intent(r.Intent) != x.by.intent && !f.has("intent") {
		f.add(FieldError{Field: "intent", Code: CodeBeyondKey, Value: r.Intent})
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

// storable reports whether t is none, or a time that every store can hold and that
// is not taken for none once its nanoseconds are cut off.
func storable(t time.Time) bool {
	year := t.UTC().Year()
	return t.IsZero() || year >= 1 && year <= 9999 && !t.Truncate(time.Microsecond).IsZero()
}

// Expired reports whether the token is refused at the time now because it has
// expired.
func (t Token) Expired(now time.Time) bool {
	return expired(t.Expiring, t.Expires, now)
}

func expired(expiring bool, expires, now time.Time) bool {
	return expiring && !expires.IsZero() && !now.Before(expires)
}

// end returns when the key with this digest, by which r was found, is refused for
// good. It is zero for never.
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
