package authtoken_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

func TestNewReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := authtoken.New(nil, authtoken.Config{
		KeyPrefix: "no good", MinKeyLength: -1, CacheSize: -1, CacheTTL: -1,
		Policy: authtoken.Policy{
			DefaultLifetime: -1, MaxLifetime: -1, MaxTokens: -1, MaxTextLength: -1, RenewExpired: true,
			UserIntents: []authtoken.Intent{"x"},
		},
	})
	for _, want := range []string{
		"store is nil", "Config.KeyPrefix", "Config.MinKeyLength", "Config.CacheSize", "Config.CacheTTL",
		"Config.Policy.DefaultLifetime", "Config.Policy.MaxLifetime", "Config.Policy.MaxTokens", "Config.Policy.MaxTextLength",
		"Config.Policy.UnboundedKeys", `"x" is not an intent`,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, err, want)
		})
	}
}

func TestDefaultLifetimeAboveMaxLifetime(t *testing.T) {
	t.Parallel()
	_, err := authtoken.New(memory.New(), authtoken.Config{Policy: authtoken.Policy{DefaultLifetime: 2, MaxLifetime: 1}})
	require.ErrorContains(t, err, "is more than MaxLifetime")
}
