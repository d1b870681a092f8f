package sqlite_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// Each benchmark does one thing through the store and through prepared statements
// on the same tables ("raw"), so that what counts is the ratio of the two, which
// a busy machine changes less than either:
//
//	go test -run '^$' -bench . -count 5 ./store/sqlite

var callers = []int{1, 8, 64}

func BenchmarkCreate(b *testing.B) {
	for _, n := range callers {
		b.Run(fmt.Sprintf("raw/callers=%d", n), func(b *testing.B) {
			db := raw(b, pathOf(b))
			insert := prepare(b, db, insertSQL)
			spread(b, n, func(ctx context.Context, i int) error {
				r := token(i)
				_, err := insert.ExecContext(ctx, args(&r)...)
				return err
			})
		})
		b.Run(fmt.Sprintf("store/callers=%d", n), func(b *testing.B) {
			s := open(b, sqlite.Config{})
			spread(b, n, func(ctx context.Context, i int) error { return s.Create(ctx, token(i)) })
		})
	}
	b.Run("raw/64 a commit", func(b *testing.B) { rawBatches(b, 64) })
}

// rawBatches inserts from one goroutine, with a commit for so many rows: as good
// as it can get.
func rawBatches(b *testing.B, rows int) {
	db := raw(b, pathOf(b))
	begin, insert, commit := prepare(b, db, "BEGIN IMMEDIATE"), prepare(b, db, insertSQL), prepare(b, db, "COMMIT")
	ctx := context.Background()
	b.ResetTimer()
	for i := range b.N {
		if i%rows == 0 {
			_, err := begin.ExecContext(ctx)
			require.NoError(b, err)
		}
		r := token(i)
		if _, err := insert.ExecContext(ctx, args(&r)...); err != nil {
			b.Fatal(err)
		}
		if i%rows == rows-1 || i == b.N-1 {
			_, err := commit.ExecContext(ctx)
			require.NoError(b, err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	const tokens = 10_000
	for _, n := range callers {
		b.Run(fmt.Sprintf("raw/callers=%d", n), func(b *testing.B) {
			path := pathOf(b)
			records := fill(b, openAt(b, path), tokens)
			db := raw(b, path)
			update := prepare(b, db, `UPDATE authtoken_tokens SET description = ?, version = version + 1 WHERE pk = ? AND version = ?`)
			spread(b, n, func(ctx context.Context, i int) error {
				_, err := update.ExecContext(ctx, fmt.Sprint("changed for the ", i), records[i%tokens].PK[:], i/tokens)
				return err
			})
		})
		b.Run(fmt.Sprintf("store/callers=%d", n), func(b *testing.B) {
			s := open(b, sqlite.Config{})
			records := fill(b, s, tokens)
			spread(b, n, func(ctx context.Context, i int) error {
				r := records[i%tokens]
				r.Description, r.Version = fmt.Sprint("changed for the ", i), int64(i/tokens)
				return s.Update(ctx, r)
			})
		})
		b.Run(fmt.Sprintf("store, all fields/callers=%d", n), func(b *testing.B) {
			s := open(b, sqlite.Config{})
			records := fill(b, s, tokens)
			spread(b, n, func(ctx context.Context, i int) error {
				r := records[i%tokens]
				r.Identifier, r.Version = fmt.Sprint("changed for the ", i), int64(i/tokens)
				r.Digest[0]++
				return s.Update(ctx, r)
			})
		})
	}
}

func BenchmarkGetByDigest(b *testing.B) {
	const tokens = 10_000
	path := pathOf(b)
	s := openAt(b, path)
	records := fill(b, s, tokens)
	db := raw(b, path)
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(2)
	get := prepare(b, db, `SELECT `+columns+` FROM authtoken_tokens WHERE digest = ?`)
	for _, n := range callers {
		b.Run(fmt.Sprintf("raw/callers=%d", n), func(b *testing.B) {
			spread(b, n, func(_ context.Context, i int) error {
				var r store.Record
				var pk, digest, sealed, retired []byte
				var managed sql.NullString
				var expires, until, created, used sql.NullInt64
				return get.QueryRow(records[i*7919%tokens].Digest[:]).Scan(&pk, &r.Identifier, &r.Intent, &r.User, &r.Description,
					&managed, &expires, &r.Expiring, &digest, &sealed, &retired, &until, &created, &used, &r.LastUsedFrom, &r.Version)
			})
		})
		b.Run(fmt.Sprintf("store/callers=%d", n), func(b *testing.B) {
			spread(b, n, func(ctx context.Context, i int) error {
				_, err := s.GetByDigest(ctx, records[i*7919%tokens].Digest)
				return err
			})
		})
	}
}

// spread has n goroutines do f b.N times altogether, each with a context that can
// be cancelled, as a request's can, and reports how long the slowest took.
func spread(b *testing.B, n int, f func(ctx context.Context, i int) error) {
	b.Helper()
	b.ReportAllocs()
	var next atomic.Int64
	var wg sync.WaitGroup
	took := make([]time.Duration, b.N)
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				start := time.Now()
				if err := f(ctx, i); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

// token makes the token of a typical row.
func token(i int) store.Record {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(i))
	now := time.Unix(1_700_000_000, int64(i)*1000)
	return store.Record{
		PK: uuid.Must(uuid.NewV7()), Identifier: fmt.Sprintf("service-%x", sha256.Sum256(n[:]))[:24], Intent: "api",
		User: int64(i % 1000), Description: "made for the benchmark",
		Expires: now.Add(time.Hour), Expiring: true, Digest: sha256.Sum256(n[:]), Created: now,
	}
}

func fill(b *testing.B, s *sqlite.Store, n int) []store.Record {
	b.Helper()
	records := make([]store.Record, n)
	var wg sync.WaitGroup
	for c := range 64 {
		wg.Go(func() {
			for i := c; i < n; i += 64 {
				records[i] = token(i)
				if err := s.Create(context.Background(), records[i]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return records
}

const (
	columns = `pk, identifier, intent, user, description, managed, expires, expiring,
		digest, sealed, retired, retired_until, created, last_used, last_used_from, version`
	insertSQL = `INSERT INTO authtoken_tokens (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

func args(r *store.Record) []any {
	return []any{
		r.PK[:], r.Identifier, r.Intent, r.User, r.Description, nil, r.Expires.UnixMicro(), r.Expiring,
		r.Digest[:], nil, nil, nil, r.Created.UnixMicro(), nil, "", r.Version,
	}
}

func pathOf(b *testing.B) string { return filepath.Join(b.TempDir(), "tokens.db") }

func openAt(b *testing.B, path string) *sqlite.Store {
	b.Helper()
	s, err := sqlite.Open(path, sqlite.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

// raw opens the file on one connection, with the settings the store uses.
func raw(b *testing.B, path string) *sql.DB {
	b.Helper()
	openAt(b, path) // makes the tables
	u := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)&_pragma=cache_size(-65536)&" +
		"_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(4000)"}
	db, err := sql.Open("sqlite", u.String())
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	b.Cleanup(func() { db.Close() })
	return db
}

func prepare(b *testing.B, db *sql.DB, query string) *sql.Stmt {
	b.Helper()
	stmt, err := db.PrepareContext(context.Background(), query)
	require.NoError(b, err)
	return stmt
}
