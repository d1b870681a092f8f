package authtoken

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/authtoken/authtoken/store"
)

// anywhere is how a record says that the key of a token may come from anywhere. A
// record that says nothing refuses it.
const anywhere = "*"

const maxNetworks = 50

// networksText returns networks in the form that is stored. Nil is anywhere.
func networksText(networks []netip.Prefix) string {
	if networks == nil {
		return anywhere
	}
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.Masked().String()
	}
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), " ")
}

// networksOf returns the networks that text holds. It is nil for anywhere, and empty
// for nowhere.
func networksOf(text string) []netip.Prefix {
	if text == anywhere {
		return nil
	}
	return parseNetworks(text)
}

// parseNetworks is apart from networksOf, which is inlined where keys are checked.
func parseNetworks(text string) []netip.Prefix {
	networks := []netip.Prefix{}
	for t := range strings.FieldsSeq(text) {
		if n, err := netip.ParsePrefix(t); err == nil {
			networks = append(networks, n)
		}
	}
	return networks
}

// fromWithin reports whether from is in one of the networks of r, which is not anywhere. The
// zero address is in none.
func fromWithin(r *store.Record, from netip.Addr) bool {
	for t := range strings.FieldsSeq(r.Networks) {
		if n, err := netip.ParsePrefix(t); err == nil && n.Contains(from) {
			return true
		}
	}
	return false
}

// networksWithin reports whether each network of inner is in one of outer.
func networksWithin(inner, outer string) bool {
	if outer == anywhere {
		return true
	}
	if inner == anywhere {
		return false
	}
	outers := networksOf(outer)
	for _, n := range networksOf(inner) {
		if !slices.ContainsFunc(outers, func(o netip.Prefix) bool { return o.Bits() <= n.Bits() && o.Contains(n.Addr()) }) {
			return false
		}
	}
	return true
}

// ParseFrom returns the address in From of [Credentials], which may have a port. It is in the
// form that Networks are compared with: an IPv4 address in its IPv6 form becomes plain, and
// a zone is left out. If there is no address, ParseFrom returns the zero Addr, which is in
// no network.
func ParseFrom(from string) netip.Addr {
	a, err := netip.ParseAddr(from)
	if err != nil {
		ap, err := netip.ParseAddrPort(from)
		if err != nil {
			return netip.Addr{}
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone("")
}

// ParseNetwork returns a network that people or clients have written, such as
// "192.0.2.0/24". A single address is a network of one. Addresses with zones are errors.
func ParseNetwork(text string) (netip.Prefix, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.ParsePrefix(text)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// setNetworks sets where the key of r may come from. asked is nil if it was not named.
func (f *faults) setNetworks(r *store.Record, asked *[]netip.Prefix, by *actor) {
	switch {
	case f.has("networks"):
	case asked != nil:
		f.checkNetworks(*asked)
		r.Networks = networksText(*asked)
	case r.Version == 0 && by.bounded():
		r.Networks = by.networks
	case r.Version == 0:
		r.Networks = anywhere
	}
}

// checkNetworks notes what is wrong with networks.
func (f *faults) checkNetworks(networks []netip.Prefix) {
	if networks != nil && len(networks) == 0 {
		f.addCode("networks", CodeBlank)
	}
	if len(networks) > maxNetworks {
		f.add(FieldError{Field: "networks", Code: CodeTooMany, Limit: maxNetworks})
		return
	}
	for _, n := range networks {
		if !n.IsValid() || n.Addr().Is4In6() {
			f.add(FieldError{Field: "networks", Code: CodeInvalid, Value: n.String()})
		}
	}
}
