package memory

import (
	"iter"
	"slices"
	"time"
	"unique"

	"github.com/authtoken/authtoken/store"
)

// row is a record as it is kept: half the size of a [store.Record], because
// times are microseconds, a few intents serve all tokens, those of one user share
// an ID and what most tokens lack is elsewhere. A row never changes once it is in the store, so whoever has
// got hold of one may read it without the lock.
type row struct {
	pk           store.PK
	digest       store.Digest
	identifier   string
	description  string
	intent       unique.Handle[string]
	limits       *limits
	user         string
	owner        *owner // whose ID user is; nil until the row is in the store
	expires      int64
	created      int64
	lastUsed     int64
	lastUsedFrom string
	version      int64
	sealed       string // a string, because it cannot change and has no capacity
	rare         *rare  // nil if there is nothing in it
	expiring     bool
}

// limits is what a key is good for, and what is noted about its token.
type limits struct {
	scopes, networks string
	metadata         string
	state            store.State
}

// unlimited is the limits of most tokens, which share it.
var unlimited = &limits{scopes: "*", networks: "*", state: store.StateActive}

func limitsOf(r *store.Record) *limits {
	if l := (limits{r.Scopes, r.Networks, r.Metadata, r.State}); l != *unlimited {
		return new(l)
	}
	return unlimited
}

// rare is what few tokens have: those that are managed, were rotated, or were made
// through another.
type rare struct {
	managed      string
	via          store.PK
	retired      store.Digest
	retiredUntil int64
	earlier      []store.EarlierKey // nil, not empty; what is in it never changes
}

// noTime is the zero time.Time in microseconds. Turned back, it is the zero
// time.Time again, so that neither way has to ask.
const noTime = -62_135_596_800_000_000

func fromMicro(m int64) time.Time { return time.UnixMicro(m).UTC() }

func newRow(r *store.Record) *row {
	w := &row{
		pk:           r.PK,
		digest:       r.Digest,
		identifier:   r.Identifier,
		description:  r.Description,
		intent:       unique.Make(r.Intent),
		limits:       limitsOf(r),
		user:         r.User,
		expires:      r.Expires.UnixMicro(),
		created:      r.Created.UnixMicro(),
		lastUsed:     r.LastUsed.UnixMicro(),
		lastUsedFrom: r.LastUsedFrom,
		version:      r.Version,
		sealed:       string(r.Sealed),
		expiring:     r.Expiring,
	}
	if r.Managed != "" || r.Via != (store.PK{}) || r.Retired != (store.Digest{}) || !r.RetiredUntil.IsZero() || len(r.Earlier) > 0 {
		w.rare = &rare{r.Managed, r.Via, r.Retired, r.RetiredUntil.UnixMicro(), earlierKeys(r.Earlier)}
	}
	return w
}

func earlierKeys(keys []store.EarlierKey) []store.EarlierKey {
	var own []store.EarlierKey
	for _, k := range keys {
		own = append(own, store.EarlierKey{Digest: k.Digest, Until: fromMicro(k.Until.UnixMicro())})
	}
	return own
}

// record returns w as a record that shares nothing with it.
func (w *row) record() (r store.Record) {
	w.copyTo(&r)
	return r
}

// copyTo sets all fields of r, which is a zero Record, to w's.
func (w *row) copyTo(r *store.Record) {
	w.view(r)
	r.Digest = w.digest
	if w.sealed != "" {
		r.Sealed = []byte(w.sealed)
	}
	if w.rare != nil {
		r.Retired = w.rare.retired
		r.RetiredUntil = fromMicro(w.rare.retiredUntil)
		r.Earlier = slices.Clone(w.rare.earlier)
	}
	r.LastUsedFrom = w.lastUsedFrom
	r.Version = w.version
}

// view sets those fields of r that [store.Query.Match] and
// [store.Query.Compare] look at, and allocates nothing.
func (w *row) view(r *store.Record) {
	r.PK = w.pk
	r.Identifier = w.identifier
	r.Intent = w.intent.Value()
	r.User = w.user
	r.Description = w.description
	r.Scopes, r.Networks, r.Metadata, r.State = w.limits.scopes, w.limits.networks, w.limits.metadata, w.limits.state
	r.Managed, r.Via = "", store.PK{}
	if w.rare != nil {
		r.Managed, r.Via = w.rare.managed, w.rare.via
	}
	r.Expires = fromMicro(w.expires)
	r.Expiring = w.expiring
	r.Created = fromMicro(w.created)
	r.LastUsed = fromMicro(w.lastUsed)
}

func (w *row) managed() string {
	if w.rare == nil {
		return ""
	}
	return w.rare.managed
}

func (w *row) retired() store.Digest {
	if w.rare == nil {
		return store.Digest{}
	}
	return w.rare.retired
}

// former yields the digests that w had before its current one.
func (w *row) former() iter.Seq[store.Digest] {
	return func(yield func(store.Digest) bool) {
		if w.rare == nil {
			return
		}
		if d := w.rare.retired; d != (store.Digest{}) && !yield(d) {
			return
		}
		for i := range w.rare.earlier {
			if d := w.rare.earlier[i].Digest; d != (store.Digest{}) && !yield(d) {
				return
			}
		}
	}
}

// canExpire reports whether w has a place in the index by expiry.
func (w *row) canExpire() bool { return w.expiring && w.expires != noTime }
