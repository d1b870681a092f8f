package sqlite

import (
	"strings"
	"unicode/utf8"

	"github.com/authtoken/authtoken/store"
)

// SQLite's LIKE puts the case of A to Z aside and of no other letter, which is
// half of what [store.Word] asks for and will do for most words. For the rest
// there is GLOB, which lets a pattern name what each character may be. It takes
// four times as long: 2.4 s for a million tokens, and LIKE 0.6 s.
//
// Both take longer the longer the words are, if the texts are made for it: the
// length of the text times that of the words. So only a search through
// everybody's tokens, which no plain user can make, is done in SQL. Among the
// tokens of given users it is done in Go, where the length of the words does not
// matter.

// SQLite refuses patterns beyond 50,000 bytes and expressions that are too
// deep. A search beyond these, which nobody makes in earnest, is done in Go, too.
const (
	maxWords     = 100
	maxWordBytes = 2000 // a pattern is at most some ten times as long
)

// inSQL reports whether all of q is put into SQL.
func inSQL(q *store.Query) bool {
	if q.Users != nil && len(q.Words) > 0 {
		return false
	}
	for i := range q.Words {
		// SQLite takes the two code points that are no characters for U+FFFD.
		if text := q.Words[i].Text; len(text) > maxWordBytes || strings.ContainsAny(text, "\ufffd\ufffe\uffff") {
			return false
		}
	}
	return len(q.Words) <= maxWords
}

// addWord adds that w occurs in a record.
func (st *statement) addWord(w *store.Word) {
	op, pattern := " LIKE ?", "%"+w.Text+"%"
	if !isPlain(w.Text) {
		op, pattern = " GLOB ?", glob(w.Text)
	}
	st.add("(identifier"+op+" OR intent"+op+" OR description"+op, pattern, pattern, pattern)
	if len(w.Users) > 0 {
		st.add(" OR ")
		addIn(st, "user", w.Users)
	}
	st.add(")")
}

// isPlain reports whether LIKE will do for word.
func isPlain(word string) bool {
	for _, r := range word {
		if r == '%' || r == '_' || r >= utf8.RuneSelf && len(store.Variants(r)) > 1 {
			return false
		}
	}
	return true
}

// glob returns the pattern for texts that word occurs in, case aside.
func glob(word string) string {
	var b strings.Builder
	b.WriteByte('*')
	for _, r := range word {
		switch v := store.Variants(r); {
		case len(v) > 1:
			b.WriteString("[" + string(v) + "]")
		case r == '*', r == '?', r == '[':
			b.WriteString("[" + string(r) + "]")
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('*')
	return b.String()
}
