package memory

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

// TestOwners checks that tokens of one user share the ID, whoever gave it, and that
// nothing is left of users who have no token any more.
func TestOwners(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(13, 14))
	s := New()
	user := func() string { return fmt.Sprint("user-", rng.IntN(5)) } // a string of its own each time
	versions := map[byte]int64{}
	for range 2000 {
		n := byte(rng.IntN(20))
		r := store.Record{PK: store.PK{15: n}, Identifier: fmt.Sprint(n, "-", rng.IntN(3)), User: user(), Digest: store.Digest{n, 1}, Version: versions[n]}
		switch {
		case r.Version == 0:
			r.Version = 1
			require.NoError(t, s.Create(t.Context(), r, 0))
			versions[n] = 1
		case rng.IntN(3) == 0:
			require.NoError(t, s.Delete(t.Context(), r.PK, r.Version))
			delete(versions, n)
		default:
			require.NoError(t, s.Update(t.Context(), r))
			versions[n]++
		}

		owned := 0
		for id, o := range s.owners {
			require.Equal(t, id, o.id)
			require.Positive(t, o.own.size)
			owned += o.own.size
			for w := range o.own.up(o.own.start(), o.own.end()) {
				require.Same(t, o, w.owner)
				require.Same(t, unsafe.StringData(id), unsafe.StringData(w.user))
			}
		}
		require.Equal(t, len(versions), owned)
	}
	_, err := s.Purge(t.Context(), store.Query{})
	require.NoError(t, err)
	require.Empty(t, s.owners)
}
