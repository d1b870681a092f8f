package httpadapter_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/httpadapter"
)

func TestFromProxies(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, c := range map[string]struct {
		remote  string
		headers []string
		want    string
	}{
		"no proxy":                  {"192.0.2.1:99", nil, "192.0.2.1"},
		"no proxy, with a header":   {"192.0.2.1:99", []string{"198.51.100.7"}, "192.0.2.1"},
		"one proxy":                 {"10.0.0.1:99", []string{"198.51.100.7"}, "198.51.100.7"},
		"a proxy that adds nothing": {"10.0.0.1:99", nil, "10.0.0.1"},
		"an empty header":           {"10.0.0.1:99", []string{""}, "10.0.0.1"},
		"two proxies":               {"10.0.0.1:99", []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"an invented one before":    {"10.0.0.1:99", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		"an invented trusted one":   {"10.0.0.1:99", []string{"10.0.0.9, 198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"in two lines":              {"10.0.0.1:99", []string{"203.0.113.9", "198.51.100.7,10.0.0.2"}, "198.51.100.7"},
		"all trusted":               {"10.0.0.1:99", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"broken":                    {"10.0.0.1:99", []string{"198.51.100.7, unknown"}, ""},
		"empty entry":               {"10.0.0.1:99", []string{"198.51.100.7,"}, ""},
		"two empty lines":           {"10.0.0.1:99", []string{"", ""}, ""},
		"broken, further left":      {"10.0.0.1:99", []string{"unknown, 198.51.100.7"}, "198.51.100.7"},
		"broken, past a proxy":      {"10.0.0.1:99", []string{"198.51.100.7, unknown, 10.0.0.2"}, ""},
		"with ports":                {"10.0.0.1:99", []string{"[2001:db8::1]:4711, 10.0.0.2:80"}, "2001:db8::1"},
		"IPv4 in IPv6":              {"[::ffff:10.0.0.1]:99", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"a zone":                    {"[fd00::1%eth0]:99", []string{"198.51.100.7"}, "198.51.100.7"},
		"a name":                    {"10.0.0.1:99", []string{"client.example"}, ""},
		"no address":                {"@", []string{"198.51.100.7"}, ""},
		"a Unix socket":             {"", []string{"198.51.100.7"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.remote
			for _, h := range c.headers {
				r.Header.Add("X-Forwarded-For", h)
			}
			require.Equal(t, c.want, httpadapter.FromProxies(trusted...)(r))
		})
	}
	t.Run("none trusted", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.1:99"
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		require.Equal(t, "10.0.0.1", httpadapter.FromProxies()(r))
	})
}
