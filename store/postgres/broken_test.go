package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
)

// forever is as good as no end to trying again.
const forever = time.Hour

// token returns the nth of a series of records.
func token(n int) store.Record {
	return store.Record{
		PK:         store.PK{0: 1, 14: byte(n >> 8), 15: byte(n)},
		Identifier: fmt.Sprintf("token-%04d", n),
		Intent:     "api",
		User:       "7",
		Expires:    time.Date(2026, 1, 1, 0, 0, n, 1000, time.UTC),
		Expiring:   true,
		Digest:     store.Digest{0: 1, 30: byte(n >> 8), 31: byte(n)},
		Created:    time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
		Version:    1,
	}
}

// writes are a call or more of each method that writes, on a store that holds token
// 1, what the store holds afterwards, and how many requests lead up to the one that
// has the effect.
var writes = map[string]struct {
	call   func(ctx context.Context, s *postgres.Store) error
	after  []store.Record
	before int
}{
	"Create": {
		func(ctx context.Context, s *postgres.Store) error { return s.Create(ctx, token(2), 0) },
		[]store.Record{token(1), token(2)}, 0,
	},
	"CreateWithin": { // begins, locks the owner, inserts, commits
		func(ctx context.Context, s *postgres.Store) error { return s.Create(ctx, token(2), 2) },
		[]store.Record{token(1), token(2)}, 3,
	},
	"Update": {
		func(ctx context.Context, s *postgres.Store) error { return s.Update(ctx, renamed(token(1))) },
		[]store.Record{at(renamed(token(1)), 2)}, 0,
	},
	"UpdateEarlier": { // finds that the earlier keys are others
		func(ctx context.Context, s *postgres.Store) error { return s.Update(ctx, rotated(token(1))) },
		[]store.Record{at(rotated(token(1)), 2)}, 1,
	},
	"Delete": {
		func(ctx context.Context, s *postgres.Store) error { return s.Delete(ctx, token(1).PK, 1) },
		nil, 0,
	},
	"Touch": {
		func(ctx context.Context, s *postgres.Store) error {
			return s.Touch(ctx, []store.Use{{PK: token(1).PK, At: touched(token(1)).LastUsed, From: "somewhere"}})
		},
		[]store.Record{touched(token(1))}, 0,
	},
	"Purge": {
		func(ctx context.Context, s *postgres.Store) error {
			got, err := s.Purge(ctx, store.Query{})
			if err == nil && (len(got) != 1 || got[0].PK != token(1).PK) {
				return fmt.Errorf("purged %v", got)
			}
			return err
		},
		nil, 0,
	},
}

func renamed(r store.Record) store.Record { r.Identifier = "renamed"; return r }

func rotated(r store.Record) store.Record {
	r.Earlier = append(r.Earlier, store.EarlierKey{Digest: r.Retired, Until: r.RetiredUntil})
	r.Digest[0], r.Retired, r.RetiredUntil = r.Digest[0]+1, r.Digest, r.Expires
	return r
}

func at(r store.Record, version int64) store.Record { r.Version = version; return r }

func touched(r store.Record) store.Record {
	r.LastUsed, r.LastUsedFrom = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC), "somewhere"
	return r
}

func holds(t *testing.T, s store.Store, want ...store.Record) {
	t.Helper()
	got, err := s.List(t.Context(), store.Query{})
	require.NoError(t, err)
	require.Equal(t, append([]store.Record(nil), want...), got)
}

// prepare has the store prepare its statements, so that each is one request.
func prepare(t *testing.T, s *postgres.Store) {
	t.Helper()
	for _, name := range []string{"Create", "CreateWithin", "Touch", "Update", "UpdateEarlier"} {
		require.NoError(t, s.Create(t.Context(), token(1), 0))
		require.NoError(t, writes[name].call(t.Context(), s))
		for _, r := range writes[name].after {
			require.NoError(t, s.Delete(t.Context(), r.PK, r.Version))
		}
	}
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	require.NoError(t, writes["Purge"].call(t.Context(), s))
	_, err := s.Get(t.Context(), "")
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.GetByDigest(t.Context(), store.Digest{1})
	require.ErrorIs(t, err, store.ErrNotFound)
	holds(t, s)
	require.NoError(t, s.Create(t.Context(), token(1), 0))
}

// Wherever a connection breaks, a write is done once, or it says that it doesn't
// know.
func TestBrokenWrites(t *testing.T) {
	t.Parallel()
	for name, w := range writes {
		for before := range w.before + 1 {
			for _, mode := range []string{"cache_statement", "simple_protocol"} {
				for _, f := range []fault{nothingSent, requestLost, answerLost} {
					t.Run(fmt.Sprintf("%s, %d, %s, %s", name, before, mode, f), func(t *testing.T) {
						t.Parallel()
						s, cable := plugged(t, pgtest.With(server.DSN(t), "default_query_exec_mode", mode), forever)
						prepare(t, s)
						met := 0
						cable.breaks(before, f, func() { met++ })
						err := w.call(t.Context(), s)
						require.Equal(t, 1, met)
						after := w.after
						if name == "Purge" && f != nothingSent {
							require.ErrorIs(t, err, postgres.ErrInDoubt)
							if f == requestLost {
								after = []store.Record{token(1)}
							}
						} else {
							require.NoError(t, err)
						}
						holds(t, s, after...)
					})
				}
			}
		}
	}
}

// A write that has not come to the request that decides is known to have had no
// effect, whatever happens to the others.
func TestBrokenBeforeTheEffect(t *testing.T) {
	t.Parallel()
	w := writes["CreateWithin"]
	for before := range w.before {
		for _, f := range []fault{nothingSent, requestLost, answerLost} {
			t.Run(fmt.Sprintf("%d, %s", before, f), func(t *testing.T) {
				t.Parallel()
				s, cable := plugged(t, server.DSN(t), time.Nanosecond)
				prepare(t, s)
				cable.breaks(before, f, nil)
				err := w.call(t.Context(), s)
				require.ErrorContains(t, err, "postgres: create token: ")
				require.NotErrorIs(t, err, postgres.ErrInDoubt)
				holds(t, s, token(1))
			})
		}
	}
}

func TestBrokenReads(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(ctx context.Context, s *postgres.Store) (store.Record, error){
		"Get": func(ctx context.Context, s *postgres.Store) (store.Record, error) {
			return s.Get(ctx, token(1).Identifier)
		},
		"GetByDigest": func(ctx context.Context, s *postgres.Store) (store.Record, error) {
			return s.GetByDigest(ctx, token(1).Digest)
		},
		"List": func(ctx context.Context, s *postgres.Store) (store.Record, error) {
			rs, err := s.List(ctx, store.Query{})
			if err != nil || len(rs) != 1 {
				return store.Record{}, fmt.Errorf("lists %v, %w", rs, err)
			}
			return rs[0], nil
		},
		"Count": func(ctx context.Context, s *postgres.Store) (store.Record, error) {
			n, err := s.Count(ctx, store.Query{})
			if err != nil || n != 1 {
				return store.Record{}, fmt.Errorf("counts %d, %w", n, err)
			}
			return token(1), nil
		},
	} {
		for _, f := range []fault{nothingSent, requestLost, answerLost} {
			t.Run(name+", "+f.String(), func(t *testing.T) {
				t.Parallel()
				s, cable := plugged(t, server.DSN(t), forever)
				prepare(t, s)
				met := 0
				cable.breaks(0, f, func() { met++ })
				r, err := read(t.Context(), s)
				require.Equal(t, 1, met)
				require.NoError(t, err)
				require.Equal(t, token(1), r)
			})
		}
	}
}

// What others do before a write is tried again must not be taken for its own doing,
// nor be undone.
func TestBrokenWritesAmongOthers(t *testing.T) {
	t.Parallel()
	type other = func(ctx context.Context, s *postgres.Store) error
	updates := func(r store.Record) other {
		return func(ctx context.Context, s *postgres.Store) error { return s.Update(ctx, r) }
	}
	deletes := func(r store.Record) other {
		return func(ctx context.Context, s *postgres.Store) error { return s.Delete(ctx, r.PK, r.Version) }
	}
	creates := func(r store.Record) other {
		return func(ctx context.Context, s *postgres.Store) error { return s.Create(ctx, r, 0) }
	}
	described := token(1)
	described.Description = "by another"
	sameName := token(3)
	sameName.Identifier = token(2).Identifier
	samePK := token(3)
	samePK.PK = token(2).PK
	for name, c := range map[string]struct {
		write string
		fault fault
		other other
		want  error
		after []store.Record
	}{
		"created, then updated":        {"Create", answerLost, updates(renamed(token(2))), nil, []store.Record{at(renamed(token(2)), 2), token(1)}},
		"name taken, not created":      {"Create", requestLost, creates(sameName), store.ErrTaken, []store.Record{token(1), sameName}},
		"pk taken, not created":        {"Create", requestLost, creates(samePK), store.ErrTaken, []store.Record{token(1), samePK}},
		"created within, then no room": {"CreateWithin", answerLost, creates(token(3)), nil, []store.Record{token(1), token(2), token(3)}},
		"no room, not created":         {"CreateWithin", requestLost, creates(token(3)), store.ErrLimit, []store.Record{token(1), token(3)}},
		"rotated by another":           {"UpdateEarlier", requestLost, updates(rotated(token(1))), store.ErrStale, []store.Record{at(rotated(token(1)), 2)}},
		"rotated, then again":          {"UpdateEarlier", answerLost, updates(at(rotated(rotated(token(1))), 2)), postgres.ErrInDoubt, []store.Record{at(rotated(rotated(token(1))), 3)}},
		"updated, then again":          {"Update", answerLost, updates(at(renamed(token(1)), 2)), postgres.ErrInDoubt, []store.Record{at(renamed(token(1)), 3)}},
		"updated, then deleted":        {"Update", answerLost, deletes(at(token(1), 2)), store.ErrNotFound, nil},
		"updated alike by another":     {"Update", requestLost, updates(renamed(token(1))), store.ErrStale, []store.Record{at(renamed(token(1)), 2)}},
		"updated by another":           {"Update", requestLost, updates(described), store.ErrStale, []store.Record{at(described, 2)}},
		"deleted, not updated":         {"Update", requestLost, deletes(token(1)), store.ErrNotFound, nil},
		"name taken, not updated":      {"Update", requestLost, creates(renamed(token(2))), store.ErrTaken, []store.Record{renamed(token(2)), token(1)}},
		"updated, so not deleted":      {"Delete", requestLost, updates(described), store.ErrStale, []store.Record{at(described, 2)}},
		"deleted by another":           {"Delete", requestLost, deletes(token(1)), nil, nil},
		"deleted before it is used":    {"Touch", requestLost, deletes(token(1)), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.DSN(t)
			s, cable := plugged(t, dsn, forever)
			others := open(t, dsn, postgres.Config{})
			prepare(t, s)
			cable.breaks(writes[c.write].before, c.fault, func() {
				if err := c.other(t.Context(), others); err != nil {
					t.Error(err)
				}
			})
			require.ErrorIs(t, writes[c.write].call(t.Context(), s), c.want)
			holds(t, s, c.after...)
		})
	}
}

// When nothing helps, the error says why and, of a write that may have been done,
// that it may.
func TestServerGone(t *testing.T) {
	t.Parallel()
	gone := errors.New("no server far and wide")
	for name, c := range map[string]struct {
		fault    fault
		retryFor time.Duration
		cancel   bool // the context ends while it is tried again
		want     []error
	}{
		"nothing sent":               {nothingSent, 20 * time.Millisecond, false, []error{gone}},
		"answer lost":                {answerLost, 20 * time.Millisecond, false, []error{postgres.ErrInDoubt}},
		"nothing sent, then no time": {nothingSent, forever, true, []error{context.Canceled}},
		"answer lost, then no time":  {answerLost, forever, true, []error{postgres.ErrInDoubt}},
	} {
		for write, w := range writes {
			t.Run(write+", "+name, func(t *testing.T) {
				t.Parallel()
				s, cable := plugged(t, server.DSN(t), c.retryFor)
				prepare(t, s)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cable.dials(func() error {
					if c.cancel {
						cancel()
					}
					return gone
				})
				cable.breaks(w.before, c.fault, nil)
				err := w.call(ctx, s)
				for _, want := range []error{gone, postgres.ErrInDoubt, context.Canceled} {
					require.Equal(t, errors.Is(c.want[0], want), errors.Is(err, want), "%v: %v", want, err)
				}
				cable.dials(nil)
				if c.fault == answerLost {
					holds(t, s, w.after...)
				} else {
					holds(t, s, token(1))
				}
			})
		}
	}
	t.Run("reads", func(t *testing.T) {
		t.Parallel()
		s, cable := plugged(t, server.DSN(t), 20*time.Millisecond)
		require.NoError(t, s.Ping(t.Context()))
		cable.dials(func() error { return gone })
		cable.breaks(0, requestLost, nil)
		_, err := s.Get(t.Context(), "a")
		require.ErrorIs(t, err, gone)
		require.ErrorIs(t, s.Ping(t.Context()), gone)
	})
}

// The server ends connections at any moment, over and over, and nobody notices.
func TestTerminatedConnections(t *testing.T) {
	t.Parallel()
	const workers, each, pace = 8, 40, 10
	dsn, name := server.DSN(t), pgtest.Name()
	s := open(t, pgtest.With(dsn, "application_name", name), postgres.Config{RetryFor: forever})
	pool := newPool(t, dsn)
	var done atomic.Int64
	var want []store.Record
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				r := token(1000*w + i)
				err := s.Create(t.Context(), r, 0)
				if err == nil {
					err = s.Update(t.Context(), r)
				}
				if _, e := s.GetByDigest(t.Context(), r.Digest); err == nil {
					err = e
				}
				if i%2 == 1 && err == nil {
					err = s.Delete(t.Context(), r.PK, 2)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if i%2 == 0 {
					mu.Lock()
					want = append(want, at(r, 2))
					mu.Unlock()
				}
				if done.Add(1)%pace == 0 {
					const sql = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1`
					if _, err := pool.Exec(t.Context(), sql, name); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	slices.SortFunc(want, func(a, b store.Record) int { return strings.Compare(a.Identifier, b.Identifier) })
	holds(t, s, want...)
}
