package postgres_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/internal/turns"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
)

// Each benchmark has the store, and statements of the same kind on a pool of pgx
// like the store's, do the same in turns; see package turns. The server is the
// tests' own, with fsync, on the same machine:
//
//	go test -run '^$' -bench . -benchtime 20x

var callers = []int{1, 64}

const (
	columns = `pk, identifier, intent, "user", description, managed, expires, expiring,
		digest, sealed, retired, retired_until, created, last_used, last_used_from, version`
	insertSQL = `INSERT INTO authtoken_tokens (` + columns + `, scopes, networks, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, '*', '*', 1)`
	updateSQL = `UPDATE authtoken_tokens SET description = $3, version = version + 1 WHERE pk = $1 AND version = $2`
	selectSQL = `SELECT ` + columns + ` FROM authtoken_tokens WHERE digest = $1`
)

// sides are what is compared: a store and raw statements, each on tables and a pool
// of its own.
type sides struct {
	store *postgres.Store
	raw   *pgxpool.Pool
}

// over makes both on one server, with so many connections or as many as pgx thinks
// right.
func over(b *testing.B, k *pgtest.Killable, conns int) sides {
	b.Helper()
	pool := func() *pgxpool.Pool {
		cfg, err := pgxpool.ParseConfig(k.DSN(b))
		require.NoError(b, err)
		if conns > 0 {
			cfg.MaxConns = int32(conns)
		}
		p, err := pgxpool.NewWithConfig(b.Context(), cfg)
		require.NoError(b, err)
		b.Cleanup(p.Close)
		require.NoError(b, postgres.Migrate(b.Context(), p, postgres.Config{}))
		return p
	}
	s, err := postgres.New(b.Context(), pool(), postgres.Config{})
	require.NoError(b, err)
	return sides{s, pool()}
}

// typical returns the ith of many tokens as there are most.
func typical(i int) store.Record {
	r := token(1)
	binary.BigEndian.PutUint64(r.PK[:], uint64(time.Now().UnixNano()))
	binary.BigEndian.PutUint64(r.PK[8:], uint64(i))
	r.Digest = sha256.Sum256(r.PK[8:])
	r.Identifier = fmt.Sprintf("service-%x", r.Digest[:8])
	r.User, r.Description = strconv.Itoa(i%1000), "made for the benchmark"
	return r
}

func (s sides) create(b *testing.B, callers int) {
	turns.Compare(b, func(offset int) []time.Duration {
		return turns.Spread(b, callers, func(ctx context.Context, i int) error { return rawCreate(ctx, s.raw, typical(offset+i)) })
	}, func(offset int) []time.Duration {
		return turns.Spread(b, callers, func(ctx context.Context, i int) error { return s.store.Create(ctx, typical(offset+i), 0) })
	})
}

func rawCreate(ctx context.Context, pool *pgxpool.Pool, r store.Record) error {
	_, err := pool.Exec(ctx, insertSQL, r.PK, r.Identifier, r.Intent, r.User, r.Description, nil, r.Expires, r.Expiring,
		r.Digest[:], nil, nil, nil, r.Created, nil, "", r.Version)
	return err
}

func BenchmarkCreate(b *testing.B) {
	k := pgtest.StartKillable(b)
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) { over(b, k, 0).create(b, n) })
	}
}

func BenchmarkUpdate(b *testing.B) {
	k := pgtest.StartKillable(b)
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s := over(b, k, 0)
			records := s.fill(b, turns.Round)
			change := func(offset int) (string, int64) {
				return fmt.Sprint("changed for the ", offset), int64(1 + offset/turns.Round)
			}
			turns.Compare(b, func(offset int) []time.Duration {
				return turns.Spread(b, n, func(ctx context.Context, i int) error {
					description, version := change(offset)
					_, err := s.raw.Exec(ctx, updateSQL, records[i].PK, version, description)
					return err
				})
			}, func(offset int) []time.Duration {
				return turns.Spread(b, n, func(ctx context.Context, i int) error {
					r := records[i]
					r.Description, r.Version = change(offset)
					return s.store.Update(ctx, r)
				})
			})
		})
	}
}

func BenchmarkGetByDigest(b *testing.B) {
	k := pgtest.StartKillable(b)
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s := over(b, k, 0)
			s.lookUp(b, n, s.fill(b, 10_000), func(ctx context.Context, r *store.Record) error {
				_, err := s.store.GetByDigest(ctx, r.Digest)
				return err
			})
		})
	}
}

// BenchmarkAuthenticate has the service check keys, of which the store is a part.
func BenchmarkAuthenticate(b *testing.B) {
	k := pgtest.StartKillable(b)
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s := over(b, k, 0)
			svc, err := authtoken.New(s.store, authtoken.Config{})
			require.NoError(b, err)
			records := s.fill(b, 10_000)
			_, key, err := svc.Create(b.Context(), authtoken.CreateParams{Identifier: "one", User: "7"})
			require.NoError(b, err)
			s.lookUp(b, n, records, func(ctx context.Context, _ *store.Record) error {
				_, err := svc.Authenticate(ctx, key.Reveal())
				return err
			})
		})
	}
}

func (s sides) lookUp(b *testing.B, callers int, records []store.Record, ofStore func(context.Context, *store.Record) error) {
	nth := func(i int) *store.Record { return &records[i*7919%len(records)] }
	turns.Compare(b, func(offset int) []time.Duration {
		return turns.Spread(b, callers, func(ctx context.Context, i int) error { return rawLookUp(ctx, s.raw, nth(offset+i).Digest) })
	}, func(offset int) []time.Duration {
		return turns.Spread(b, callers, func(ctx context.Context, i int) error { return ofStore(ctx, nth(offset+i)) })
	})
}

func rawLookUp(ctx context.Context, pool *pgxpool.Pool, digest store.Digest) error {
	var r store.Record
	var managed pgtype.Text
	var digested, sealed, retired []byte
	var expires, until, created, used pgtype.Timestamptz
	return pool.QueryRow(ctx, selectSQL, digest[:]).Scan(&r.PK, &r.Identifier, &r.Intent, &r.User, &r.Description, &managed,
		&expires, &r.Expiring, &digested, &sealed, &retired, &until, &created, &used, &r.LastUsedFrom, &r.Version)
}

// BenchmarkConnections has 64 callers share so many connections, the store and raw
// statements alike.
func BenchmarkConnections(b *testing.B) {
	k := pgtest.StartKillable(b)
	for _, conns := range []int{2, 4, 8, 16, 32, 64} {
		b.Run(fmt.Sprintf("Create/connections=%d", conns), func(b *testing.B) { over(b, k, conns).create(b, 64) })
	}
	for _, conns := range []int{2, 4, 8, 16, 32, 64} {
		b.Run(fmt.Sprintf("GetByDigest/connections=%d", conns), func(b *testing.B) {
			s := over(b, k, conns)
			s.lookUp(b, 64, s.fill(b, 10_000), func(ctx context.Context, r *store.Record) error {
				_, err := s.store.GetByDigest(ctx, r.Digest)
				return err
			})
		})
	}
}

// fill puts the same records in both tables.
func (s sides) fill(b *testing.B, n int) []store.Record {
	b.Helper()
	records := make([]store.Record, n)
	for i := range records {
		records[i] = typical(i)
		records[i].Version = 1
	}
	for start := 0; start < n; start += turns.Round {
		some := records[start:min(n, start+turns.Round)]
		turns.Spread(b, 32, func(ctx context.Context, i int) error {
			if i >= len(some) {
				return nil
			}
			if err := s.store.Create(ctx, some[i], 0); err != nil {
				return err
			}
			return rawCreate(ctx, s.raw, some[i])
		})
	}
	_, err := s.raw.Exec(b.Context(), "ANALYZE authtoken_tokens")
	require.NoError(b, err)
	return records
}
