package memory

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// textKey is the first 16 bytes of an identifier, padded with NULs, as two numbers that
// sort like them.
type textKey struct{ hi, lo uint64 }

func newTextKey(s string) textKey {
	var b [16]byte
	copy(b[:], s)
	return textKey{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])}
}

func (k textKey) compare(l textKey) int {
	if c := cmp.Compare(k.hi, l.hi); c != 0 {
		return c
	}
	return cmp.Compare(k.lo, l.lo)
}

// timeKey is a time in microseconds.
type timeKey int64

func (k timeKey) compare(l timeKey) int { return cmp.Compare(k, l) }

func newByIdentifier() sorted[textKey, *row] {
	return sorted[textKey, *row]{
		keyOf:   func(w *row) textKey { return newTextKey(w.identifier) },
		compare: func(a, b *row) int { return cmp.Compare(a.identifier, b.identifier) },
	}
}

func newByExpiry() sorted[timeKey, *row] {
	return sorted[timeKey, *row]{
		keyOf: func(w *row) timeKey { return timeKey(w.expires) },
		compare: func(a, b *row) int {
			return cmp.Or(cmp.Compare(a.expires, b.expires), bytes.Compare(a.pk[:], b.pk[:]))
		},
	}
}
