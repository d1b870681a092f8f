package httpadapter

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/authtoken/authtoken"
)

// FromProxies returns a function that says where a request comes from, for From of
// [GuardConfig] and [Config], if it may have come through these proxies.
//
// It reads X-Forwarded-For from the right, past addresses that are trusted, and returns the
// first that is not: who has sent the request to the outermost proxy. So the proxies
// must add to that header what they see. If the request itself does not come
// from a trusted address, the header is the sender's own invention and plays no part. If all
// addresses are trusted, the leftmost counts. If an entry on the way is not an
// address, the function returns the empty string, which is no address: tokens that
// have networks are refused then.
func FromProxies(trusted ...netip.Prefix) func(*http.Request) string {
	trusted = slices.Clone(trusted)
	isTrusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return func(r *http.Request) string {
		from := authtoken.ParseFrom(r.RemoteAddr)
		if !from.IsValid() {
			return ""
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if hops[0] == "" && len(hops) == 1 {
			return from.String()
		}
		for i := len(hops) - 1; i >= 0 && isTrusted(from); i-- {
			if from = authtoken.ParseFrom(strings.TrimSpace(hops[i])); !from.IsValid() {
				return ""
			}
		}
		return from.String()
	}
}
