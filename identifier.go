package authtoken

import (
	"crypto/rand"
	"strings"
)

const (
	madeLength = 32 // bytes of a description that a made identifier keeps at most
	tailLength = 4
	tailDigits = "0123456789abcdefghjkmnpqrstvwxyz" // none that look alike
)

// makeIdentifier returns an identifier such as "laptop-7f3k" for a token with this
// description. One in a million is the same as another for the same description.
func makeIdentifier(description string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToLower(strings.ReplaceAll(description, "’", "'"))) {
		hyphen := strings.HasSuffix(b.String(), "-")
		switch {
		case b.Len() == madeLength:
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			b.WriteByte(c)
		case c == '\'': // as in "Alice's"
		case b.Len() > 0 && !hyphen:
			b.WriteByte('-')
		}
	}
	name := strings.TrimSuffix(b.String(), "-")
	if name == "" {
		name = "token"
	}
	tail := make([]byte, tailLength)
	_, _ = rand.Read(tail) // never fails: see its documentation
	for i := range tail {
		tail[i] = tailDigits[int(tail[i])%len(tailDigits)]
	}
	return name + "-" + string(tail)
}
