package authtoken_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// sealingSecret returns a secret of 32 bytes, another one for each n.
func sealingSecret(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

func sealerOf(t *testing.T, current []byte, older ...[]byte) *authtoken.AESSealer {
	t.Helper()
	s, err := authtoken.NewAESSealer(current, older...)
	require.NoError(t, err)
	return s
}

func TestAESSealer(t *testing.T) {
	t.Parallel()
	s := sealerOf(t, make([]byte, 32))
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
	sealed, err := sealerOf(t, first).Encrypt([]byte("key"), []byte("pk"))
	require.NoError(t, err)
	s := sealerOf(t, third, second, first)
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
	_, err = sealerOf(t, third).Decrypt(anew, []byte("pk"))
	require.NoError(t, err, "the current secret seals")
	_, err = sealerOf(t, second, first).Decrypt(anew, []byte("pk"))
	require.Error(t, err)
}

// FuzzDecrypt opens what was not sealed, or was changed since.
func FuzzDecrypt(f *testing.F) {
	secret := bytes.Repeat([]byte{5}, 32)
	sealer, err := authtoken.NewAESSealer(secret)
	require.NoError(f, err)
	block, err := aes.NewCipher(secret)
	require.NoError(f, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(f, err)

	sealed, err := sealer.Encrypt([]byte("a key"), []byte("a pk"))
	require.NoError(f, err)
	f.Add([]byte{}, []byte{}, 0)
	f.Add(sealed, []byte("a pk"), 0)
	f.Add(sealed, []byte("another"), 5)
	f.Add(sealed[:28], []byte("a pk"), 7)
	f.Add(sealed[:11], []byte("a pk"), -1)
	f.Fuzz(func(t *testing.T, text, associated []byte, bit int) {
		got, err := sealer.Decrypt(text, associated)
		if len(text) < gcm.NonceSize() {
			require.Error(t, err)
		} else {
			want, wantErr := gcm.Open(nil, text[:gcm.NonceSize()], text[gcm.NonceSize():], associated)
			require.Equal(t, wantErr != nil, err != nil)
			require.Equal(t, want, got)
		}

		sealed, err := sealer.Encrypt(text, associated)
		require.NoError(t, err)
		opened, err := sealer.Decrypt(sealed, associated)
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, opened))
		at := int(uint(bit) % uint(8*len(sealed)))
		sealed[at/8] ^= 1 << (at % 8)
		_, err = sealer.Decrypt(sealed, associated)
		require.Error(t, err)
		_, err = sealer.Decrypt(sealed[:len(sealed)-1], associated)
		require.Error(t, err)
		sealed[at/8] ^= 1 << (at % 8)
		_, err = sealer.Decrypt(sealed, append(associated, 0))
		require.Error(t, err)
	})
}
