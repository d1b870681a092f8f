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

// Key is the secret of a token. Whatever prints, logs or encodes it gets
// "[redacted]"; [Key.Reveal] is the only way to the secret itself.
// The zero Key holds no secret.
type Key struct {
	// Behind a pointer, since fmt prints unexported fields of a struct around
	// it without asking Key's methods.
	secret *string
}

// KeyOf returns text, such as a request presents, as a Key.
func KeyOf(text string) Key { return Key{&text} }

const redacted = "[redacted]"

// Reveal returns the key itself. It is "" for the zero Key.
func (k Key) Reveal() string {
	if k.secret == nil {
		return ""
	}
	return *k.secret
}

func (Key) String() string               { return redacted }
func (Key) GoString() string             { return redacted }
func (Key) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, redacted) }
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Key) LogValue() slog.Value         { return slog.StringValue(redacted) }

const (
	// base62 digits, in ASCII order.
	digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	randomDigits   = 43 // of 32 bytes: 62^43 is just above 2^256
	checksumDigits = 6  // of a CRC-32: 62^6 is above 2^32

	defaultPrefix       = "tok"
	defaultMinKeyLength = 32
	maxKeyLength        = 1024 // no honest key is longer, and no store is asked for such
)

// KeyPattern returns a regular expression for the keys that services with this
// KeyPrefix make ("" is the default one), for scanners that look for secrets
// where none should be. It is in the syntax that RE2, PCRE and most others share.
// What it matches can be told from chance by the checksum: the last 6 digits are
// the CRC-32 (IEEE) of all before them, in base 62 with the digits 0-9, A-Z, a-z.
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
// where the numbers are big-endian and the checksum (IEEE) covers everything
// before it.
type keyFormat struct {
	prefix    string // with the underscore
	minLength int    // of keys of any other form
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

// encodeBase62 fills dst with the digits of n.
func encodeBase62(dst []byte, n [32]byte) {
	const (
		step    = 10                 // digits taken off per division
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

// checksum returns the digits of the CRC-32 of s.
func checksum(s []byte) (sum [checksumDigits]byte) {
	n := crc32.ChecksumIEEE(s)
	for i := range sum {
		sum[len(sum)-1-i] = digits[n%62]
		n /= 62
	}
	return sum
}

// hasChecksum reports whether key ends with the checksum of the rest.
func hasChecksum(key string) bool {
	end := len(key) - checksumDigits
	sum := checksum(bytesOf(key[:end]))
	return key[end:] == string(sum[:])
}

// plausible reports whether key may be a token's. It is false for garbage, for
// which there is no need to ask a store.
func (f keyFormat) plausible(key string) bool {
	switch {
	case len(key) > maxKeyLength:
		return false
	case len(key) != len(f.prefix)+randomDigits+checksumDigits || !strings.HasPrefix(key, f.prefix):
		return len(key) >= f.minLength
	case hasChecksum(key):
		return true
	}
	// One of ours with a slip in it, unless there is something in it that ours
	// never have.
	return !consistsOf(key[len(f.prefix):], digits) && len(key) >= f.minLength
}

// consistsOf reports whether s has no other characters than those of set.
func consistsOf(s, set string) bool {
	for i := range len(s) {
		if strings.IndexByte(set, s[i]) < 0 {
			return false
		}
	}
	return true
}

// bytesOf returns the bytes of s where they are. They must not be written to.
//
// The checksum allocates for a copy, even for one on the stack, since package crc32
// calls a function variable. A loop over the string instead makes a check of a key
// 18 % slower.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// checkImported returns what keeps key, made elsewhere, from being a token's.
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

// unsendable reports whether a header can't be relied on to carry r in a key.
func unsendable(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func digestOf(key string) store.Digest { return sha256.Sum256(bytesOf(key)) }
