package sqlite

import (
	"strings"
	"unicode/utf8"

	"github.com/authtoken/authtoken/store"
)

// SQLite's LIKE ignores the case of A to Z and of no other letter. That is half of what
// [store.Word] asks for, and enough for most words. For the rest there is GLOB, whose
// patterns list what each character may be. It takes four times as long: 2.4 s for a
// million tokens, against 0.6 s for LIKE.

// SQLite refuses patterns over 50,000 bytes and expressions that are too deep. Larger
// searches, which nobody needs, run in Go, too.
const (
	maxWords     = 100
	maxWordBytes = 2000 // a pattern is at most about ten times as long
)

// inSQL reports whether SQL does all of q. [store.Query.SearchInGo] says why it does not
// always.
func inSQL(q *store.Query) bool {
	if q.Users != nil && len(q.Words) > 0 {
		return false
	}
	for i := range q.Words {
		// SQLite reads U+FFFE and U+FFFF as U+FFFD.
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

// isPlain reports whether LIKE is enough for word.
func isPlain(word string) bool {
	for _, r := range word {
		if r == '%' || r == '_' || r >= utf8.RuneSelf && len(store.Variants(r)) > 1 {
			return false
		}
	}
	return true
}

// glob returns the pattern for texts in which word occurs, in any case.
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
