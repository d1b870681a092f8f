package sqlite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
	"github.com/authtoken/authtoken/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	for name, newStore := range map[string]func(t *testing.T) store.Store{
		"file":   func(t *testing.T) store.Store { return open(t, sqlite.Config{}) },
		"memory": func(t *testing.T) store.Store { return openMemory(t) },
		"handle": func(t *testing.T) store.Store { return onHandle(t, handle(t, wal), sqlite.Config{}) },
		"handle without settings": func(t *testing.T) store.Store {
			return onHandle(t, handle(t, "_pragma=synchronous(OFF)"), sqlite.Config{TablePrefix: "x"})
		},
		"handle in memory": func(t *testing.T) store.Store { return onHandle(t, handleInMemory(t), sqlite.Config{}) },
		"transaction": func(t *testing.T) store.Store {
			db := handleInMemory(t)
			return onHandle(t, db, sqlite.Config{}).WithTx(begin(t, db).Tx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, newStore)
		})
	}
}

func openMemory(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), ":memory:", sqlite.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
