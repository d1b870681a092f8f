package tokenpage

import (
	"slices"
	"strings"
	"time"

	"github.com/authtoken/authtoken"
)

// lifetimes are the lifetimes that people can choose from. No other lifetime is accepted.
type lifetimes struct {
	list []time.Duration

	// longest is the longest lifetime that can be chosen. Zero means that there is none:
	// people can choose any day, and whoever sees the tokens of all users also "never".
	longest time.Duration
}

// newLifetimes returns the lifetimes for Lifetimes of a Config.
func newLifetimes(configured []time.Duration) lifetimes {
	switch {
	case configured == nil:
		return lifetimes{list: []time.Duration{day, 7 * day, 30 * day, 90 * day, 365 * day}}
	case len(configured) == 0:
		return lifetimes{}
	}
	return lifetimes{list: slices.Clone(configured), longest: slices.Max(configured)}
}

func (l *lifetimes) choices(seesAll bool) []choice {
	if len(l.list) == 0 {
		return nil
	}
	choices := []choice{{Value: "", Label: "After the usual time"}}
	for _, d := range l.list {
		choices = append(choices, choice{Value: d.String(), Label: "After " + span(d)})
	}
	if l.longest == 0 || l.longest >= day { // otherwise even the end of today is too late
		choices = append(choices, choice{Value: "date", Label: "On a day of your choice"})
	}
	if l.longest == 0 && seesAll { // only they may set Expiring
		choices = append(choices, choice{Value: "never", Label: "Never"})
	}
	return choices
}

// lastDay returns the last day that can be chosen: a token with the longest lifetime works
// until it ends. It is zero if any day can be chosen.
func (l *lifetimes) lastDay(now time.Time) time.Time {
	if l.longest == 0 {
		return time.Time{}
	}
	return now.UTC().Add(l.longest - untilLastSecond).Truncate(day)
}

// untilLastSecond is the time from the beginning of a day to its last second, when the
// tokens expire for which that day was chosen.
const untilLastSecond = day - time.Second

// setExpiry sets the expiry in p to the choice in f. If that is not offered, it adds a
// fault to p.
func (l *lifetimes) setExpiry(p *authtoken.CreateParams, f *form, seesAll bool, now time.Time) {
	choices := l.choices(seesAll)
	switch {
	case len(choices) == 0 && f.Expires == "" && f.Date == "":
	case len(choices) == 0:
		p.Invalid = append(p.Invalid, authtoken.FieldError{Field: "expires", Code: codeNoChoice})
	case !offers(choices, f.Expires):
		p.Invalid = append(p.Invalid, authtoken.FieldError{Field: "expires", Code: codeNotOffered})
	case f.Expires == "never":
		p.Expiring = new(false)
	case f.Expires == "date":
		l.setDate(p, strings.TrimSpace(f.Date), now)
	default:
		for _, d := range l.list {
			if d.String() == f.Expires {
				p.Expires = now.Add(d)
			}
		}
	}
}

// setDate sets the expiry in p to the end of the day in text. If that day can't be chosen,
// it adds a fault to p.
func (l *lifetimes) setDate(p *authtoken.CreateParams, text string, now time.Time) {
	date, err := time.Parse(time.DateOnly, text)
	fault, last := authtoken.FieldError{Field: "date"}, l.lastDay(now)
	expires := date.Add(untilLastSecond)
	switch {
	case text == "":
		fault.Code = authtoken.CodeRequired
	case err != nil:
		fault.Code, fault.Value = codeBadDate, now.UTC().Add(30*day).Format(time.DateOnly)
	case !expires.After(now):
		fault.Code = codeOver
	case !last.IsZero() && date.After(last):
		fault.Code, fault.Latest = codeTooFar, last
	default:
		p.Expires = expires
		return
	}
	p.Invalid = append(p.Invalid, fault)
}
