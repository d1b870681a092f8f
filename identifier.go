package authtoken

import (
	"cmp"
	"crypto/rand"
	"strings"
)

const (
	madeLength = 32 // the most bytes of an identifier that come from the description
	tailLength = 4
	tailDigits = "0123456789abcdefghjkmnpqrstvwxyz" // no letters that look like others
)

// makeIdentifier returns an identifier such as "laptop-7f3k" for a token with this
// description. Two tokens with the same description get the same one with a probability
// of one in a million.
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
