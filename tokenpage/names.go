package tokenpage

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authtoken/authtoken"
)

// maxShown is the number of characters of a name that headings, titles and links show.
const maxShown = 80

// nameOf returns the name of a token for people: its description on one line, or its
// identifier if it has no description.
func nameOf(t authtoken.Token) string { return cmp.Or(oneLine(t.Description), t.Identifier) }

// oneLine returns text with one space in place of each run of white space. A browser shows
// it like that. It returns "" if text has nothing to see.
func oneLine(text string) string {
	seen := func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
	if !strings.ContainsFunc(text, seen) {
		return ""
	}
	return strings.Join(strings.Fields(text), " ")
}

// shorten cuts a name to maxShown characters.
func shorten(name string) string {
	if utf8.RuneCountInString(name) <= maxShown {
		return name
	}
	return strings.TrimSpace(string([]rune(name)[:maxShown-1])) + "…"
}
