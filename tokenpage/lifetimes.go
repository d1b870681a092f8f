package tokenpage

import (
	"slices"
	"strings"
	"time"

	"github.com/authtoken/authtoken"
)

// lifetimes are what people can choose from when a token is made. What is not
// offered is not accepted.
type lifetimes struct {
	list []time.Duration

	// longest bounds what can be chosen. Zero is for no bound: any day, and for
	// superusers "never" as well.
	longest time.Duration
}

// newLifetimes returns those of a Config.
func newLifetimes(configured []time.Duration) lifetimes {
	switch {
	case configured == nil:
		return lifetimes{list: []time.Duration{day, 7 * day, 30 * day, 90 * day, 365 * day}}
	case len(configured) == 0:
		return lifetimes{}
	}
	return lifetimes{list: slices.Clone(configured), longest: slices.Max(configured)}
}

func (l *lifetimes) choices(superuser bool) []choice {
	if len(l.list) == 0 {
		return nil
	}
	choices := []choice{{Value: "", Label: "After the usual time"}}
	for _, d := range l.list {
		choices = append(choices, choice{Value: d.String(), Label: "After " + span(d)})
	}
	if l.longest == 0 || l.longest >= day { // else not even today is over soon enough
		choices = append(choices, choice{Value: "date", Label: "On a day of your choice"})
	}
	if l.longest == 0 && superuser { // the service does not hear others on this
		choices = append(choices, choice{Value: "never", Label: "Never"})
	}
	return choices
}

// lastDay returns the last day that can be chosen, which ends while a token of the
// longest lifetime still works. It is zero if any can.
func (l *lifetimes) lastDay(now time.Time) time.Time {
	if l.longest == 0 {
		return time.Time{}
	}
	return now.UTC().Add(l.longest - untilLastSecond).Truncate(day)
}

// untilLastSecond is how long after a day begins the tokens expire whose last day
// it is.
const untilLastSecond = day - time.Second

// setExpiry turns what was chosen in f into what p says about it.
func (l *lifetimes) setExpiry(p *authtoken.CreateParams, f *form, superuser bool, now time.Time) {
	choices := l.choices(superuser)
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

// setDate has the token of p work until the end of a day.
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
