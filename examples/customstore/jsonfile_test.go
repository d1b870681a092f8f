package customstore_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/examples/customstore"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/storetest"
)

// This is all the test that a store needs.
func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		s, err := customstore.Open(filepath.Join(t.TempDir(), "tokens.json"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestTokensAreThereAfterwards(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.json")
	open := func() *authtoken.Service {
		s, err := customstore.Open(path)
		require.NoError(t, err)
		svc, err := authtoken.New(s, authtoken.Config{})
		require.NoError(t, err)
		return svc
	}
	_, key, err := open().Create(t.Context(), authtoken.CreateParams{Identifier: "deploy", User: "7"})
	require.NoError(t, err)
	who, err := open().Authenticate(t.Context(), key.Reveal())
	require.NoError(t, err)
	require.Equal(t, "deploy", who.Token.Identifier)
}
