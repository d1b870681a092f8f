package authtoken_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

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
	for want, secrets := range map[string][][]byte{
		"sealing key has 0 bytes, not 32":          {nil},
		"sealing key has 16 bytes, not 32":         {whole[:16]},
		"older sealing key 2 has 31 bytes, not 32": {whole, whole, whole[:31]},
		"older sealing key 1 has 0 bytes, not 32":  {whole, nil},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s, err := authtoken.NewAESSealer(secrets[0], secrets[1:]...)
			require.EqualError(t, err, want)
			require.Nil(t, s)
		})
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
