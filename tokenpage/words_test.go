package tokenpage_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/tokenpage"
)

const second, month, year = time.Second, 365 * day / 12, 365 * day

func TestSpansInWords(t *testing.T) {
	t.Parallel()
	expiry := regexp.MustCompile(`<dt>Expiry</dt><dd>(.*?) <span class="exact">`)
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{time.Microsecond, "less than a minute"},
		{30*second - 1000, "less than a minute"},
		{30 * second, "1 minute"},
		{90*second - 1000, "1 minute"},
		{90 * second, "2 minutes"},
		{59*time.Minute + 29*second, "59 minutes"},
		{59*time.Minute + 30*second, "1 hour"},
		{time.Hour + 29*second, "1 hour"},
		{time.Hour + 30*second, "61 minutes"},
		{119*time.Minute + 29*second, "119 minutes"},
		{119*time.Minute + 30*second, "2 hours"},
		{2*time.Hour + 29*time.Minute, "2 hours"},
		{2*time.Hour + 30*time.Minute, "3 hours"},
		{23*time.Hour + 29*time.Minute, "23 hours"},
		{24 * time.Hour, "1 day"},
		{24*time.Hour + 30*time.Minute, "25 hours"},
		{47*time.Hour + 29*time.Minute, "47 hours"},
		{47*time.Hour + 30*time.Minute, "2 days"},
		{60*time.Hour - second, "2 days"},
		{60 * time.Hour, "3 days"},
		{30*day - second, "30 days"},
		{90 * day, "90 days"},
		{99*day + 11*time.Hour, "99 days"},
		{99*day + 12*time.Hour, "3 months"},
		{11 * month, "11 months"},
		{year, "1 year"},
		{13 * month, "13 months"},
		{23 * month, "23 months"},
		{2 * year, "2 years"},
		{100 * year, "100 years"},
	} {
		t.Run(c.d.String(), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			now := s.clock.Now()
			s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
			_, err := s.svc.Update(t.Context(), "one", authtoken.UpdateParams{Expires: new(now.Add(c.d))})
			require.NoError(t, err)
			in := expiry.FindStringSubmatch(s.get(t, "alice", "?do=edit&token=one"))[1]
			require.Equal(t, "Expires in "+c.want, in)

			_, err = s.svc.Update(t.Context(), "one", authtoken.UpdateParams{Expires: new(now.Add(-c.d))})
			require.NoError(t, err)
			want := c.want + " ago"
			if c.d < 30*second {
				want = "just now"
			}
			ago := expiry.FindStringSubmatch(s.get(t, "alice", "?do=edit&token=one"))[1]
			require.Equal(t, "Expired "+want, ago)
		})
	}
}

func TestExpiryInWords(t *testing.T) {
	t.Parallel()
	s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
	s.make(t, authtoken.CreateParams{Identifier: "one", User: "2"})
	_, err := s.svc.Update(t.Context(), "one", authtoken.UpdateParams{Expires: new(s.clock.Now())})
	require.NoError(t, err)
	require.Contains(t, words(s.get(t, "alice", "?do=edit&token=one")), "Expired just now (15 January 2030, 12:00 UTC)", "from the very instant")
	_, err = s.svc.Update(t.Context(), "one", authtoken.UpdateParams{Expiring: new(false)})
	require.NoError(t, err)
	require.Contains(t, words(s.get(t, "alice", "?do=edit&token=one")), "Expiry Never expires Last use")
}

func TestUseInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		later time.Duration
		want  string
	}{
		{-time.Minute, "just now"}, // by another machine's clock
		{0, "just now"},
		{29 * second, "just now"},
		{30 * second, "1 minute ago"},
		{5 * time.Minute, "5 minutes ago"},
		{3 * day, "3 days ago"},
	} {
		t.Run(c.later.String(), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			_, key := s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Expiring: new(false)})
			require.Contains(t, words(s.get(t, "alice", "?do=edit&token=one")), "Last use No recorded use Made just now (15 January 2030, 12:00 UTC)")
			s.clock.Advance(time.Hour)
			_, err := s.svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.7"})
			require.NoError(t, err)
			require.NoError(t, s.svc.FlushLastUsed(t.Context()))
			s.clock.Advance(c.later)
			require.Contains(t, words(s.get(t, "alice", "?do=edit&token=one")),
				"Last use Used "+c.want+" (15 January 2030, 13:00 UTC) From 192.0.2.7 Made")
		})
	}
}

// What expires within a week stands out, as does what has.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for at, class := range map[time.Duration]string{
		0: ` class="over"`, time.Microsecond: ` class="soon"`, 7 * day: ` class="soon"`, 7*day + time.Microsecond: "",
	} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{})
			s.make(t, authtoken.CreateParams{Identifier: "one", User: "2", Expires: s.clock.Now().Add(at)})
			require.Regexp(t, `<td role="cell"`+class+`><time[^>]*>Expire`, s.get(t, "alice", ""))
		})
	}
}
