package memory

import (
	"iter"
	"slices"
)

// chunkMax is how many values a chunk can hold. An insertion moves half a chunk on
// average, which is cheaper than the search before it.
const chunkMax = 128

// sorted is a list of values in order, made of short chunks. An insertion into a
// million values costs little more than into a thousand. No two values may be equal.
//
// Among a million values, an insertion mostly waits for main memory. So each value has
// a key beside it that settles most comparisons, and each chunk has its first key
// beside it.
type sorted[K key[K], T any] struct {
	keyOf   func(T) K
	compare func(a, b T) int // must agree with the keys where they differ
	chunks  []chunk[K, T]
	size    int
}

type key[K any] interface{ compare(K) int }

type chunk[K key[K], T any] struct {
	head    K             // the key of the first entry
	entries []entry[K, T] // never empty
}

type entry[K key[K], T any] struct {
	key   K
	value T
}

// position is a place in a sorted list: before entry i of chunk c.
type position struct{ c, i int }

// later returns the later of two positions.
func later(p, q position) position {
	if q.c > p.c || q.c == p.c && q.i > p.i {
		return q
	}
	return p
}

// start and end are the positions before the first and after the last value.
func (s *sorted[K, T]) start() position { return position{} }
func (s *sorted[K, T]) end() position   { return position{c: len(s.chunks)} }

// seek returns the position of the first value that is not before the target. k is the
// target's key; before decides for values with that key.
func (s *sorted[K, T]) seek(k K, before func(T) bool) position {
	// The position is in, or right after, the last chunk that starts before it.
	lo, hi := 0, len(s.chunks)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		c := s.chunks[mid].head.compare(k)
		if c < 0 || c == 0 && before(s.chunks[mid].entries[0].value) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return s.start()
	}
	c := lo - 1
	entries := s.chunks[c].entries
	lo, hi = 1, len(entries)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		c := entries[mid].key.compare(k)
		if c < 0 || c == 0 && before(entries[mid].value) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(entries) {
		return position{c: c + 1}
	}
	return position{c, lo}
}

// find returns the position of the first value that is not before v.
func (s *sorted[K, T]) find(v T) position {
	return s.seek(s.keyOf(v), func(w T) bool { return s.compare(w, v) < 0 })
}

// findAfter returns the position of the first value that is after v.
func (s *sorted[K, T]) findAfter(v T) position {
	return s.seek(s.keyOf(v), func(w T) bool { return s.compare(w, v) <= 0 })
}

// at returns the position n values after p, or the end.
func (s *sorted[K, T]) at(p position, n int) position {
	for n += p.i; p.c < len(s.chunks); p.c++ {
		if n < len(s.chunks[p.c].entries) {
			return position{p.c, n}
		}
		n -= len(s.chunks[p.c].entries)
	}
	return s.end()
}

// back returns the position n values before p, or the start.
func (s *sorted[K, T]) back(p position, n int) position {
	for n > p.i && p.c > 0 {
		n -= p.i
		p = position{p.c - 1, len(s.chunks[p.c-1].entries)}
	}
	return position{p.c, max(p.i-n, 0)}
}

// count returns how many values are between two positions, 0 if to is before from.
func (s *sorted[K, T]) count(from, to position) int {
	if later(from, to) == from {
		return 0
	}
	if to.c-from.c > len(s.chunks)/2 { // there are fewer chunks around it
		return s.size - s.sum(s.start(), from) - s.sum(to, s.end())
	}
	return s.sum(from, to)
}

// sum counts the values from one position to a later one.
func (s *sorted[K, T]) sum(from, to position) int {
	n := to.i - from.i
	for c := from.c; c < to.c; c++ {
		n += len(s.chunks[c].entries)
	}
	return n
}

func (s *sorted[K, T]) insert(v T) {
	s.size++
	e := entry[K, T]{s.keyOf(v), v}
	p := s.find(v)
	if p.i == 0 && p.c > 0 { // between two chunks: prefer to append
		p = position{p.c - 1, len(s.chunks[p.c-1].entries)}
	}
	switch {
	case len(s.chunks) == 0:
		s.chunks = []chunk[K, T]{{e.key, []entry[K, T]{e}}}
		return
	case len(s.chunks[p.c].entries) < chunkMax:
	case p == position{len(s.chunks) - 1, chunkMax}:
		// Values that arrive in order fill every chunk.
		s.chunks = append(s.chunks, chunk[K, T]{e.key, append(make([]entry[K, T], 0, chunkMax), e)})
		return
	default:
		p = s.split(p)
	}
	s.set(p.c, slices.Insert(s.chunks[p.c].entries, p.i, e))
}

// set replaces the entries of chunk c. There must be at least one.
func (s *sorted[K, T]) set(c int, entries []entry[K, T]) {
	s.chunks[c] = chunk[K, T]{entries[0].key, entries}
}

// split halves the full chunk of p and returns the new position of p.
func (s *sorted[K, T]) split(p position) position {
	const half = chunkMax / 2
	left := s.chunks[p.c].entries
	right := append(make([]entry[K, T], 0, chunkMax), left[half:]...)
	clear(left[half:])
	s.set(p.c, left[:half])
	s.chunks = slices.Insert(s.chunks, p.c+1, chunk[K, T]{right[0].key, right})
	if p.i > half {
		return position{p.c + 1, p.i - half}
	}
	return p
}

// remove removes v, which must be in the list.
func (s *sorted[K, T]) remove(v T) {
	s.size--
	p := s.find(v)
	entries := slices.Delete(s.chunks[p.c].entries, p.i, p.i+1)
	if len(entries) == 0 {
		s.chunks = slices.Delete(s.chunks, p.c, p.c+1)
		return
	}
	s.set(p.c, entries)
	if !s.join(p.c) {
		s.join(p.c - 1)
	}
}

// join merges chunk c with the next one if both are small, and reports whether it did.
// The result fills at most half a chunk, so that the next insertion does not split it
// again.
func (s *sorted[K, T]) join(c int) bool {
	if c < 0 || c+1 >= len(s.chunks) {
		return false
	}
	left, right := s.chunks[c].entries, s.chunks[c+1].entries
	if len(left)+len(right) > chunkMax/2 {
		return false
	}
	s.set(c, append(left, right...))
	s.chunks = slices.Delete(s.chunks, c+1, c+2)
	return true
}

// replace replaces old by v. old must be in the list and equal to v.
func (s *sorted[K, T]) replace(old, v T) {
	p := s.find(old)
	s.chunks[p.c].entries[p.i].value = v
}

// up yields the values from one position to another, in order.
func (s *sorted[K, T]) up(from, to position) iter.Seq[T] {
	return func(yield func(T) bool) {
		for c := from.c; c < len(s.chunks) && c <= to.c; c++ {
			entries := s.chunks[c].entries
			if c == to.c {
				entries = entries[:to.i]
			}
			if c == from.c {
				entries = entries[min(from.i, len(entries)):]
			}
			for i := range entries {
				if !yield(entries[i].value) {
					return
				}
			}
		}
	}
}

// down yields the same values in reverse.
func (s *sorted[K, T]) down(from, to position) iter.Seq[T] {
	return func(yield func(T) bool) {
		for c := min(to.c, len(s.chunks)-1); c >= from.c; c-- {
			entries := s.chunks[c].entries
			if c == to.c {
				entries = entries[:to.i]
			}
			if c == from.c {
				entries = entries[min(from.i, len(entries)):]
			}
			for i := range slices.Backward(entries) {
				if !yield(entries[i].value) {
					return
				}
			}
		}
	}
}
