package store

import (
	"reflect"
	"time"
)

// Same reports whether stores keep a and b as the same record: all fields are equal,
// times to the microsecond, and empty Sealed and Earlier equal nil.
func Same(a, b *Record) bool { return reflect.DeepEqual(normal(*a), normal(*b)) }

// normal returns r in a form that all its equals share.
func normal(r Record) Record {
	for _, t := range []*time.Time{&r.Expires, &r.RetiredUntil, &r.Created, &r.LastUsed} {
		*t = time.UnixMicro(t.UnixMicro()).UTC()
	}
	if len(r.Sealed) == 0 {
		r.Sealed = nil
	}
	var earlier []EarlierKey
	for _, k := range r.Earlier {
		earlier = append(earlier, EarlierKey{k.Digest, time.UnixMicro(k.Until.UnixMicro()).UTC()})
	}
	r.Earlier = earlier
	return r
}
