package postgres

import (
	"slices"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

// That variants finds all of them rests on tables of Unicode, of which there will
// be new versions.
func TestVariantsAreAllThatFoldToTheSame(t *testing.T) {
	t.Parallel()
	folded := make(map[rune][]rune) // those that don't only equal themselves
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if f := store.Fold(r); f != r && (r < 'A' || r > 'Z') {
			folded[f] = append(folded[f], r)
		}
	}
	for f, want := range folded {
		got := variants(f)
		slices.Sort(got)
		require.Equal(t, want, got, "%U", f)
	}
	for r := rune('a'); r <= 'z'; r++ {
		require.Empty(t, variants(r), "%c", r)
	}
}
