package tokenpage

import (
	"fmt"
	"time"

	"github.com/authtoken/authtoken"
)

// moment is a time in words for people, and exactly for who wants to know.
type moment struct {
	Words string
	At    time.Time // zero if there is no time to it
}

// Machine is for the datetime attribute of an element time.
func (m moment) Machine() string { return m.At.UTC().Format(time.RFC3339) }

// Exact is the time to the minute.
func (m moment) Exact() string { return exact(m.At) }

func exact(at time.Time) string { return at.UTC().Format("2 January 2006, 15:04 UTC") }

const soon = 7 * 24 * time.Hour // worth a warning

// expiry tells when t expires or has expired.
func expiry(t authtoken.Token, now time.Time) moment {
	switch {
	case !t.Expiring || t.Expires.IsZero():
		return moment{Words: "Never expires"}
	case !t.Expired(now):
		return moment{"Expires in " + span(t.Expires.Sub(now)), t.Expires}
	default:
		return moment{"Expired " + ago(now.Sub(t.Expires)), t.Expires}
	}
}

// lastUse tells when t was last used. That none was recorded does not mean that
// there was none: uses are recorded only if the service is told to.
func lastUse(t authtoken.Token, now time.Time) moment {
	if t.LastUsed.IsZero() {
		return moment{Words: "No recorded use"}
	}
	return moment{"Used " + ago(now.Sub(t.LastUsed)), t.LastUsed}
}

func ago(d time.Duration) string {
	if d < time.Minute/2 { // or in the future, by another machine's clock
		return "just now"
	}
	return span(d) + " ago"
}

const (
	day  = 24 * time.Hour
	year = 365*day + day/4
)

// span says how long d is, rounded: "90 minutes" and "36 hours" rather than the
// "1 hour" and "1 day" that they are far from.
func span(d time.Duration) string {
	for _, u := range []struct {
		length time.Duration
		name   string
		below  int64 // for as many, a larger unit is taken
		one    int64 // as many are just one of the next, if there is a word for that
		called string
	}{
		{time.Minute, "minute", 120, 60, "1 hour"},
		{time.Hour, "hour", 48, 24, "1 day"},
		{day, "day", 100, -1, ""},
		{year / 12, "month", 24, 12, "1 year"},
	} {
		switch n := int64(d.Round(u.length) / u.length); {
		case n < 1:
			return "less than a minute"
		case n == u.one:
			return u.called
		case n < u.below:
			return count(n, u.name)
		}
	}
	return count(int64(d.Round(year)/year), "year")
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
