package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// record returns the ith of many records that differ in all that a record can.
func record(i int) store.Record {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * (time.Hour + time.Microsecond))
	r := store.Record{
		PK:         uuid.Must(uuid.NewV7()),
		Identifier: fmt.Sprintf("token-%d", i),
		Intent:     []string{"api", "app_password"}[i%2],
		User:       fmt.Sprint("user-", i%7),
		Digest:     sha256.Sum256(fmt.Append(nil, i)),
		Created:    at,
		Version:    int64(i%5) + 1,
	}
	if i%3 == 0 {
		r.Description, r.Sealed = "für "+r.Identifier, []byte(r.Identifier)
	}
	if i%4 == 0 {
		r.Expires, r.Expiring = at.Add(time.Hour), i%8 == 0
	}
	if i%5 == 0 {
		r.Managed, r.LastUsed, r.LastUsedFrom = "by-"+r.Identifier, at.Add(time.Minute), "192.0.2.1"
	}
	if i%6 == 0 {
		r.Retired, r.RetiredUntil = sha256.Sum256(fmt.Append(nil, "old", i)), at
	}
	if i%12 == 0 {
		r.Earlier = []store.EarlierKey{{Digest: sha256.Sum256(fmt.Append(nil, "oldest", i)), Until: at.Add(-time.Hour)}}
	}
	return r
}

func filled(t *testing.T, n int) *memory.Store {
	t.Helper()
	s := memory.New()
	for i := range n {
		require.NoError(t, s.Create(t.Context(), record(i), 0))
	}
	return s
}

func contents(t *testing.T, s store.Store) []store.Record {
	t.Helper()
	records, err := s.List(t.Context(), store.Query{})
	require.NoError(t, err)
	return records
}

func mustCopy(t *testing.T, dst, src store.Store) store.CopyStats {
	t.Helper()
	var last store.CopyStats
	stats, err := store.Copy(t.Context(), dst, src, func(s store.CopyStats) {
		require.GreaterOrEqual(t, s.Kept, last.Kept)
		require.GreaterOrEqual(t, s.Deleted, last.Deleted)
		require.GreaterOrEqual(t, s.Created, last.Created)
		last = s
	})
	require.NoError(t, err)
	require.Equal(t, last, stats, "the last that progress was told")
	require.Equal(t, contents(t, src), contents(t, dst))
	return stats
}

func TestCopyThereAndBack(t *testing.T) {
	t.Parallel()
	const n = 2345 // some pages, the last not full
	there, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), sqlite.Config{Synchronous: sqlite.Normal})
	require.NoError(t, err)
	defer there.Close()
	source := filled(t, n)

	require.Equal(t, store.CopyStats{Total: n, Created: n}, mustCopy(t, there, source))
	require.Equal(t, store.CopyStats{Total: n, Kept: n}, mustCopy(t, there, source), "again")
	require.Equal(t, store.CopyStats{Total: n, Created: n}, mustCopy(t, memory.New(), there))
}

func TestCopyWholePages(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1000, 2000} {
		require.Equal(t, store.CopyStats{Total: n, Created: n}, mustCopy(t, memory.New(), filled(t, n)))
	}
}

// Whatever has happened in the source since the last time happens in the
// destination too.
func TestCopyAgainAfterChanges(t *testing.T) {
	t.Parallel()
	const n = 1500
	ctx := t.Context()
	source, destination := filled(t, n), memory.New()
	mustCopy(t, destination, source)

	records := contents(t, source)
	change := func(r store.Record, f func(r *store.Record)) store.Record {
		f(&r)
		require.NoError(t, source.Update(ctx, r))
		r.Version++
		return r
	}
	rename := func(r store.Record, name string) store.Record {
		return change(r, func(r *store.Record) { r.Identifier = name })
	}
	// Two exchange their names, and one takes that of another that is deleted.
	first := rename(records[0], "exchanged")
	rename(records[n-1], records[0].Identifier)
	rename(first, records[n-1].Identifier)
	require.NoError(t, source.Delete(ctx, records[700].PK, records[700].Version))
	rename(records[20], records[700].Identifier)
	change(records[30], func(r *store.Record) { r.Digest, r.Retired = sha256.Sum256([]byte("new")), r.Digest })
	change(records[40], func(r *store.Record) { r.Sealed = []byte("sealed anew") })
	require.NoError(t, source.Touch(ctx, []store.Use{{PK: records[50].PK, At: time.Now(), From: "192.0.2.2"}}))
	require.NoError(t, source.Create(ctx, record(n), 0))

	require.Equal(t, store.CopyStats{Total: n, Kept: n - 7, Deleted: 7, Created: 7}, mustCopy(t, destination, source))
}

func TestCopyGoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	const n = 3500
	source, destination := filled(t, n), memory.New()
	ctx, cancel := context.WithCancel(t.Context())
	stats, err := store.Copy(ctx, destination, source, func(s store.CopyStats) {
		if s.Created > 0 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1000, stats.Created)
	require.Len(t, contents(t, destination), 1000)

	require.Equal(t, store.CopyStats{Total: n, Kept: 1000, Created: n - 1000}, mustCopy(t, destination, source))
}

// refusing is a store that does not take one identifier.
type refusing struct {
	store.Store
	identifier string
}

func (s refusing) Delete(ctx context.Context, pk store.PK, version int64) error {
	if r, err := s.Get(ctx, s.identifier); err == nil && r.PK == pk {
		return errRefused
	}
	return s.Store.Delete(ctx, pk, version)
}

var errRefused = errors.New("refused")

func (s refusing) Create(ctx context.Context, r store.Record, limit int) error {
	if r.Identifier == s.identifier {
		return errRefused
	}
	return s.Store.Create(ctx, r, limit)
}

func TestCopyNamesWhatFailed(t *testing.T) {
	t.Parallel()
	source, destination := filled(t, 1500), memory.New()
	stats, err := store.Copy(t.Context(), refusing{destination, "token-77"}, source, nil)
	require.ErrorIs(t, err, errRefused)
	require.EqualError(t, err, `copy tokens: destination: create: "token-77": refused`)
	require.GreaterOrEqual(t, stats.Created, 1000, "those of the page before") // by identifier, it is on the second
	require.Equal(t, len(contents(t, destination)), stats.Created)
	require.Equal(t, store.CopyStats{Total: 1500, Kept: len(contents(t, destination)), Created: 1500 - len(contents(t, destination))},
		mustCopy(t, destination, source))
}

// What the stats count is what was done, also on the page where something failed.
func TestCopyCountsWhatItDeleted(t *testing.T) {
	t.Parallel()
	destination := filled(t, 500)
	source := memory.New()
	require.NoError(t, source.Create(t.Context(), record(1000), 0))
	stats, err := store.Copy(t.Context(), refusing{destination, "token-77"}, source, nil)
	require.EqualError(t, err, `copy tokens: destination: delete: "token-77": refused`)
	require.Positive(t, stats.Deleted)
	require.Equal(t, 500-len(contents(t, destination)), stats.Deleted)
}

func TestCopyTheWrongWayRound(t *testing.T) {
	t.Parallel()
	full := filled(t, 5)
	_, err := store.Copy(t.Context(), full, memory.New(), nil)
	require.EqualError(t, err, "copy tokens: the source is empty, and the destination has 5: is it the other way round?")
	require.Len(t, contents(t, full), 5)
}

// growing is a store to which somebody adds a record after each page that is read.
type growing struct {
	*memory.Store
	made *int
}

func (s growing) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	page, err := s.Store.List(ctx, q)
	*s.made++
	r := record(10_000 + *s.made)
	r.Identifier = "a-" + r.Identifier // before all that are left to read
	return page, errors.Join(err, s.Store.Create(ctx, r, 0))
}

func TestCopyFromAStoreInUse(t *testing.T) {
	t.Parallel()
	source, destination := filled(t, 10), memory.New()
	_, err := store.Copy(t.Context(), destination, growing{source, new(int)}, nil)
	require.ErrorContains(t, err, "something writes to them")
	mustCopy(t, destination, source)
}
