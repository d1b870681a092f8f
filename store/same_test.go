package store_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

func TestSame(t *testing.T) {
	t.Parallel()
	a := record(0)
	a.Earlier = []store.EarlierKey{{Digest: store.Digest{1}, Until: a.Created}}

	b := a
	zone := time.FixedZone("east", 3600)
	for _, at := range []*time.Time{&b.Expires, &b.RetiredUntil, &b.Created, &b.LastUsed} {
		*at = at.In(zone).Add(time.Microsecond - 1)
	}
	b.Earlier = []store.EarlierKey{{Digest: store.Digest{1}, Until: b.Created}}
	b.Sealed = append([]byte{}, a.Sealed...)
	kept := []store.Record{a, b}
	require.True(t, store.Same(&a, &b), "in another zone, and finer than a microsecond")
	require.Equal(t, kept, []store.Record{a, b}, "neither has changed")

	require.True(t, store.Same(&store.Record{}, &store.Record{Sealed: []byte{}, Earlier: []store.EarlierKey{}}))
	b.Earlier = []store.EarlierKey{{Digest: store.Digest{1}, Until: a.Created.Add(time.Microsecond)}}
	require.False(t, store.Same(&a, &b), "another time")
}

// TestSameComparesEveryField sets one field of a record at a time.
func TestSameComparesEveryField(t *testing.T) {
	t.Parallel()
	full := reflect.ValueOf(store.Record{
		PK: store.PK{1}, Identifier: "a", Intent: "a", User: "a", Description: "a", Managed: "a",
		Expires: time.UnixMicro(1), Expiring: true, Scopes: "a", Networks: "a", State: 1, Metadata: "a", Via: store.PK{1},
		Digest: store.Digest{1}, Sealed: []byte{1}, Retired: store.Digest{1}, RetiredUntil: time.UnixMicro(1),
		Earlier: []store.EarlierKey{{}}, Created: time.UnixMicro(1), LastUsed: time.UnixMicro(1), LastUsedFrom: "a", Version: 1,
	})
	for i := range full.NumField() {
		var one store.Record
		reflect.ValueOf(&one).Elem().Field(i).Set(full.Field(i))
		require.False(t, store.Same(&store.Record{}, &one), full.Type().Field(i).Name)
	}
}
