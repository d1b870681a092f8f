package authtoken

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
)

// Sealer encrypts keys for the store, so that they can be revealed later. Both methods
// must authenticate associatedData: a text that was encrypted with one value must not
// decrypt with another. They must be safe for concurrent use. Any AEAD of Tink
// (github.com/tink-crypto/tink-go) is a Sealer.
type Sealer interface {
	// Encrypt encrypts plaintext and binds it to associatedData.
	Encrypt(plaintext, associatedData []byte) ([]byte, error)

	// Decrypt returns the plaintext, or an error if ciphertext is not one of Encrypt with
	// the same associatedData.
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// AESSealer is a [Sealer] that encrypts with AES-256-GCM and a random nonce. Use one
// secret for at most 2^32 encryptions: each key that is made or set takes one, and so does
// each key that [Service.Reseal] seals anew. Make an AESSealer with [NewAESSealer]. It is
// safe for concurrent use.
type AESSealer struct {
	current cipher.AEAD
	older   []cipher.AEAD
}

// NewAESSealer returns a sealer that encrypts with the current secret, and decrypts with
// the current and the older ones. Each secret is 32 random bytes. Keep the secrets apart
// from the store: anybody who has both has the keys.
//
// To change the secret, pass the new one first and the old one after it, and call
// [Service.Reseal] until every key is sealed anew. Then remove the old one.
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

// Encrypt encrypts plaintext with the current secret. It returns the nonce, the
// ciphertext and the tag. The error is always nil.
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

// Current reports whether ciphertext came from Encrypt with the current secret and the
// same associatedData. If so, [Service.Reseal] leaves it as it is.
func (s *AESSealer) Current(ciphertext, associatedData []byte) bool {
	_, err := s.current.Open(nil, nil, ciphertext, associatedData)
	return err == nil
}
