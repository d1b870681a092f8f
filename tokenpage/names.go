package tokenpage

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authtoken/authtoken"
)

// maxShown is how many characters of a name a heading, a title or a link shows.
const maxShown = 80

// nameOf returns what people call a token: its description, on one line, or its
// identifier if it has no description.
func nameOf(t authtoken.Token) string { return cmp.Or(oneLine(t.Description), t.Identifier) }

// oneLine returns text with each run of white space as one space, which is how a
// browser shows it and how an input of one line keeps it. It is empty if nothing of
// text can be seen.
func oneLine(text string) string {
	seen := func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
	if !strings.ContainsFunc(text, seen) {
		return ""
	}
	return strings.Join(strings.Fields(text), " ")
}

// shorten cuts off what a name has beyond maxShown characters.
func shorten(name string) string {
	if utf8.RuneCountInString(name) <= maxShown {
		return name
	}
	return strings.TrimSpace(string([]rune(name)[:maxShown-1])) + "…"
}
