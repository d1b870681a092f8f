package authtoken_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// sealingSecret returns a secret of 32 bytes, another one for each n.
func sealingSecret(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

func newSealer(t *testing.T, current []byte, older ...[]byte) *authtoken.AESSealer {
	t.Helper()
	s, err := authtoken.NewAESSealer(current, older...)
	require.NoError(t, err)
	return s
}

func TestAESSealer(t *testing.T) {
	t.Parallel()
	s := newSealer(t, make([]byte, 32))
	a, err := s.Encrypt([]byte("key"), []byte("pk"))
	require.NoError(t, err)
	b, err := s.Encrypt([]byte("key"), []byte("pk"))
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	_, err = s.Decrypt(a, []byte("other"))
	require.Error(t, err)
	a[0]++
	_, err = s.Decrypt(a, []byte("pk"))
	require.Error(t, err)
	_, err = s.Decrypt(nil, []byte("pk"))
	require.Error(t, err)
}

func TestAESSealerNeedsWholeSecrets(t *testing.T) {
	t.Parallel()
	whole := sealingSecret(1)
	for _, c := range []struct {
		secrets [][]byte
		err     string
	}{
		{[][]byte{nil}, "sealing key has 0 bytes, not 32"},
		{[][]byte{whole[:16]}, "sealing key has 16 bytes, not 32"},
		{[][]byte{whole, whole, whole[:31]}, "older sealing key 2 has 31 bytes, not 32"},
		{[][]byte{whole, nil}, "older sealing key 1 has 0 bytes, not 32"},
	} {
		s, err := authtoken.NewAESSealer(c.secrets[0], c.secrets[1:]...)
		require.EqualError(t, err, c.err)
		require.Nil(t, s)
	}
}

func TestAESSealerOpensWhatOlderSecretsSealed(t *testing.T) {
	t.Parallel()
	first, second, third := sealingSecret(1), sealingSecret(2), sealingSecret(3)
	sealed, err := newSealer(t, first).Encrypt([]byte("key"), []byte("pk"))
	require.NoError(t, err)
	s := newSealer(t, third, second, first)
	plain, err := s.Decrypt(sealed, []byte("pk"))
	require.NoError(t, err)
	require.Equal(t, "key", string(plain))
	require.False(t, s.Current(sealed, []byte("pk")))
	_, err = s.Decrypt(sealed, []byte("other"))
	require.Error(t, err)

	anew, err := s.Encrypt(plain, []byte("pk"))
	require.NoError(t, err)
	require.True(t, s.Current(anew, []byte("pk")))
	require.False(t, s.Current(anew, []byte("other")))
	_, err = newSealer(t, third).Decrypt(anew, []byte("pk"))
	require.NoError(t, err, "the current secret seals")
	_, err = newSealer(t, second, first).Decrypt(anew, []byte("pk"))
	require.Error(t, err)
}
