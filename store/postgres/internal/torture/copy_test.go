package torture_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
	"github.com/authtoken/authtoken/store/sqlite"
)

// record returns the ith of many records.
func record(i int) store.Record {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 1001 * time.Microsecond)
	r := store.Record{
		Identifier:  fmt.Sprintf("service-%x", sha256.Sum256(fmt.Append(nil, "name", i)))[:24],
		Intent:      []string{"api", "app_password"}[i%2],
		User:        fmt.Sprint("user-", i%1000),
		Description: fmt.Sprint("für den Dienst ", i),
		Expires:     at.Add(time.Hour),
		Expiring:    i%3 != 0,
		Digest:      sha256.Sum256(fmt.Append(nil, i)),
		Created:     at,
		Version:     int64(i%5) + 1,
	}
	binary.BigEndian.PutUint64(r.PK[:], uint64(i)+1)
	switch i % 10 {
	case 1:
		r.Managed = "by-" + r.Identifier
	case 2:
		r.LastUsed, r.LastUsedFrom = at.Add(time.Minute), "192.0.2.1"
	case 3:
		r.Retired, r.RetiredUntil = sha256.Sum256(fmt.Append(nil, "old", i)), at
	case 4:
		r.Sealed = r.Digest[:]
	}
	return r
}

// TestCopyThereAndBack copies tokens from SQLite to PostgreSQL and on to SQLite
// again, where they are what they were. To copy once more finds nothing to do.
func TestCopyThereAndBack(t *testing.T) {
	t.Parallel()
	first, back := openFile(t), openFile(t)
	dsn := pgtest.With(pgtest.StartKillable(t).DSN(t), "pool_max_conns", "32") // see package postgres for why
	through, err := postgres.Open(t.Context(), dsn, postgres.Config{})
	require.NoError(t, err)
	defer through.Close()
	logRate(t, "filled SQLite", func() { fill(t, first, copied) })

	for _, way := range []struct {
		name     string
		from, to store.Store
	}{{"SQLite to PostgreSQL", first, through}, {"PostgreSQL to SQLite", through, back}} {
		for again, want := range []store.CopyStats{{Total: copied, Created: copied}, {Total: copied, Kept: copied}} {
			name := []string{way.name, "once more"}[again]
			logRate(t, name, func() {
				stats, err := store.Copy(t.Context(), way.to, way.from, nil)
				require.NoError(t, err)
				require.Equal(t, want, stats)
			})
		}
	}
	requireSame(t, first, back)
}

func openFile(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), sqlite.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func fill(t *testing.T, s store.Store, n int) {
	t.Helper()
	const writers = 64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				if err := s.Create(t.Context(), record(i), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func logRate(t *testing.T, what string, f func()) {
	start := time.Now()
	f()
	took := time.Since(start)
	t.Logf("%s: %d tokens in %v, %.0f/s", what, copied, took.Round(time.Millisecond), copied/took.Seconds())
}

// requireSame compares all that two stores hold, page by page.
func requireSame(t *testing.T, a, b store.Store) {
	t.Helper()
	compared := 0
	for q := (store.Query{Limit: 1000}); ; {
		want, err := a.List(t.Context(), q)
		require.NoError(t, err)
		got, err := b.List(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, want, got)
		if compared += len(want); len(want) < q.Limit {
			break
		}
		q.After = &want[len(want)-1]
	}
	require.Equal(t, copied, compared)
}
