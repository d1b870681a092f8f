package memory

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

// TestUnfiltered sets one field of a query at a time.
func TestUnfiltered(t *testing.T) {
	t.Parallel()
	full := reflect.ValueOf(store.Query{
		Identifier: "a", Description: "a", Managed: "a", Users: []string{}, Intents: []string{}, States: []store.State{},
		Scope: "a", Via: store.PK{1}, Expires: time.UnixMicro(1), Expiring: new(bool),
		ExpiryFrom: time.UnixMicro(1), ExpiryBefore: time.UnixMicro(1), Words: []store.Word{{}},
		Order: []store.Order{}, After: &store.Record{}, Offset: 1, Limit: 1,
	})
	for i := range full.NumField() {
		name := full.Type().Field(i).Name
		var q store.Query
		require.False(t, full.Field(i).IsZero(), "this test does not know %s", name)
		reflect.ValueOf(&q).Elem().Field(i).Set(full.Field(i))
		require.Equal(t, slices.Contains([]string{"Order", "After", "Offset", "Limit"}, name), unfiltered(q), name)
	}
	require.True(t, unfiltered(store.Query{Words: []store.Word{}}))
}
