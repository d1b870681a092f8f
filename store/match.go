package store

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Match reports whether r passes every filter of q. It ignores Order, After, Offset and
// Limit. For many records, a [Matcher] is faster.
func (q *Query) Match(r *Record) bool {
	return q.matches(r) && q.Matcher().wordsOccur(r)
}

// matches reports whether r passes all filters of q except Words.
func (q *Query) matches(r *Record) bool {
	switch {
	case q.Identifier != "" && q.Identifier != r.Identifier,
		q.Description != "" && q.Description != r.Description,
		q.Managed != "" && q.Managed != r.Managed,
		q.Users != nil && !slices.Contains(q.Users, r.User),
		q.Intents != nil && !slices.Contains(q.Intents, r.Intent),
		q.States != nil && !slices.Contains(q.States, r.State),
		q.Scope != "" && !hasName(r.Scopes, q.Scope),
		q.Via != (PK{}) && q.Via != r.Via,
		!q.Expires.IsZero() && (r.Expires.IsZero() || q.Expires.UnixMicro() != r.Expires.UnixMicro()),
		q.Expiring != nil && *q.Expiring != r.Expiring:
		return false
	}
	if q.ByExpiry() {
		if !r.Expiring || r.Expires.IsZero() ||
			!q.ExpiryFrom.IsZero() && r.Expires.UnixMicro() < q.ExpiryFrom.UnixMicro() ||
			!q.ExpiryBefore.IsZero() && r.Expires.UnixMicro() >= q.ExpiryBefore.UnixMicro() {
			return false
		}
	}
	return true
}

// hasName reports whether name is one of names, which are separated by spaces.
func hasName(names, name string) bool {
	for n := range strings.SplitSeq(names, " ") {
		if n == name {
			return true
		}
	}
	return false
}

// A Matcher filters many records by one query. It prepares the words once, reads each
// text of a record at most once, and checks the context as it goes. Make one with
// [Query.Matcher]; the zero value is not ready for use. It is for one goroutine. The
// query must not change while it is in use.
type Matcher struct {
	q    *Query
	pace pace

	// codes maps each letter of a word, and all letters that equal it, case aside, to
	// one byte. Texts are coded the same way; a letter that is in no word is 0. That
	// makes long texts short, and bytes.Contains is fast for short words.
	codes []*[256]byte // by letter, in pages of 256
	words [][]byte
	left  [][]byte // the words not yet found in the current record
	text  []byte   // of the current record

	crowded bool // whether the words have too many letters for a byte
}

// Matcher returns a Matcher for q.
func (q *Query) Matcher() *Matcher {
	m := &Matcher{q: q, words: make([][]byte, len(q.Words))}
	letters := 0
	for i := range q.Words {
		for _, r := range q.Words[i].Text {
			c := m.code(r)
			if c == 0 {
				if letters++; letters > 255 {
					m.crowded = true
					return m
				}
				c = byte(letters)
				m.setCode(r, c)
			}
			m.words[i] = append(m.words[i], c)
		}
	}
	return m
}

func (m *Matcher) code(r rune) byte {
	if page := int(r >> 8); page < len(m.codes) && m.codes[page] != nil {
		return m.codes[page][r&0xff]
	}
	return 0
}

// setCode gives r and all letters that equal it the code c.
func (m *Matcher) setCode(r rune, c byte) {
	for _, v := range Variants(r) {
		for len(m.codes) <= int(v>>8) {
			m.codes = append(m.codes, nil)
		}
		if m.codes[v>>8] == nil {
			m.codes[v>>8] = new([256]byte)
		}
		m.codes[v>>8][v&0xff] = c
	}
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

// wordsOccur reports whether all words occur in r. Cheap checks come first.
func (m *Matcher) wordsOccur(r *Record) bool {
	if m.crowded {
		return !slices.ContainsFunc(m.q.Words, func(w Word) bool { return !w.occursIn(r) })
	}
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
		m.text = m.text[:0]
		for _, letter := range text {
			m.text = append(m.text, m.code(letter))
		}
		m.left = slices.DeleteFunc(m.left, func(word []byte) bool { return bytes.Contains(m.text, word) })
	}
	return len(m.left) == 0
}

func (w *Word) occursIn(r *Record) bool {
	return slices.Contains(w.Users, r.User) || ContainsFold(r.Identifier, w.Text) ||
		ContainsFold(r.Intent, w.Text) || ContainsFold(r.Description, w.Text)
}

// pace decides when to check a context again.
type pace struct{ left int } // how many bytes may be handled before that

// look counts bytes as handled, and returns ctx.Err() if it is time to check.
func (p *pace) look(ctx context.Context, bytes int) error {
	if p.left -= bytes; p.left > 0 {
		return nil
	}
	p.left = 1 << 16
	return ctx.Err()
}

// Select returns those of records that [Store.List] must return for q: the matches, in
// order, after After, cut to Offset and Limit. It reuses and changes records: pass it a
// copy of what a store holds. If ctx ends meanwhile, it returns ctx.Err() and no
// records.
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
// and the order of s is undefined.
func Sort[T any](ctx context.Context, s []T, compare func(a, b T) int) error {
	var p pace
	var err error
	slices.SortFunc(s, func(a, b T) int {
		if err == nil {
			err = p.look(ctx, 64)
		}
		if err != nil {
			return 0 // if all are equal, the sort ends soon
		}
		return compare(a, b)
	})
	return err
}

// ContainsFold reports whether word occurs in text, case aside as [Word] says. The
// empty word occurs everywhere. The time it takes depends on the text, not on the word.
// To look for several words, or in many texts, use a [Matcher].
func ContainsFold(text, word string) bool {
	return strings.Contains(strings.Map(Fold, text), strings.Map(Fold, word))
}

// Fold returns the letter that all letters equal to r share, case aside as [Word] says.
// Stores that search in a language of their own prepare the words with it.
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
