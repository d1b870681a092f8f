package memory

import (
	"iter"
	"slices"
	"time"
	"unique"

	"github.com/authtoken/authtoken/store"
)

// row is a record as the store keeps it, in half the size of a [store.Record]. Times
// are microseconds, tokens share their intents, tokens of one user share an ID, and
// rare fields are elsewhere. A row in the store never changes, so it can be read
// without the lock.
type row struct {
	pk           store.PK
	digest       store.Digest
	identifier   string
	description  string
	intent       unique.Handle[string]
	limits       *limits
	user         string
	owner        *owner // its ID is user; nil until the row is in the store
	expires      int64
	created      int64
	lastUsed     int64
	lastUsedFrom string
	version      int64
	sealed       string // a string, because it cannot change and has no capacity
	rare         *rare  // nil if all its fields are zero
	expiring     bool
}

// limits are the bounds of a key, and the state and metadata of its token.
type limits struct {
	scopes, networks string
	metadata         string
	state            store.State
}

// unlimited is the limits value that most tokens share.
var unlimited = &limits{scopes: "*", networks: "*", state: store.StateActive}

func limitsOf(r *store.Record) *limits {
	if l := (limits{r.Scopes, r.Networks, r.Metadata, r.State}); l != *unlimited {
		return new(l)
	}
	return unlimited
}

// rare has the fields that few tokens set: those that are managed, were rotated, or
// were made through another.
type rare struct {
	managed      string
	via          store.PK
	retired      store.Digest
	retiredUntil int64
	earlier      []store.EarlierKey // nil if there are none; its values never change
}

// noTime is the zero time.Time in microseconds. It converts back to the zero time.Time,
// so neither way needs a special case.
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

// record returns w as a record that shares no memory with it.
func (w *row) record() (r store.Record) {
	w.copyTo(&r)
	return r
}

// copyTo sets all fields of r, which must be zero, to those of w.
func (w *row) copyTo(r *store.Record) {
	w.view(r)
	r.Networks, r.Metadata = w.limits.networks, w.limits.metadata
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

// view sets the fields of r that [store.Query.Match] and [store.Query.Compare] use. It
// allocates nothing.
func (w *row) view(r *store.Record) {
	r.PK = w.pk
	r.Identifier = w.identifier
	r.Intent = w.intent.Value()
	r.User = w.user
	r.Description = w.description
	r.Scopes, r.State = w.limits.scopes, w.limits.state
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

// canExpire reports whether w belongs in the index by expiry.
func (w *row) canExpire() bool { return w.expiring && w.expires != noTime }
