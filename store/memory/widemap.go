package memory

// wideMap finds rows by a key of many random bytes. It keeps eight of them, since the
// row has them all; that takes half the memory of a plain map. If two keys share these
// eight bytes, the second is kept whole. Among random keys this does not happen, and
// keys that are not random do no harm.
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

// swap replaces old by w; either may be nil. The key of w must be that of old or new to
// the map.
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
