package httpadapter

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A request may write a time in the forms of ISO 8601 that Python's
// datetime.fromisoformat accepts. It may also write it in Django's form: numbers may
// have one digit, and white space may stand before the offset.
var (
	isoTime = func() *regexp.Regexp {
		const (
			day = `\d{4}-\d\d-\d\d|\d{8}|\d{4}-W\d\d(?:-\d)?|\d{4}W\d\d\d?`
			// Hours alone, or with minutes, seconds and a fraction.
			clock = `\d\d(?::\d\d(?::\d\d(?:[.,]\d+)?)?)?|\d\d(?:\d\d(?:\d\d(?:[.,]\d+)?)?)?`
		)
		return regexp.MustCompile(`^(` + day + `)(?:\D(` + clock + `)(?:[Zz]|([+-])(` + clock + `))?)?$`)
	}()
	djangoTime = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})[Tt ](\d{1,2}):(\d{1,2})` +
		`(?::(\d{1,2})((?:[.,]\d{1,12})?))?\s*(|[Zz]|[+-]\d{2}(?::?\d{2})?)$`)
)

// parseDateTime reads a time, to the microsecond. A date alone means midnight. A time
// without an offset is in UTC. Because of its offset, a time can be outside the years 1
// to 9999.
func parseDateTime(s string) (time.Time, bool) {
	m := isoTime.FindStringSubmatch(s)
	if m == nil {
		m = isoTime.FindStringSubmatch(fromDjango(s))
	}
	if m == nil {
		return time.Time{}, false
	}
	day, ok := parseDay(m[1])
	clock, clockOK := parseClock(m[2])
	offset, offsetOK := parseClock(m[4])
	if !ok || !clockOK || !offsetOK {
		return time.Time{}, false
	}
	if m[3] == "-" {
		offset = -offset
	}
	t := day.Add(clock - offset)
	if t.IsZero() {
		t = t.Add(1) // the zero time would mean no time; nanoseconds are not kept
	}
	return t, true
}

// fromDjango turns a time in Django's form into ISO 8601. It returns "" if s has
// another form.
func fromDjango(s string) string {
	m := djangoTime.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	for i, v := range m[2:7] {
		m[2+i] = strings.Repeat("0", 2-len(v)) + v
	}
	if offset := m[8]; len(offset) == len("+hhmm") {
		m[8] = offset[:3] + ":" + offset[3:]
	}
	return fmt.Sprintf("%s-%s-%sT%s:%s:%s%s%s", m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8])
}

// parseDay reads a date. It may be a week, which means its Monday, or a day of a week.
func parseDay(s string) (time.Time, bool) {
	year, rest, weekly := strings.Cut(strings.ReplaceAll(s, "-", ""), "W")
	if !weekly {
		day, err := time.Parse("20060102", year)
		return day, err == nil && day.Year() > 0
	}
	y, _ := strconv.Atoi(year)
	week, _ := strconv.Atoi(rest[:2])
	weekday := 1
	if len(rest) > 2 {
		weekday = int(rest[2] - '0')
	}
	// ISO 8601: week 1 is the week that has the 4th of January.
	fourth := time.Date(y, time.January, 4, 0, 0, 0, 0, time.UTC)
	monday := fourth.AddDate(0, 0, -(int(fourth.Weekday())+6)%7)
	day := monday.AddDate(0, 0, (week-1)*7+weekday-1)
	isoYear, isoWeek := day.ISOWeek()
	return day, y > 0 && weekday >= 1 && weekday <= 7 && isoYear == y && isoWeek == week && day.Year() > 0 && day.Year() <= 9999
}

// parseClock reads a time of day, or an offset from UTC. "" is 0.
func parseClock(s string) (time.Duration, bool) {
	whole, fraction, _ := strings.Cut(strings.ReplaceAll(s, ",", "."), ".")
	whole = (strings.ReplaceAll(whole, ":", "") + "000000")[:6]
	fraction = (fraction + "000000")[:6]
	n := func(s string) time.Duration { v, _ := strconv.Atoi(s); return time.Duration(v) }
	hours, minutes, seconds := n(whole[:2]), n(whole[2:4]), n(whole[4:])
	return hours*time.Hour + minutes*time.Minute + seconds*time.Second + n(fraction)*time.Microsecond,
		hours < 24 && minutes < 60 && seconds < 60
}
