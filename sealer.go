package authtoken

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
)

// AESSealer is a [Sealer] that encrypts with AES-256-GCM and a random nonce.
// One key is good for 2^32 encryptions, which is as many keys made or set. To
// change it, set the tokens' keys anew; if that is not to be borne, use a
// keyset of Tink instead.
type AESSealer struct {
	aead cipher.AEAD
}

// NewAESSealer returns a sealer with this key of 32 random bytes. Keep it
// apart from the store: whoever has both has the keys.
func NewAESSealer(key []byte) (*AESSealer, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("sealing key has %d bytes, not 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &AESSealer{aead}, nil
}

// Encrypt returns nonce, ciphertext and tag of plaintext.
func (s *AESSealer) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plaintext, associatedData), nil
}

// Decrypt returns the plaintext, or an error if ciphertext did not come from
// Encrypt with the same key and associatedData.
func (s *AESSealer) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	return s.aead.Open(nil, nil, ciphertext, associatedData)
}
