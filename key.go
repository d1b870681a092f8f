package authtoken

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/bits"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/authtoken/authtoken/store"
)

// Key is the secret of a token. Code that prints, logs or encodes a Key gets
// "[redacted]". Only [Key.Reveal] returns the secret itself. The zero Key holds no
// secret. A Key never changes, and is safe for concurrent use.
type Key struct {
	// A pointer, because fmt prints the unexported fields of a struct that contains a
	// Key without calling the methods of Key.
	secret *string
}

// KeyOf returns text, such as a request carries, as a Key.
func KeyOf(text string) Key { return Key{&text} }

const redacted = "[redacted]"

// Reveal returns the secret. For the zero Key it returns "".
func (k Key) Reveal() string {
	if k.secret == nil {
		return ""
	}
	return *k.secret
}

// These hide the secret from everything that prints, logs or encodes a Key.

// String returns "[redacted]".
func (Key) String() string { return redacted }

// GoString returns "[redacted]".
func (Key) GoString() string { return redacted }

// Format writes "[redacted]", whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]".
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

const (
	// base62 digits, in ASCII order.
	digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	randomDigits   = 43 // of 32 bytes: 62^43 is just above 2^256
	checksumDigits = 6  // of a CRC-32: 62^6 is above 2^32

	defaultPrefix       = "tok"
	defaultMinKeyLength = 32
	maxKeyLength        = 1024 // bytes; a longer key is refused before the store is asked
)

// KeyPattern returns a regular expression that matches the keys of services with this
// KeyPrefix. An empty prefix means the default. The pattern is for scanners that look for
// leaked secrets. Its syntax is common to RE2, PCRE and most others.
//
// A scanner can rule out a chance match by the checksum: the last 6 characters are the
// CRC-32 (IEEE) of all characters before them, in base 62 with the digits 0-9, A-Z, a-z.
func KeyPattern(prefix string) string {
	if prefix == "" {
		prefix = defaultPrefix
	}
	return fmt.Sprintf(`\b%s_[0-9A-Za-z]{%d}\b`, regexp.QuoteMeta(prefix), randomDigits+checksumDigits)
}

// keyFormat makes and recognises keys of the form
//
//	<prefix>_<43 base62 digits: 32 random bytes><6 base62 digits: CRC-32>
//
// where the numbers are big-endian, and the checksum (IEEE) covers everything before it.
type keyFormat struct {
	prefix    string // with the underscore
	minLength int    // of keys in any other form, in bytes
}

func (f keyFormat) generate() Key {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails: see its documentation

	key := make([]byte, len(f.prefix)+randomDigits, len(f.prefix)+randomDigits+checksumDigits)
	copy(key, f.prefix)
	encodeBase62(key[len(f.prefix):], seed)
	sum := checksum(key)
	return KeyOf(string(append(key, sum[:]...)))
}

// encodeBase62 fills dst with the base 62 digits of n.
func encodeBase62(dst []byte, n [32]byte) {
	const (
		step    = 10                 // digits per division
		divisor = 839299365868340224 // 62^10, the largest power that leaves Div64 a fitting quotient
	)
	var limbs [4]uint64
	for i := range limbs {
		limbs[i] = binary.BigEndian.Uint64(n[i*8:])
	}
	for i := len(dst); i > 0; {
		var rem uint64
		for j := range limbs {
			limbs[j], rem = bits.Div64(rem, limbs[j], divisor)
		}
		for range min(step, i) {
			i--
			dst[i] = digits[rem%62]
			rem /= 62
		}
	}
}

// checksum returns the CRC-32 of s in base 62.
func checksum(s []byte) (sum [checksumDigits]byte) {
	n := crc32.ChecksumIEEE(s)
	for i := range sum {
		sum[len(sum)-1-i] = digits[n%62]
		n /= 62
	}
	return sum
}

// hasChecksum reports whether key ends with the checksum of the text before it.
func hasChecksum(key string) bool {
	end := len(key) - checksumDigits
	sum := checksum(bytesOf(key[:end]))
	return key[end:] == string(sum[:])
}

// plausible reports whether key can be the key of a token. If not, there is no need to
// ask the store.
func (f keyFormat) plausible(key string) bool {
	switch {
	case len(key) > maxKeyLength:
		return false
	case len(key) != len(f.prefix)+randomDigits+checksumDigits || !strings.HasPrefix(key, f.prefix):
		return len(key) >= f.minLength
	case hasChecksum(key):
		return true
	}
	// The key has our form and a wrong checksum, so it is a mistyped one of ours, unless
	// it has characters that our keys never have.
	return !consistsOf(key[len(f.prefix):], digits) && len(key) >= f.minLength
}

// consistsOf reports whether s has only bytes of set.
func consistsOf(s, set string) bool {
	for i := range len(s) {
		if strings.IndexByte(set, s[i]) < 0 {
			return false
		}
	}
	return true
}

// bytesOf returns the bytes of s without copying them. Nobody may write to them.
//
// A copy would cost an allocation at each check of a key, even from a buffer on the
// stack: package crc32 calls through a variable, so its argument escapes to the heap. A
// CRC loop over the string would make Authenticate 18 % slower.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// checkImported returns an error if key, which was made elsewhere, can't become a
// token's key.
func (f keyFormat) checkImported(key string) error {
	e := FieldError{Field: "key"}
	switch {
	case key == "":
		e.Code = CodeBlank
	case len(key) < f.minLength:
		e.Code, e.Limit = CodeTooShort, f.minLength
	case len(key) > maxKeyLength:
		e.Code, e.Limit = CodeTooLong, maxKeyLength
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unsendable):
		e.Code = CodeInvalid
	case !f.plausible(key):
		e.Code = CodeChecksum
	default:
		return nil
	}
	return fault(e)
}

// unsendable reports whether r is a character that a key in a header may lose.
func unsendable(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func digestOf(key string) store.Digest { return sha256.Sum256(bytesOf(key)) }
