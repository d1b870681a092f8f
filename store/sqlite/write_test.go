package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/authtoken/authtoken/store"
)

// A write that SQLite refuses for another reason than what it collides with gets
// the refusal, and those in the same group don't.
func TestRefusedInAGroup(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), Config{})
	require.NoError(t, err)
	defer s.Close()
	_, err = driver.Limit(s.writer.conn.Conn, sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			r := store.Record{PK: store.PK{byte(i)}, Identifier: fmt.Sprint(i), Digest: store.Digest{1, byte(i)}}
			if i%20 == 0 {
				r.Sealed = make([]byte, 10_001)
			}
			err := s.Create(context.Background(), r, 0)
			if i%20 != 0 && err != nil || i%20 == 0 && primary(code(err)) != sqlite3.SQLITE_TOOBIG {
				t.Error(i, err)
			}
		})
	}
	wg.Wait()
	n, err := s.Count(t.Context(), store.Query{})
	require.NoError(t, err)
	require.Equal(t, 95, n)
}

// When the disk is full SQLite rolls back by itself, and whoever goes on in the
// belief that there is a transaction would commit each statement on its own.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), Config{})
	require.NoError(t, err)
	defer s.Close()
	limit := func(pages int) {
		_, err := s.writer.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		require.NoError(t, err)
	}
	var n atomic.Int64
	create := func() (store.Record, error) {
		i := n.Add(1)
		r := store.Record{PK: store.PK{byte(i), byte(i >> 8)}, Identifier: fmt.Sprint(i), Digest: store.Digest{1, byte(i), byte(i >> 8)}}
		r.Description = strings.Repeat("x", 500)
		return r, s.Create(context.Background(), r, 0)
	}
	limit(50)
	var mu sync.Mutex
	var acknowledged []string
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 10 {
				r, err := create()
				switch {
				case err == nil:
					mu.Lock()
					acknowledged = append(acknowledged, r.Identifier)
					mu.Unlock()
				case primary(code(err)) != sqlite3.SQLITE_FULL:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NotEmpty(t, acknowledged)
	_, err = create()
	require.ErrorContains(t, err, "full")
	records, err := s.List(t.Context(), store.Query{})
	require.NoError(t, err)
	there := make([]string, len(records))
	for i, r := range records {
		there[i] = r.Identifier
	}
	require.ElementsMatch(t, acknowledged, there)

	limit(1000)
	_, err = create()
	require.NoError(t, err, "there is room again")
}

// Lists that take long, as many as there are connections for, don't keep a
// key from being checked.
func TestListsLeavePointReadsAlone(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), Config{})
	require.NoError(t, err)
	defer s.Close()
	for range s.listDB.Stats().MaxOpenConnections {
		conn, err := s.listDB.Connx(t.Context())
		require.NoError(t, err)
		defer conn.Close()
	}
	_, err = s.GetByDigest(t.Context(), store.Digest{1})
	require.ErrorIs(t, err, store.ErrNotFound)

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	_, err = s.List(ctx, store.Query{})
	require.ErrorIs(t, err, context.Canceled, "waiting for a connection ends with the context")
}

// While another process keeps the lock, all give up when their time is up, and
// not one after the other.
func TestLockedForTooLong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	const timeout = 300 * time.Millisecond
	s, err := Open(t.Context(), path, Config{BusyTimeout: timeout})
	require.NoError(t, err)
	defer s.Close()
	other, err := Open(t.Context(), path, Config{})
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.writer.begin(t.Context(), time.Now()))

	start := time.Now()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			err := s.Create(context.Background(), store.Record{PK: store.PK{byte(i)}, Identifier: fmt.Sprint(i), Digest: store.Digest{1, byte(i)}}, 0)
			if !isBusy(err) || time.Since(start) < timeout {
				t.Error(err, time.Since(start))
			}
		})
	}
	wg.Wait()
	require.Less(t, time.Since(start), 20*timeout)

	_, err = s.Get(t.Context(), "1")
	require.ErrorIs(t, err, store.ErrNotFound, "readers don't wait")
	other.writer.rollback()
	require.NoError(t, s.Create(t.Context(), store.Record{Digest: store.Digest{1}}, 0))
}
