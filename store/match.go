package store

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Match reports whether r passes every filter of q. Order, After, Offset and
// Limit play no part. For many records, a [Matcher] takes less time.
func (q *Query) Match(r *Record) bool {
	return q.matches(r) && q.Matcher().wordsOccur(r)
}

// matches reports whether r passes the filters of q, Words aside.
func (q *Query) matches(r *Record) bool {
	switch {
	case q.Identifier != "" && q.Identifier != r.Identifier,
		q.Description != "" && q.Description != r.Description,
		q.Managed != "" && q.Managed != r.Managed,
		q.Users != nil && !slices.Contains(q.Users, r.User),
		q.Intents != nil && !slices.Contains(q.Intents, r.Intent),
		!q.Expires.IsZero() && (r.Expires.IsZero() || q.Expires.UnixMicro() != r.Expires.UnixMicro()),
		q.Expiring != nil && *q.Expiring != r.Expiring:
		return false
	}
	if !q.ExpiryFrom.IsZero() || !q.ExpiryBefore.IsZero() {
		if !r.Expiring || r.Expires.IsZero() ||
			!q.ExpiryFrom.IsZero() && r.Expires.UnixMicro() < q.ExpiryFrom.UnixMicro() ||
			!q.ExpiryBefore.IsZero() && r.Expires.UnixMicro() >= q.ExpiryBefore.UnixMicro() {
			return false
		}
	}
	return true
}

// A Matcher tells which of many records pass the filters of a query. It folds each
// word once and each text of a record at most once, and looks at the context as
// it goes. Make one with [Query.Matcher], for one goroutine; the query must not
// change while it is in use.
type Matcher struct {
	q     *Query
	words [][]byte // folded
	left  [][]byte // those that the record at hand has not been found to contain
	text  []byte   // of the record at hand, folded
	pace  pace
}

// Matcher returns a Matcher for q.
func (q *Query) Matcher() *Matcher {
	m := &Matcher{q: q, words: make([][]byte, len(q.Words))}
	for i := range q.Words {
		m.words[i] = appendFold(nil, q.Words[i].Text)
	}
	return m
}

// Match reports whether r passes every filter of the query, as [Query.Match] does.
// If ctx has ended, it returns ctx.Err() instead; it looks at ctx for every 64th
// record, and more often if texts are long.
func (m *Matcher) Match(ctx context.Context, r *Record) (bool, error) {
	if err := m.pace.look(ctx, 1<<10); err != nil {
		return false, err
	}
	return m.q.matches(r) && (len(m.words) == 0 || m.wordsOccur(r)), nil
}

// wordsOccur reports whether all words occur in r. What costs least comes first.
func (m *Matcher) wordsOccur(r *Record) bool {
	m.left = m.left[:0]
	for i, word := range m.words {
		if !slices.Contains(m.q.Words[i].Users, r.User) {
			m.left = append(m.left, word)
		}
	}
	for _, text := range [...]string{r.Identifier, r.Intent, r.Description} {
		if len(m.left) == 0 {
			break
		}
		m.pace.left -= len(text)
		m.text = appendFold(m.text[:0], text)
		m.left = slices.DeleteFunc(m.left, func(word []byte) bool { return bytes.Contains(m.text, word) })
	}
	return len(m.left) == 0
}

// pace tells when it is time to look at a context again.
type pace struct{ left int } // how much may be done before, in bytes

// look returns ctx.Err() if it is time to look, before as many bytes are worked on.
func (p *pace) look(ctx context.Context, bytes int) error {
	if p.left -= bytes; p.left > 0 {
		return nil
	}
	p.left = 1 << 16
	return ctx.Err()
}

// Select returns those of records that [Store.List] must return for q: the ones
// that match, in order, after After, cut to Offset and Limit. It changes records:
// use a copy of what a store holds. If ctx ends meanwhile, it returns ctx.Err() and
// no records.
func (q *Query) Select(ctx context.Context, records []Record) ([]Record, error) {
	m := q.Matcher()
	var err error
	records = slices.DeleteFunc(records, func(r Record) bool {
		if err != nil {
			return false
		}
		var ok bool
		ok, err = m.Match(ctx, &r)
		return !ok || q.After != nil && q.Compare(&r, q.After) <= 0
	})
	if err != nil {
		return nil, err
	}
	if err := Sort(ctx, records, func(a, b Record) int { return q.Compare(&a, &b) }); err != nil {
		return nil, err
	}
	records = records[min(max(q.Offset, 0), len(records)):]
	if q.Limit > 0 && q.Limit < len(records) {
		records = records[:q.Limit]
	}
	return records, nil
}

// Sort sorts s as slices.SortFunc does. If ctx ends meanwhile, it returns ctx.Err(),
// and s is in no particular order.
func Sort[T any](ctx context.Context, s []T, compare func(a, b T) int) error {
	var p pace
	var err error
	slices.SortFunc(s, func(a, b T) int {
		if err == nil {
			err = p.look(ctx, 64)
		}
		if err != nil {
			return 0 // with all of them equal, there is nothing left to do
		}
		return compare(a, b)
	})
	return err
}

// ContainsFold reports whether word occurs in text, case aside as [Word] says.
// The empty word occurs everywhere. It takes time in proportion to the text,
// whatever the word. To look for several words, or in many texts, use a [Matcher].
func ContainsFold(text, word string) bool {
	return strings.Contains(strings.Map(Fold, text), strings.Map(Fold, word))
}

// Fold returns the letter that stands for r when case is put aside, as [Word]
// says it. Stores that search in a language of their own need it to prepare
// the words.
func Fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	if l := unicode.ToLower(r); l >= utf8.RuneSelf {
		return l
	}
	return r
}

// folds has what Fold makes of each letter beyond ASCII that it changes, by pages of
// 256, and zero for all others. To ask unicode.ToLower takes ten times as long, and
// texts can be long.
var folds = sync.OnceValue(func() [][]rune {
	var pages [][]rune
	for _, letters := range unicode.CaseRanges {
		for r := rune(letters.Lo); r <= rune(letters.Hi); r++ {
			if r < utf8.RuneSelf || Fold(r) == r {
				continue
			}
			for len(pages) <= int(r>>8) {
				pages = append(pages, nil)
			}
			if pages[r>>8] == nil {
				pages[r>>8] = make([]rune, 256)
			}
			pages[r>>8][r&0xff] = Fold(r)
		}
	}
	return pages
})

// appendFold appends s, each letter as Fold has it.
func appendFold(b []byte, s string) []byte {
	pages := folds()
	for _, r := range s {
		if r < utf8.RuneSelf {
			b = append(b, byte(Fold(r)))
			continue
		}
		if page := int(r >> 8); page < len(pages) && pages[page] != nil {
			if f := pages[page][r&0xff]; f != 0 {
				r = f
			}
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}
