package authtoken

import (
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
	// SuperuserIntents and UserIntents are what superusers, and all others,
	// may ask for through [Service.As]. Nil means all four for superusers
	// and IntentAPI and IntentAppPassword for others.
	SuperuserIntents []Intent
	UserIntents      []Intent

	// DefaultLifetime is how long a token lives if nothing else was asked for.
	// Defaults to 30 minutes, or to MaxLifetime if that is less.
	DefaultLifetime time.Duration

	// MaxLifetime is the longest life that may be asked for, for owners
	// without a readable [AttributeMaximumLifetime], which goes first. Zero is
	// no limit. With a limit in force nobody can make a token that does not
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
	// for them through [Service.As]. Zero is any number. The limit is exact
	// among callers in one process.
	MaxTokens int

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
	}
}

const (
	defaultLifetime  = 30 * time.Minute
	defaultRetention = 30 * 24 * time.Hour
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
	p.DefaultLifetime = p.DefaultLifetime.Truncate(time.Microsecond)
	return p
}

// allowed reports whether the caller may ask for intent.
func (p *Policy) allowed(by *Caller, intent Intent) bool {
	switch {
	case by == nil:
		return true
	case by.user.Superuser:
		return slices.Contains(p.SuperuserIntents, intent)
	default:
		return slices.Contains(p.UserIntents, intent)
	}
}

// latest returns the last instant at which a token of this owner and intent may
// expire. It is zero if there is no bound.
func (p *Policy) latest(intent Intent, owner *User, now time.Time) time.Time {
	if p.FixedAPILifetime && intent == IntentAPI {
		return time.Time{}
	}
	lifetime, ok := owner.maximumLifetime()
	if !ok {
		if p.MaxLifetime == 0 {
			return time.Time{}
		}
		lifetime = p.MaxLifetime
	}
	return now.Add(lifetime)
}

// setExpiry decides when r expires, which has its new Intent and Expiring
// already; before is what it was. asked is nil if the caller has not named a
// time, and zero if they asked for none.
func (p *Policy) setExpiry(r, before *store.Record, asked *time.Time, by *Caller, owner *User, now time.Time) *FieldError {
	if p.FixedAPILifetime && by != nil && Intent(r.Intent) == IntentAPI {
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

func (u *User) maximumLifetime() (time.Duration, bool) {
	s, ok := u.Attributes[AttributeMaximumLifetime].(string)
	if !ok {
		return 0, false
	}
	return parseLifetime(s)
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
