package compat_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The go.mod for the other version of the client differs only in that version.
func TestModules(t *testing.T) {
	t.Parallel()
	this, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	other, err := os.ReadFile("client2024062.mod")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(this), "v3.2024081.1"))
	require.Equal(t, strings.Replace(string(this), "v3.2024081.1", "v3.2024062.1", 1), string(other))

	dir, err := clientDir()
	require.NoError(t, err)
	t.Log("the client is at", dir)
}
