package memory

import (
	"encoding/binary"
	"slices"

	"github.com/authtoken/authtoken/store"
)

// index holds all the ways to find a row.
type index struct {
	byPK         wideMap[store.PK]
	byDigest     wideMap[store.Digest]
	byIdentifier map[string]*row
	byManaged    map[string]*row
	byFormer     map[store.Digest][]*row // several tokens may have had the same key
	owners       map[string]*owner       // of at least one token, by ID

	all      sorted[textKey, *row] // by identifier
	byExpiry sorted[timeKey, *row] // rows that can expire, by expiry and PK
}

// owner is a user who has tokens.
type owner struct {
	id  string
	own sorted[textKey, *row] // by identifier
}

func newIndex() index {
	return index{
		byPK: newWideMap(
			func(w *row) store.PK { return w.pk },
			func(pk store.PK) uint64 { return binary.BigEndian.Uint64(pk[8:]) }), // the random end of a UUID
		byDigest: newWideMap(
			func(w *row) store.Digest { return w.digest },
			func(d store.Digest) uint64 { return binary.BigEndian.Uint64(d[:]) }),
		byIdentifier: make(map[string]*row),
		byManaged:    make(map[string]*row),
		byFormer:     make(map[store.Digest][]*row),
		owners:       make(map[string]*owner),
		all:          newByIdentifier(),
		byExpiry:     newByExpiry(),
	}
}

// current returns the row with this PK if it has this version.
func (x *index) current(pk store.PK, version int64) (*row, error) {
	w := x.byPK.get(pk)
	if w == nil {
		return nil, store.ErrNotFound
	}
	if w.version != version {
		return nil, store.ErrStale
	}
	return w, nil
}

// owned returns how many tokens this user has.
func (x *index) owned(user string) int {
	if o := x.owners[user]; o != nil {
		return o.own.size
	}
	return 0
}

// taken returns a TakenError if w cannot replace old. old is nil if w is new.
func (x *index) taken(old, w *row) error {
	free := func(other *row) bool { return other == nil || other == old }
	switch {
	case !free(x.byPK.get(w.pk)):
		return &store.TakenError{Field: store.FieldPK}
	case !free(x.byIdentifier[w.identifier]):
		return &store.TakenError{Field: store.FieldIdentifier}
	case !free(x.byDigest.get(w.digest)):
		return &store.TakenError{Field: store.FieldDigest}
	case w.managed() != "" && !free(x.byManaged[w.managed()]):
		return &store.TakenError{Field: store.FieldManaged}
	}
	return nil
}

// swap replaces old by w in all indexes. If old is nil it adds w, if w is nil it
// removes old.
func (x *index) swap(old, w *row) {
	x.byPK.swap(old, w)
	x.byDigest.swap(old, w)
	swapKey(x.byIdentifier, old, w, func(r *row) (string, bool) { return r.identifier, true })
	swapKey(x.byManaged, old, w, func(r *row) (string, bool) { return r.managed(), r.managed() != "" })
	x.swapFormer(old, w)

	swapSorted(&x.all, old, w)
	x.swapOwned(old, w)
	if old != nil && !old.canExpire() {
		old = nil
	}
	if w != nil && !w.canExpire() {
		w = nil
	}
	swapSorted(&x.byExpiry, old, w)
}

// swapKey swaps in a map. It skips rows for which key reports false.
func swapKey[K comparable](m map[K]*row, old, w *row, key func(*row) (K, bool)) {
	var k, oldKey K
	var has, had bool
	if w != nil {
		k, has = key(w)
	}
	if old != nil {
		oldKey, had = key(old)
	}
	if had && !(has && k == oldKey) {
		delete(m, oldKey)
	}
	if has {
		m[k] = w
	}
}

// swapSorted swaps in a sorted list.
func swapSorted[K key[K]](list *sorted[K, *row], old, w *row) {
	if old != nil && w != nil && list.compare(old, w) == 0 {
		list.replace(old, w)
		return
	}
	if old != nil {
		list.remove(old)
	}
	if w != nil {
		list.insert(w)
	}
}

// swapOwned swaps in the lists of both owners. It removes an owner who has no tokens
// left, and makes w share the ID of its owner.
func (x *index) swapOwned(old, w *row) {
	if old != nil && w != nil && old.user == w.user {
		w.user, w.owner = old.user, old.owner
		swapSorted(&w.owner.own, old, w)
		return
	}
	if old != nil {
		o := old.owner
		if o.own.remove(old); o.own.size == 0 {
			delete(x.owners, o.id)
		}
	}
	if w != nil {
		o := x.owners[w.user]
		if o == nil {
			o = &owner{w.user, newByIdentifier()}
			x.owners[o.id] = o
		}
		w.user, w.owner = o.id, o
		o.own.insert(w)
	}
}

func (x *index) swapFormer(old, w *row) {
	if old != nil {
		for d := range old.former() {
			if rest := slices.DeleteFunc(x.byFormer[d], func(r *row) bool { return r == old }); len(rest) > 0 {
				x.byFormer[d] = rest
			} else {
				delete(x.byFormer, d)
			}
		}
	}
	if w != nil {
		for d := range w.former() {
			x.byFormer[d] = append(x.byFormer[d], w)
		}
	}
}

// formerly returns a row that had this digest before its current one, preferably as its
// last one.
func (x *index) formerly(d store.Digest) *row {
	rows := x.byFormer[d]
	if i := slices.IndexFunc(rows, func(w *row) bool { return w.retired() == d }); i >= 0 {
		return rows[i]
	}
	if len(rows) > 0 {
		return rows[0]
	}
	return nil
}
