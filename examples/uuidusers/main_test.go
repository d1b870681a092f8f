package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/examples/uuidusers/apptest"
)

func TestUUIDUsers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	for _, start := range []string{"first start", "second start"} {
		t.Run(start, func(t *testing.T) {
			app, closeDB, err := open(t.Context(), path)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, closeDB()) })
			apptest.Test(t, app)
		})
	}
}
