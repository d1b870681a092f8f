package compat_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

// An AEAD of Tink is a Sealer without further code. Its keys can be changed, and what the old
// keys sealed can still be opened.
func TestTinkSeals(t *testing.T) {
	t.Parallel()
	keys, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	st := memory.New()
	newService := func() *authtoken.Service {
		primitive, err := aead.New(keys)
		require.NoError(t, err)
		svc, err := authtoken.New(st, authtoken.Config{Sealer: primitive})
		require.NoError(t, err)
		return svc
	}
	svc := newService()
	_, old, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "old", User: "1"})
	require.NoError(t, err)

	manager := keyset.NewManagerFromHandle(keys)
	id, err := manager.Add(aead.XChaCha20Poly1305KeyTemplate())
	require.NoError(t, err)
	require.NoError(t, manager.SetPrimary(id))
	keys, err = manager.Handle()
	require.NoError(t, err)
	svc = newService()
	_, fresh, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "new", User: "1"})
	require.NoError(t, err)

	for identifier, key := range map[string]authtoken.Key{"old": old, "new": fresh} {
		revealed, err := svc.Reveal(t.Context(), identifier)
		require.NoError(t, err)
		require.Equal(t, key.Reveal(), revealed.Reveal())
	}

	// A sealed key moved to another token does not open.
	from, err := st.Get(t.Context(), "old")
	require.NoError(t, err)
	to, err := st.Get(t.Context(), "new")
	require.NoError(t, err)
	to.Sealed = from.Sealed
	require.NoError(t, st.Update(t.Context(), to))
	_, err = svc.Reveal(t.Context(), "new")
	require.Error(t, err)
}
