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
	fault := func(e authtoken.FieldError) { p.Invalid = append(p.Invalid, e) }
	choices := l.choices(superuser)
	if len(choices) == 0 {
		if f.Expires != "" || f.Date != "" {
			fault(authtoken.FieldError{Field: "expires", Code: codeNoChoice})
		}
		return
	}
	if !offers(choices, f.Expires) {
		fault(authtoken.FieldError{Field: "expires", Code: codeNotOffered})
		return
	}
	switch f.Expires {
	case "":
	case "never":
		p.Expiring = new(false)
	case "date":
		date, err := time.Parse(time.DateOnly, strings.TrimSpace(f.Date))
		expires, last := date.Add(untilLastSecond), l.lastDay(now)
		switch {
		case strings.TrimSpace(f.Date) == "":
			fault(authtoken.FieldError{Field: "date", Code: authtoken.CodeRequired})
		case err != nil:
			fault(authtoken.FieldError{Field: "date", Code: codeBadDate, Value: now.UTC().Add(30 * day).Format(time.DateOnly)})
		case !expires.After(now):
			fault(authtoken.FieldError{Field: "date", Code: codeOver})
		case !last.IsZero() && date.After(last):
			fault(authtoken.FieldError{Field: "date", Code: codeTooFar, Latest: last})
		default:
			p.Expires = expires
		}
	default:
		i := slices.IndexFunc(l.list, func(d time.Duration) bool { return d.String() == f.Expires })
		p.Expires = now.Add(l.list[i])
	}
}
