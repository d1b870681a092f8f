package storetest_test

import (
	"slices"
	"strings"
	"unicode"

	"github.com/authtoken/authtoken/store"
)

// searching returns a broken store that searches with other words.
func searching(name, fails string, change func(*store.Word)) broken {
	return onList(name, fails, func(q *store.Query) {
		q.Words = slices.Clone(q.Words)
		for i := range q.Words {
			change(&q.Words[i])
		}
	})
}

// brokenWords break a rule about searches.
var brokenWords = []broken{
	seeing("percent-as-wildcard", "Words/PercentAsWildcard", wildcard('%')),
	seeing("underscore-as-wildcard", "Words/UnderscoreAsWildcard", wildcard('_')),
	seeing("asterisk-as-wildcard", "Words/AsteriskAsWildcard", wildcard('*')),
	searching("backslash-as-escape", "Words/Backslash Words/BackslashAsEscape Words/BackslashInText", func(w *store.Word) { w.Text = strings.ReplaceAll(w.Text, `\`, "") }),
	seeing("case-of-ascii-only", "Words/Angstrom Words/Composed Words/LowerAccent Words/MixedAccents Words/SharpS Words/Sigma List/WordsAfterChanges", func(q *store.Query, r *store.Record) {
		// Other letters than those of ASCII are moved where they have no case.
		for _, text := range wordsAnd(q, r) {
			*text = strings.Map(func(c rune) rune {
				if unicode.IsUpper(c) && c > unicode.MaxASCII && c < 0xe000 {
					return c + 0xf0000
				}
				return c
			}, *text)
		}
	}),
	seeing("case-exact", "Words/UpperCase Words/LowerCase Words/*?", func(q *store.Query, r *store.Record) {
		for _, text := range wordsAnd(q, r) {
			*text = strings.Map(func(c rune) rune {
				if 'A' <= c && c <= 'Z' {
					return c + 0xf0000
				}
				return c
			}, *text)
		}
	}),
	seeing("simple-folding", "Words/FinalSigma Words/KelvinAsK Words/LongSAsS", func(q *store.Query, r *store.Record) {
		// As strings.EqualFold has it, where "ſ" equals "s" and "ς" equals "σ".
		for _, text := range wordsAnd(q, r) {
			*text = strings.Map(func(c rune) rune {
				least := c
				for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
					least = min(least, f)
				}
				return least
			}, *text)
		}
	}),
	seeing("lower-case", "Words/DottedIAsI Words/KelvinAsK", func(q *store.Query, r *store.Record) {
		for _, text := range wordsAnd(q, r) {
			*text = strings.ToLower(*text)
		}
	}),
	seeing("upper-case", "Words/FinalSigma Words/LongSAsS", func(q *store.Query, r *store.Record) {
		for _, text := range wordsAnd(q, r) {
			*text = strings.ToUpper(*text)
		}
	}),
	seeing("searches-managed-too", "Words/OtherFields Words/SpaceAfterNothing", func(q *store.Query, r *store.Record) {
		if len(q.Words) > 0 && len(q.Order) == 0 && q.Description == "" {
			r.Description += "\x00" + r.Managed
		}
	}),
	seeing("searches-fields-as-one", "Words/AcrossFields", func(q *store.Query, r *store.Record) {
		if len(q.Words) > 0 && len(q.Order) == 0 && q.Description == "" {
			r.Description = r.Identifier + r.Intent + r.Description
		}
	}),
	seeing("searches-not-in-intent", "Words/Intent Words/TwoFields Words/Underscore List/WordsAfterChanges Words/WordAndUsers", func(q *store.Query, r *store.Record) {
		if len(q.Words) > 0 && q.Intents == nil {
			r.Intent = ""
		}
	}),
	listing("any-word-will-do", "Words/OneOfTwo Words/TwoFields Words/WordAndEmpty Words/WordAndUsers", func(s slice, q store.Query) (rs []store.Record) {
		if len(q.Words) < 2 {
			return s.list(q)
		}
		for _, w := range q.Words {
			one := q
			one.Words = []store.Word{w}
			for _, r := range s.list(one) {
				if !slices.ContainsFunc(rs, func(x store.Record) bool { return x.PK == r.PK }) {
					rs = append(rs, r)
				}
			}
		}
		return pick(store.Query{}, rs)
	}),
	onList("first-word-only", "Words/OneOfTwo Words/TwoFields Words/WordAndUsers", func(q *store.Query) { q.Words = q.Words[:min(len(q.Words), 1)] }),
	searching("word-users-ignored", "Words/TextOrUsers Words/Users Words/WordAndUsers", func(w *store.Word) { w.Users = nil }),
	listing("word-users-and-text", "Words/EmptyTextAndUsers Words/TextOrUsers", func(s slice, q store.Query) []store.Record {
		for _, w := range q.Words {
			if w.Users != nil && q.Users == nil {
				q.Users = w.Users
			}
		}
		return s.list(q)
	}),
	searching("empty-word-finds-nothing", "Words/EmptyText Words/EmptyTextAndUsers Words/WordAndEmpty", func(w *store.Word) {
		if w.Text == "" {
			w.Text = "\x00"
		}
	}),
	searching("words-trimmed", "Words/SpaceAfterNothing Words/SpaceBeforeNothing", func(w *store.Word) { w.Text = strings.TrimSpace(w.Text) }),
	searching("words-cut", "Words/Spaces Words/*?", func(w *store.Word) { w.Text = w.Text[:min(len(w.Text), 3)] }),
}

// wildcard returns a change that makes a rune in the middle of a word stand for
// anything.
func wildcard(c rune) func(*store.Query, *store.Record) {
	return func(q *store.Query, r *store.Record) {
		if len(q.Words) != 1 {
			return
		}
		before, after, ok := strings.Cut(q.Words[0].Text, string(c))
		if !ok || before == "" || after == "" {
			return
		}
		for _, text := range []string{r.Identifier, r.Description} {
			if i := strings.Index(text, before); i >= 0 && strings.Contains(text[i+len(before):], after) {
				r.Description += q.Words[0].Text
				return
			}
		}
	}
}

// wordsAnd returns what a search compares, words first, of which it makes q have
// a copy.
func wordsAnd(q *store.Query, r *store.Record) []*string {
	if len(q.Words) == 0 || len(q.Order) > 0 {
		return nil
	}
	texts := []*string{&r.Identifier, &r.Intent, &r.Description}
	q.Words = slices.Clone(q.Words)
	for i := range q.Words {
		texts = append(texts, &q.Words[i].Text)
	}
	return texts
}
