package memory

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// coarse is a key that leaves much to be settled by the values.
type coarse int

func (k coarse) compare(l coarse) int { return cmp.Compare(k, l) }

func newInts() *sorted[coarse, int] {
	return &sorted[coarse, int]{keyOf: func(v int) coarse { return coarse(v >> 5) }, compare: cmp.Compare[int]}
}

// TestSorted does the same to a sorted list and to a slice.
func TestSorted(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	list := newInts()
	var want []int
	for _, phase := range []struct {
		steps   int
		inserts float64 // how many of the steps, at most, insert
	}{{6000, 0.9}, {6000, 0.5}, {9000, 0.1}, {3000, 0.9}, {9000, 0}} {
		for range phase.steps {
			v := rng.IntN(20_000)
			if rng.Float64() >= phase.inserts && len(want) > 0 {
				v = want[rng.IntN(len(want))]
			}
			if i, found := slices.BinarySearch(want, v); found {
				want = slices.Delete(want, i, i+1)
				list.remove(v)
			} else {
				want = slices.Insert(want, i, v)
				list.insert(v)
			}
			if rng.IntN(200) == 0 {
				compareSorted(t, rng, list, want)
			}
			if t.Failed() {
				return
			}
		}
		compareSorted(t, rng, list, want)
	}
	if len(want) > 0 || len(list.chunks) > 0 {
		t.Errorf("%d values and %d chunks are left", len(want), len(list.chunks))
	}
}

// compareSorted checks that the list is in good order and has what it should.
func compareSorted(t *testing.T, rng *rand.Rand, list *sorted[coarse, int], want []int) {
	t.Helper()
	for c, chunk := range list.chunks {
		n := len(chunk.entries)
		if n == 0 || n > chunkMax {
			t.Fatalf("chunk %d has %d entries", c, n)
		}
		if c > 0 && n+len(list.chunks[c-1].entries) <= chunkMax/4 {
			t.Errorf("chunks %d and %d have %d and %d entries", c-1, c, len(list.chunks[c-1].entries), n)
		}
		if chunk.head != chunk.entries[0].key {
			t.Errorf("chunk %d has the head %v but starts with %v", c, chunk.head, chunk.entries[0].key)
		}
	}
	if list.size != len(want) {
		t.Errorf("size is %d, want %d", list.size, len(want))
	}
	if got := slices.Collect(list.up(list.start(), list.end())); !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}

	lo, hi := rng.IntN(21_000)-500, rng.IntN(21_000)-500
	from, to := list.find(lo), list.findAfter(hi)
	i, _ := slices.BinarySearch(want, lo)
	j, _ := slices.BinarySearch(want, hi+1)
	if n := list.count(list.start(), from); n != i {
		t.Errorf("%d values are before %d, want %d", n, lo, i)
	}
	if list.at(list.start(), i) != from || list.at(list.start(), j) != to {
		t.Errorf("the positions %v and %v, of %d and %d, are not those after %d and %d values", from, to, lo, hi, i, j)
	}
	if i > j {
		if got := slices.Collect(list.up(from, to)); len(got) > 0 || list.count(from, to) != 0 {
			t.Errorf("from %d up to %d there are %v", lo, hi, got)
		}
		if later(from, to) != from || later(to, from) != from {
			t.Errorf("the later of %v and %v is %v", from, to, later(from, to))
		}
		return
	}
	if n := list.count(from, to); n != j-i {
		t.Errorf("from %d to %d there are %d values, want %d", lo, hi, n, j-i)
	}
	if n := rng.IntN(j - i + 1); list.at(from, n) != list.at(list.start(), i+n) {
		t.Errorf("%d values after %v is not %d values after the start", n, from, i+n)
	}
	if got := slices.Collect(list.up(from, to)); !slices.Equal(got, want[i:j]) {
		t.Errorf("from %d up to %d: %v, want %v", lo, hi, got, want[i:j])
	}
	if n := rng.IntN(j - i + 1); list.count(list.back(to, n), to) != n || list.back(to, j+n) != list.start() {
		t.Errorf("%d values before %v is %v, and %d before it %v", n, to, list.back(to, n), j+n, list.back(to, j+n))
	}
	got := slices.Collect(list.down(from, to))
	if slices.Reverse(got); !slices.Equal(got, want[i:j]) {
		t.Errorf("from %d down to %d: %v, want %v", hi, lo, got, want[i:j])
	}
}

func TestSortedReplace(t *testing.T) {
	t.Parallel()
	type pair struct{ key, value int }
	list := &sorted[coarse, pair]{
		keyOf:   func(p pair) coarse { return coarse(p.key >> 5) },
		compare: func(a, b pair) int { return cmp.Compare(a.key, b.key) },
	}
	for _, key := range rand.New(rand.NewPCG(7, 8)).Perm(2000) {
		list.insert(pair{key: key})
	}
	for key := range 2000 {
		list.replace(pair{key: key}, pair{key, key + 1})
	}
	for p := range list.up(list.start(), list.end()) {
		if p.value != p.key+1 {
			t.Fatalf("%d has the value %d", p.key, p.value)
		}
	}
}

// TestSortedInOrder checks that values that arrive in order waste no room.
func TestSortedInOrder(t *testing.T) {
	t.Parallel()
	list := newInts()
	for v := range 10 * chunkMax {
		list.insert(v)
	}
	if n := len(list.chunks); n != 10 {
		t.Errorf("%d values are in %d chunks, want 10", list.size, n)
	}
}

func TestWideMap(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 10))
	// All but a few keys share what is kept of them.
	m := newWideMap(func(w *row) int64 { return w.version }, func(k int64) uint64 { return uint64(k % 3) })
	want := map[int64]*row{}
	for range 5000 {
		k := rng.Int64N(40)
		old, w := want[k], &row{version: k}
		if old != nil {
			switch rng.IntN(3) {
			case 0:
				w = nil
			case 1:
				if w.version = rng.Int64N(40); want[w.version] != nil {
					w.version = k
				}
			}
			delete(want, k)
		}
		if w != nil {
			want[w.version] = w
		}
		m.swap(old, w)
		for k := range int64(40) {
			if m.get(k) != want[k] {
				t.Fatalf("%d is found as %v, want %v", k, m.get(k), want[k])
			}
		}
		if n := len(m.short) + len(m.whole); n != len(want) {
			t.Fatalf("%d rows are kept, want %d", n, len(want))
		}
	}
}
