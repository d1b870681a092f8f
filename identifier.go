package authtoken

import (
	"cmp"
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
	description = strings.NewReplacer("'", "", "’", "").Replace(strings.ToLower(description)) // as in "Alice's"
	words := strings.FieldsFunc(description, func(c rune) bool { return !('a' <= c && c <= 'z' || '0' <= c && c <= '9') })
	name := cmp.Or(strings.Join(words, "-"), "token")
	name = strings.TrimSuffix(name[:min(len(name), madeLength)], "-")
	tail := make([]byte, tailLength)
	_, _ = rand.Read(tail) // never fails: see its documentation
	for i := range tail {
		tail[i] = tailDigits[int(tail[i])%len(tailDigits)]
	}
	return name + "-" + string(tail)
}
