package sqlite_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/internal/turns"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// Each benchmark has the store and raw prepared statements on the same tables do
// the same in turns; see package turns.
//
//	go test -run '^$' -bench . -benchtime 20x ./store/sqlite

var callers = []int{1, 8, 64}

func BenchmarkCreate(b *testing.B) {
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			insert := prepare(b, raw(b, pathOf(b)), insertSQL)
			s := openAt(b, pathOf(b))
			turns.Compare(b, func(offset int) []time.Duration {
				return turns.Spread(b, n, func(_ context.Context, i int) error {
					r := token(offset + i)
					_, err := insert.Exec(args(&r)...)
					return err
				})
			}, func(offset int) []time.Duration {
				return turns.Spread(b, n, func(ctx context.Context, i int) error { return s.Create(ctx, token(offset+i), 0) })
			})
		})
	}
}

// BenchmarkCreateAgainstBatches has 64 callers create tokens, and raw insert 64
// for each commit, from one goroutine, which is as fast as it gets.
func BenchmarkCreateAgainstBatches(b *testing.B) {
	db := raw(b, pathOf(b))
	begin, insert, commit := prepare(b, db, "BEGIN IMMEDIATE"), prepare(b, db, insertSQL), prepare(b, db, "COMMIT")
	s := openAt(b, pathOf(b))
	turns.Compare(b, func(offset int) []time.Duration {
		took := make([]time.Duration, turns.Round/64)
		for batch := range took {
			start := time.Now()
			_, err := begin.Exec()
			require.NoError(b, err)
			for i := range 64 {
				r := token(offset + 64*batch + i)
				if _, err := insert.Exec(args(&r)...); err != nil {
					b.Fatal(err)
				}
			}
			_, err = commit.Exec()
			require.NoError(b, err)
			took[batch] = time.Since(start)
		}
		return took
	}, func(offset int) []time.Duration {
		return turns.Spread(b, 64, func(ctx context.Context, i int) error { return s.Create(ctx, token(offset+i), 0) })
	})
}

func BenchmarkUpdate(b *testing.B) {
	const updateSQL = `UPDATE authtoken_tokens SET description = ?, version = version + 1 WHERE pk = ? AND version = ?`
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			rawPath, storePath := pathOf(b), pathOf(b)
			rawRecords := fill(b, openAt(b, rawPath), turns.Round)
			update := prepare(b, raw(b, rawPath), updateSQL)
			s := openAt(b, storePath)
			records := fill(b, s, turns.Round)
			change := func(offset, i int) (string, int64) {
				return fmt.Sprint("changed for the ", offset), int64(offset / turns.Round)
			}
			turns.Compare(b, func(offset int) []time.Duration {
				return turns.Spread(b, n, func(_ context.Context, i int) error {
					description, version := change(offset, i)
					_, err := update.Exec(description, rawRecords[i].PK[:], version)
					return err
				})
			}, func(offset int) []time.Duration {
				return turns.Spread(b, n, func(ctx context.Context, i int) error {
					r := records[i]
					r.Description, r.Version = change(offset, i)
					return s.Update(ctx, r)
				})
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
	digest := func(offset, i int) store.Digest { return records[(offset+i)*7919%tokens].Digest }
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			turns.Compare(b, func(offset int) []time.Duration {
				return turns.Spread(b, n, func(_ context.Context, i int) error {
					var r store.Record
					var pk, digested, sealed, retired []byte
					var managed sql.NullString
					var expires, until, created, used sql.NullInt64
					d := digest(offset, i)
					return get.QueryRow(d[:]).Scan(&pk, &r.Identifier, &r.Intent, &r.User, &r.Description, &managed,
						&expires, &r.Expiring, &digested, &sealed, &retired, &until, &created, &used, &r.LastUsedFrom, &r.Version)
				})
			}, func(offset int) []time.Duration {
				return turns.Spread(b, n, func(ctx context.Context, i int) error {
					_, err := s.GetByDigest(ctx, digest(offset, i))
					return err
				})
			})
		})
	}
}

// token makes a typical token.
func token(i int) store.Record {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(i))
	sum := sha256.Sum256(n[:])
	now := time.Unix(1_700_000_000, int64(i)*1000)
	return store.Record{
		PK: uuid.Must(uuid.NewV7()), Identifier: fmt.Sprintf("service-%x", sum[:8]), Intent: "api",
		User: strconv.Itoa(i % 1000), Description: "made for the benchmark",
		Expires: now.Add(time.Hour), Expiring: true, Digest: sum, Created: now,
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
				if err := s.Create(context.Background(), records[i], 0); err != nil {
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
	s, err := sqlite.Open(b.Context(), path, sqlite.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

// raw opens the file on one connection, with the settings the store uses.
func raw(b *testing.B, path string) *sql.DB {
	b.Helper()
	openAt(b, path) // makes the tables
	u := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)&_pragma=cache_size(-65536)&" +
		"_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(4000)&_pragma=secure_delete(true)"}
	db, err := sql.Open("sqlite", u.String())
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	b.Cleanup(func() { db.Close() })
	return db
}

func prepare(b *testing.B, db *sql.DB, query string) *sql.Stmt {
	b.Helper()
	stmt, err := db.Prepare(query)
	require.NoError(b, err)
	return stmt
}
