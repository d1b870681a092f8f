package tokenpage

import (
	"fmt"
	"time"

	"github.com/authtoken/authtoken"
)

// moment is a time in words, and the exact time.
type moment struct {
	Words string
	At    time.Time // zero if there is no exact time
}

// Machine returns the time for the datetime attribute of a time element.
func (m moment) Machine() string { return m.At.UTC().Format(time.RFC3339) }

// Exact returns the time to the minute.
func (m moment) Exact() string { return exact(m.At) }

func exact(at time.Time) string { return at.UTC().Format("2 January 2006, 15:04 UTC") }

// soon is the time before a token expires during which the page warns of that.
const soon = 7 * 24 * time.Hour

// expiry says when t expires or has expired.
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

// lastUse says when t was last used. A token without a recorded use may have been used: the
// service records uses only if it is configured to.
func lastUse(t authtoken.Token, now time.Time) moment {
	if t.LastUsed.IsZero() {
		return moment{Words: "No recorded use"}
	}
	return moment{"Used " + ago(now.Sub(t.LastUsed)), t.LastUsed}
}

func ago(d time.Duration) string {
	if d < time.Minute/2 { // it can be negative, if another machine's clock is ahead
		return "just now"
	}
	return span(d) + " ago"
}

const (
	day  = 24 * time.Hour
	year = 365*day + day/4
)

// span says how long d is, rounded. It says "90 minutes" and "36 hours", since "1 hour" and
// "1 day" would be far off.
func span(d time.Duration) string {
	for _, u := range []struct {
		length time.Duration
		name   string
		below  int64 // from this number on, a larger unit is used
		one    int64 // this number is one of the next unit, which called names
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
