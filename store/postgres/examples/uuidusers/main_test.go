package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/examples/uuidusers/apptest"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
)

var server pgtest.Server

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

func TestUUIDUsers(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	for _, start := range []string{"first start", "second start"} {
		t.Run(start, func(t *testing.T) {
			app, closeDB, err := open(t.Context(), dsn)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, closeDB()) })
			apptest.Test(t, app)
		})
	}
}
