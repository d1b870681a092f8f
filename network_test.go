package authtoken_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

func prefixes(texts ...string) []netip.Prefix {
	networks := []netip.Prefix{}
	for _, t := range texts {
		networks = append(networks, netip.MustParsePrefix(t))
	}
	return networks
}

// What networks a token gets, when it is made and when it is changed.
func TestNetworks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asked, want []netip.Prefix
		fault       string
	}{
		"anywhere":      {nil, nil, ""},
		"none":          {[]netip.Prefix{}, nil, "networks must not be blank"},
		"one":           {prefixes("192.0.2.0/24"), prefixes("192.0.2.0/24"), ""},
		"masked":        {prefixes("192.0.2.7/24"), prefixes("192.0.2.0/24"), ""},
		"twice":         {prefixes("192.0.2.7/24", "192.0.2.0/24"), prefixes("192.0.2.0/24"), ""},
		"both families": {prefixes("192.0.2.0/24", "2001:db8::/32"), prefixes("192.0.2.0/24", "2001:db8::/32"), ""},
		"one address":   {prefixes("192.0.2.7/32"), prefixes("192.0.2.7/32"), ""},
		"all of IPv4":   {prefixes("0.0.0.0/0"), prefixes("0.0.0.0/0"), ""},
		"4 in 6":        {prefixes("::ffff:192.0.2.0/120"), nil, `networks "::ffff:192.0.2.0/120" is invalid`},
		"zero":          {make([]netip.Prefix, 1), nil, `networks "invalid Prefix" is invalid`},
		"too many":      {make([]netip.Prefix, 51), nil, "networks has more than 50"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, authtoken.Policy{})
			create(t, svc, authtoken.CreateParams{Identifier: "old", User: alice.ID, Networks: prefixes("198.51.100.0/24")})
			token, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "new", User: alice.ID, Networks: c.asked})
			changed, errUpdate := svc.Update(t.Context(), "old", authtoken.UpdateParams{Networks: &c.asked})
			if c.fault != "" {
				require.ErrorContains(t, err, c.fault)
				require.ErrorContains(t, errUpdate, c.fault)
				return
			}
			require.NoError(t, err)
			require.NoError(t, errUpdate)
			require.Equal(t, c.want, token.Networks)
			require.Equal(t, c.want, changed.Networks)
			changed, err = svc.Update(t.Context(), "old", authtoken.UpdateParams{Description: new("x")})
			require.NoError(t, err)
			require.Equal(t, c.want, changed.Networks, "they stay")
		})
	}
}

func TestWhereAKeyComesFrom(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	_, bound := create(t, svc, authtoken.CreateParams{
		Identifier: "bound", User: alice.ID, Networks: prefixes("192.0.2.0/24", "2001:db8::/32", "203.0.113.7/32"),
	})
	_, free := create(t, svc, authtoken.CreateParams{Identifier: "free", User: alice.ID})
	_, ipv4 := create(t, svc, authtoken.CreateParams{Identifier: "ipv4", User: alice.ID, Networks: prefixes("0.0.0.0/0")})
	for from, want := range map[string]struct{ bound, ipv4 bool }{
		"192.0.2.1":               {true, true},
		"192.0.2.1:4711":          {true, true},
		"203.0.113.7":             {true, true},
		"203.0.113.8":             {false, true},
		"192.0.3.1":               {false, true},
		"::ffff:192.0.2.1":        {true, true},
		"[::ffff:192.0.2.1]:80":   {true, true},
		"2001:db8::1":             {true, false},
		"[2001:db8::1%eth0]:80":   {true, false},
		"2001:db9::1":             {false, false},
		"":                        {false, false},
		"proxy":                   {false, false},
		"192.0.2.1, 198.51.100.1": {false, false},
		"192.0.2.01":              {false, false},
		"192.0.2.1:http":          {false, false},
		"192.0.2.0/24":            {false, false},
		"192.0.2.1\x00":           {false, false},
		"192.0.2.\xff1":           {false, false},
		"https://192.0.2.1":       {false, false},
		"::192.0.2.1":             {false, false},
		"64:ff9b::192.0.2.1":      {false, false},
		"0.0.0.0":                 {false, true},
		"localhost":               {false, false},
	} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			for key, want := range map[string]bool{bound: want.bound, free: true, ipv4: want.ipv4} {
				_, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: from})
				if want {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, authtoken.ErrKeyAddress)
				require.ErrorIs(t, err, authtoken.ErrRefused)
			}
		})
	}
	t.Run("Authenticate", func(t *testing.T) {
		t.Parallel()
		_, err := svc.Authenticate(t.Context(), bound)
		require.ErrorIs(t, err, authtoken.ErrKeyAddress)
	})
}

// A key acts from where it was checked, and no longer once that is not allowed any more.
func TestNetworksAreLookedAtAgain(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	_, key := create(t, svc, authtoken.CreateParams{
		Identifier: "bound", User: alice.ID, Networks: prefixes("192.0.2.0/24", "198.51.100.0/24"), Expiring: new(false),
	})
	who, err := svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.1"})
	require.NoError(t, err)
	_, err = svc.For(who).Update(t.Context(), "bound", authtoken.UpdateParams{Description: new("x")})
	require.NoError(t, err)
	_, err = svc.Update(t.Context(), "bound", authtoken.UpdateParams{Networks: new(prefixes("198.51.100.0/24"))})
	require.NoError(t, err)
	_, err = svc.For(who).Update(t.Context(), "bound", authtoken.UpdateParams{Description: new("y")})
	require.ErrorIs(t, err, authtoken.ErrKeyAddress)
}

func TestParseNetwork(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.0/24": "192.0.2.0/24", "192.0.2.7": "192.0.2.7/32", "2001:db8::1": "2001:db8::1/128", "192.0.2.7/24": "192.0.2.7/24",
		"": "", "192.0.2.0/33": "", "fe80::1%eth0": "", "fe80::/64%eth0": "", "192.0.2.7:80": "", "example.com": "",
	} {
		n, err := authtoken.ParseNetwork(text)
		if want == "" {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, n.String())
	}
}

func TestParseFrom(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "192.0.2.7:80": "192.0.2.7", "[2001:db8::1]:80": "2001:db8::1", "2001:db8::1": "2001:db8::1",
		"::ffff:192.0.2.7": "192.0.2.7", "[fe80::1%eth0]:80": "fe80::1", "": "invalid IP", "unix": "invalid IP", "192.0.2.7:": "invalid IP",
	} {
		require.Equal(t, want, authtoken.ParseFrom(from).String(), from)
	}
}
