package postgres

import (
	"slices"
	"strings"
	"unicode"

	"github.com/authtoken/authtoken/store"
)

// inSQL reports whether SQL looks for the words of q. [store.Query.SearchInGo] says why
// it does not always.
func inSQL(q *store.Query) bool { return q.Users == nil || len(q.Words) == 0 }

// words adds that all of ws occur in a record, in any case.
//
// Under the collation of the columns, lower changes A to Z and no other letter. That is
// half of what [store.Word] asks for. For other letters in the words, translate does
// the same. For strpos nothing in a word is special, and it takes half the time of
// ILIKE.
func (st *statement) words(ws []store.Word) {
	var from, to strings.Builder
	var seen []rune
	for i := range ws {
		for _, r := range ws[i].Text {
			r = store.Fold(r)
			if slices.Contains(seen, r) {
				continue
			}
			seen = append(seen, r)
			for _, v := range store.Variants(r) {
				if v != r && v > unicode.MaxASCII {
					from.WriteRune(v)
					to.WriteRune(r)
				}
			}
		}
	}
	fold := func(column string) string { return "lower(" + column + ")" }
	if from.Len() > 0 {
		list := ", " + st.arg(from.String()) + ", " + st.arg(to.String()) + ")"
		fold = func(column string) string { return "translate(lower(" + column + ")" + list }
	}
	for i := range ws {
		w := &ws[i]
		if w.Text == "" { // it occurs everywhere
			continue
		}
		word := st.arg(strings.Map(store.Fold, w.Text))
		var places []string
		for _, column := range []string{"identifier", "intent", "description"} {
			places = append(places, "strpos("+fold(column)+", "+word+") > 0")
		}
		if len(w.Users) > 0 {
			places = append(places, in(st, `"user"`, w.Users))
		}
		st.and("(" + strings.Join(places, " OR ") + ")")
	}
}
