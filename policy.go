package authtoken

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Policy is what an application allows. The zero Policy is a good default: the
// documented contract of authentik, made safe. [Authentik] is the one that
// behaves as authentik does, less a few mistakes of authentik's.
//
// In the default policy a token that expires always has a time at which it
// does, expiry is what was asked for, and asking for too much is an error.
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

	// DefaultLifetime is how long a token lives if nothing else was asked for.
	// Defaults to 30 minutes, or to MaxLifetime if that is less.
	DefaultLifetime time.Duration

	// MaxLifetime is the longest life that may be asked for, for owners
	// without a readable [AttributeMaximumLifetime], which goes first. Zero is
	// no limit, or DefaultLifetime for an owner whose attribute can't be read. With a limit in force nobody can make a token that does not
	// expire, unless [AttributeExpires] of the owner or OptionalExpiry says so.
	MaxLifetime time.Duration

	// FixedAPILifetime gives tokens of IntentAPI that are made or changed
	// through [Service.As] the DefaultLifetime from that moment, whatever was
	// asked for, and exempts that intent from any maximum.
	FixedAPILifetime bool

	// OptionalExpiry lets a token that expires be without a time at which it
	// does, which comes to never: by not asking for one, or by removing it.
	OptionalExpiry bool

	// Retention is how long a token that has expired is kept before
	// [Service.Sweep] deletes it; it is refused all the while. Defaults to 30
	// days; negative is not at all.
	Retention time.Duration

	// RenewExpired makes [Service.Sweep] give tokens of IntentAPI that have
	// expired a new key and the DefaultLifetime, rather than delete them.
	RenewExpired bool

	// MaxTokens is how many tokens a user may have before no more can be made
	// for them through [Service.As]. Zero is any number. The limit is exact,
	// however many services and processes share the store.
	MaxTokens int

	// UnboundedKeys lets a key make and manage tokens that last longer than the
	// key itself. Without it, [Service.For] does not. FixedAPILifetime and
	// RenewExpired make tokens last longer by themselves, so that they require it.
	UnboundedKeys bool

	// UsersSetManaged lets users who are no superusers set and change Managed of
	// their own tokens. Since names there are unique, one user can take the name
	// that the application is going to use.
	UsersSetManaged bool

	// MaxTextLength is how many characters the Description and the Managed of a
	// token may have. What a token has already may stay, and be sent again.
	// Defaults to 1,000. Lists hold as many of these texts in memory as there
	// are tokens on a page.
	MaxTextLength int

	// RevokeOnReuse deletes a token when a key of it is used that a rotation has
	// replaced and whose overlap is over, since somebody must have kept it who
	// should not have. Without it, such a use is refused and reported, as any
	// other.
	RevokeOnReuse bool
}

// Authentik returns the policy of authentik 2024.8: callers ask for tokens of
// IntentAPI, which live for 30 minutes from their last change and are renewed
// when swept, and of IntentAppPassword, which may live for at most as long and
// are deleted.
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

func (p Policy) withDefaults() Policy {
	if p.SuperuserIntents == nil {
		p.SuperuserIntents = Intents()
	}
	if p.UserIntents == nil {
		p.UserIntents = []Intent{IntentAPI, IntentAppPassword}
	}
	if p.DefaultLifetime == 0 {
		p.DefaultLifetime = defaultLifetime
		if p.MaxLifetime > 0 {
			p.DefaultLifetime = min(p.DefaultLifetime, p.MaxLifetime)
		}
	}
	if p.Retention == 0 {
		p.Retention = defaultRetention
	}
	p.Retention = max(p.Retention, 0)
	if p.MaxTextLength == 0 {
		p.MaxTextLength = defaultTextLength
	}
	p.DefaultLifetime = p.DefaultLifetime.Truncate(time.Microsecond)
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
// be shown its key.
func (p *Policy) mayUse(by *actor, r *store.Record) bool {
	return (by.seesAll() || slices.Contains(p.UserIntents, Intent(r.Intent))) && by.holds(r)
}

// holds reports whether r is within what by may touch: for a key that ends, only
// what has the intent of its token and is over when the key is.
func (by *actor) holds(r *store.Record) bool {
	return by.ends.IsZero() ||
		Intent(r.Intent) == by.intent && r.Expiring && !r.Expires.IsZero() && !r.Expires.After(by.ends)
}

// confine notes what in p asks for more than by holds. An expiry that p does not
// name is cut.
func (by *actor) confine(r *store.Record, p *UpdateParams, f *faults) {
	if by.ends.IsZero() {
		return
	}
	if Intent(r.Intent) != by.intent && !f.has("intent") {
		f.add("intent", CodeDenied, fmt.Sprintf("A key of intent %q can't make or change tokens of another intent.", by.intent))
	}
	if !r.Expiring {
		f.add("expiring", CodeDenied, "A key that expires can't make tokens that do not.")
	}
	if r.Expires.IsZero() || r.Expires.After(by.ends) {
		if p.Expires != nil && !p.Expires.IsZero() && !f.has("expires") {
			f.add("expires", CodeTooLong, "A key can't make a token last longer than itself: "+by.ends.Format(time.RFC3339)+".")
		}
		r.Expires = by.ends
	}
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

// latest returns the last instant at which a token of this owner and intent may
// expire. It is zero if there is no bound.
func (p *Policy) latest(intent Intent, owner *User, now time.Time) time.Time {
	if p.FixedAPILifetime && intent == IntentAPI {
		return time.Time{}
	}
	lifetime, limited := owner.maximumLifetime()
	if lifetime == nil && p.MaxLifetime > 0 {
		lifetime = &p.MaxLifetime
	}
	switch {
	case lifetime != nil:
		return now.Add(*lifetime)
	case limited: // nobody knows how: not at all would be the widest reading
		return now.Add(p.DefaultLifetime)
	}
	return time.Time{}
}

// setExpiry decides when r expires, which has its new Intent and Expiring
// already; before is what it was. asked is nil if the caller has not named a
// time, and zero if they asked for none.
func (p *Policy) setExpiry(r, before *store.Record, asked *time.Time, by *actor, owner *User, now time.Time) *FieldError {
	if p.FixedAPILifetime && !by.trusted && Intent(r.Intent) == IntentAPI {
		r.Expires = now.Add(p.DefaultLifetime)
		return nil
	}
	latest := p.latest(Intent(r.Intent), owner, now)
	if asked != nil {
		r.Expires = asked.UTC().Truncate(time.Microsecond)
	}
	// A time that stays is looked at again if another rule is for it now.
	ruled := r.Expiring && (r.Intent != before.Intent || !before.Expiring)
	if asked != nil || ruled {
		if !latest.IsZero() && r.Expires.After(latest) {
			return &FieldError{"expires", CodeTooLong, "Token expires exceeds maximum lifetime (" +
				latest.Format("2006-01-02 15:04:05.000000-07:00") + " UTC)."}
		}
	}
	optional := p.OptionalExpiry && !(p.FixedAPILifetime && Intent(r.Intent) == IntentAPI)
	if r.Expires.IsZero() && r.Expiring && !optional {
		r.Expires = now.Add(p.DefaultLifetime)
		if !latest.IsZero() && r.Expires.After(latest) {
			r.Expires = latest
		}
	}
	return nil
}

// makesExpiring reports whether tokens that u makes for themselves expire.
func (u *User) makesExpiring() bool { return u.Attributes[AttributeExpires] != false }

// maximumLifetime returns the longest life that a token of u may be given, and
// whether u has such a limit. It is nil if there is none, or none that can be read.
func (u *User) maximumLifetime() (lifetime *time.Duration, limited bool) {
	v, limited := u.Attributes[AttributeMaximumLifetime]
	if s, ok := v.(string); ok {
		if d, ok := parseLifetime(s); ok {
			return &d, true
		}
	}
	return nil, limited
}

var lifetimeUnits = map[string]time.Duration{
	"weeks":        7 * 24 * time.Hour,
	"days":         24 * time.Hour,
	"hours":        time.Hour,
	"minutes":      time.Minute,
	"seconds":      time.Second,
	"milliseconds": time.Millisecond,
	"microseconds": time.Microsecond,
}

// parseLifetime reads "hours=2;minutes=30" the way authentik does: units may be
// in any case and have fractions, unknown ones are passed over, of one
// that occurs twice the last counts, and there must be a known one.
func parseLifetime(s string) (time.Duration, bool) {
	amounts := make(map[string]float64)
	for pair := range strings.SplitSeq(s, ";") {
		unit, value, ok := strings.Cut(pair, "=")
		if !ok || strings.Contains(value, "=") {
			return 0, false
		}
		unit = strings.ToLower(unit)
		if lifetimeUnits[unit] == 0 {
			continue
		}
		amount, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || math.IsInf(amount, 0) || math.IsNaN(amount) || strings.ContainsAny(value, "xX") {
			return 0, false
		}
		amounts[unit] = amount
	}
	if len(amounts) == 0 {
		return 0, false
	}
	var total float64
	for unit, amount := range amounts {
		total += amount * float64(lifetimeUnits[unit])
	}
	// 100 years either way are as good as more, and can be added to any
	// date without running out of them.
	const limit = 100 * 365 * 24 * time.Hour
	return time.Duration(min(max(total, -float64(limit)), float64(limit))).Round(time.Microsecond), true
}
