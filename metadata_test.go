package authtoken_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

type metadata = map[string]string

// Trusted code and superusers write metadata. Owners read it, and may send it back.
func TestMetadata(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 4096-len(`{"k":""}`))
	for name, c := range map[string]struct {
		by          string
		before, set metadata
		want        metadata
		fault       string
	}{
		"trusted code":            {"", nil, metadata{"tenant": "7"}, metadata{"tenant": "7"}, ""},
		"a superuser":             {root.ID, nil, metadata{"tenant": "7"}, metadata{"tenant": "7"}, ""},
		"the owner":               {alice.ID, nil, metadata{"tenant": "7"}, nil, "metadata may not be chosen or changed by this user"},
		"the owner removes":       {alice.ID, metadata{"tenant": "7"}, metadata{}, nil, "metadata may not be chosen or changed by this user"},
		"the owner sends it back": {alice.ID, metadata{"tenant": "7"}, metadata{"tenant": "7"}, metadata{"tenant": "7"}, ""},
		"the owner, none":         {alice.ID, nil, metadata{}, nil, ""},
		"it stays":                {"", metadata{"tenant": "7"}, nil, metadata{"tenant": "7"}, ""},
		"it is replaced":          {"", metadata{"tenant": "7", "plan": "b"}, metadata{"tenant": "8"}, metadata{"tenant": "8"}, ""},
		"it is removed":           {"", metadata{"tenant": "7"}, metadata{}, nil, ""},
		"any text":                {"", nil, metadata{"é\x00": "<&\"\u2028"}, metadata{"é\x00": "<&\"\u2028"}, ""},
		"an empty value":          {"", nil, metadata{"k": ""}, metadata{"k": ""}, ""},
		"no name":                 {"", nil, metadata{"": "x"}, nil, "metadata must not be blank"},
		"a name of no text":       {"", nil, metadata{"\xff": "x"}, nil, "metadata is not valid UTF-8"},
		"a value of no text":      {"", nil, metadata{"k": "\xff"}, nil, "metadata is not valid UTF-8"},
		"as long as it may be":    {"", nil, metadata{"k": long}, metadata{"k": long}, ""},
		"longer":                  {"", nil, metadata{"k": long + "x"}, nil, "metadata is longer than 4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, authtoken.Policy{})
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Metadata: c.before})
			as := &svc.Access
			if c.by != "" {
				as = svc.As(c.by)
			}
			token, err := as.Update(t.Context(), "one", authtoken.UpdateParams{Metadata: c.set})
			if c.fault != "" {
				requireFaults(t, err, c.fault)
				require.Equal(t, c.before, check(t, svc, key).Token.Metadata)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, token.Metadata)
			require.Equal(t, c.want, check(t, svc, key).Token.Metadata)
		})
	}
	t.Run("a user makes a token with it", func(t *testing.T) {
		t.Parallel()
		svc, _ := newService(t, authtoken.Policy{})
		_, _, err := svc.As(alice.ID).Create(t.Context(), authtoken.CreateParams{Metadata: metadata{"tenant": "8"}})
		requireFaults(t, err, "metadata may not be chosen or changed by this user")
	})
}

// Whoever changes the metadata they have got changes nothing but their copy.
func TestMetadataIsACopy(t *testing.T) {
	t.Parallel()
	svc, err := authtoken.New(memory.New(), authtoken.Config{CacheSize: 10})
	require.NoError(t, err)
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one", Metadata: metadata{"tenant": "7"}})
	check(t, svc, key).Token.Metadata["tenant"] = "8"
	require.Equal(t, metadata{"tenant": "7"}, check(t, svc, key).Token.Metadata)
}
