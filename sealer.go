package authtoken

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
)

// Sealer encrypts keys for storing, so that they can be shown again. Both
// methods authenticate associatedData along with the text: what was encrypted
// with one must not decrypt with another. They must be safe for concurrent use.
// Any AEAD of Tink (github.com/tink-crypto/tink-go) is a Sealer as it is.
type Sealer interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// AESSealer is a [Sealer] that encrypts with AES-256-GCM and a random nonce.
// A secret is good for 2^32 encryptions: one for each key that is made or set, and
// one for each that [Service.Reseal] seals anew. It is safe for concurrent use.
type AESSealer struct {
	current cipher.AEAD
	older   []cipher.AEAD
}

// NewAESSealer returns a sealer that seals with the current secret and opens what
// the current or an older one sealed. Each secret is 32 random bytes. Keep them
// apart from the store: whoever has both has the keys.
//
// To change the secret, put the new one first and the one it replaces after it, and
// call [Service.Reseal] until all is sealed anew. Then the older one can go.
func NewAESSealer(current []byte, older ...[]byte) (*AESSealer, error) {
	aead, err := newAEAD(current)
	if err != nil {
		return nil, fmt.Errorf("sealing key %w", err)
	}
	s := &AESSealer{current: aead}
	for i, secret := range older {
		if aead, err = newAEAD(secret); err != nil {
			return nil, fmt.Errorf("older sealing key %d %w", i+1, err)
		}
		s.older = append(s.older, aead)
	}
	return s, nil
}

func newAEAD(secret []byte) (cipher.AEAD, error) {
	if len(secret) != 32 {
		return nil, fmt.Errorf("has %d bytes, not 32", len(secret))
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Encrypt returns nonce, ciphertext and tag of plaintext, under the current secret.
func (s *AESSealer) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return s.current.Seal(nil, nil, plaintext, associatedData), nil
}

// Decrypt returns the plaintext, or an error if ciphertext did not come from
// Encrypt with one of the secrets and the same associatedData.
func (s *AESSealer) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	plain, err := s.current.Open(nil, nil, ciphertext, associatedData)
	for i := 0; err != nil && i < len(s.older); i++ {
		plain, err = s.older[i].Open(nil, nil, ciphertext, associatedData)
	}
	return plain, err
}

// Current reports whether ciphertext came from Encrypt with the current secret and
// the same associatedData, so that there is no need to seal it anew.
func (s *AESSealer) Current(ciphertext, associatedData []byte) bool {
	_, err := s.current.Open(nil, nil, ciphertext, associatedData)
	return err == nil
}
