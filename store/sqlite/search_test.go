package sqlite

import (
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

// Every letter, whatever its case in the word and the text, is found in SQL if
// and only if it is in Go.
func TestPatternsMatchAsTheContractSays(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), ":memory:", Config{})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Create(t.Context(), store.Record{Digest: store.Digest{1}}, 0))
	var special []rune
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if r < 0x100 || unicode.SimpleFold(r) != r && r%32 == 0 {
			special = append(special, r)
		}
	}
	for _, r := range special {
		for v := unicode.SimpleFold(r); ; v = unicode.SimpleFold(v) {
			text := "x" + string(v) + "y"
			q := store.Query{Words: []store.Word{{Text: string(r) + "Y"}}}
			rec := store.Record{Digest: store.Digest{1}, Description: text}
			_, err := s.writeDB.ExecContext(t.Context(), "UPDATE authtoken_tokens SET description = ?", text)
			require.NoError(t, err)
			n, err := s.Count(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, q.Match(&rec), n == 1, "%q in %q", q.Words[0].Text, text)
			if v == r {
				break
			}
		}
	}
}
