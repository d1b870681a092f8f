package memory

// wideMap finds rows by a key of many random bytes, of which it keeps eight: the
// row has them all. That takes half the memory of a plain map. A key that agrees
// in those eight bytes with one that is there already is kept whole; among
// random keys there is none, and keys that are not random do no harm.
type wideMap[K comparable] struct {
	key     func(*row) K
	shorten func(K) uint64
	short   map[uint64]*row
	whole   map[K]*row
}

func newWideMap[K comparable](key func(*row) K, shorten func(K) uint64) wideMap[K] {
	return wideMap[K]{key, shorten, make(map[uint64]*row), make(map[K]*row)}
}

func (m *wideMap[K]) get(k K) *row {
	if w := m.short[m.shorten(k)]; w != nil && m.key(w) == k {
		return w
	}
	return m.whole[k]
}

// swap puts w in the place of old; either may be nil. Its key must be old's, or
// one that no row has.
func (m *wideMap[K]) swap(old, w *row) {
	if old != nil {
		k := m.key(old)
		s := m.shorten(k)
		switch same := w != nil && m.key(w) == k; {
		case m.short[s] != old && same:
			m.whole[k] = w
		case m.short[s] != old:
			delete(m.whole, k)
		case same:
			m.short[s] = w
		default:
			delete(m.short, s)
		}
		if w == nil || m.key(w) == k {
			return
		}
	}
	k := m.key(w)
	if s := m.shorten(k); m.short[s] == nil {
		m.short[s] = w
	} else {
		m.whole[k] = w
	}
}
