// Package postgres stores tokens in a PostgreSQL database, so that an application can
// run on several machines. It is a module of its own: only applications that import it
// link its driver, pgx.
//
// # What it guarantees
//
// A write that returns without an error is as safe as PostgreSQL makes a commit: see
// its setting synchronous_commit. By default it is on disk. Each write is a transaction
// of its own, at any isolation level, and all but a Create with a limit write in one
// statement. Any number of processes may use the tables at once, each with a Store of
// its own: an update names the version of the record that it is based on, and no lock
// is held between calls. A Create with a limit locks a row of its owner until it is
// done.
//
// A call is tried again if it fails because of others (a deadlock, a conflict between
// transactions) or because the server goes away or is not back yet, for as long as
// [Config].RetryFor and the caller's context allow. If the connection broke after a
// write had been sent, the next attempt finds out what became of the last one, so that
// nothing is done twice:
//
//   - An Update is done if it was the last one of the record, which keeps a mark of it.
//     If the record has changed again since, the outcome is unknown, and it fails with
//     [ErrInDoubt].
//   - A Delete is done if the record is gone, and a Create if its record exists. A
//     Create creates its record again only if somebody else deletes it between two
//     attempts.
//   - A Purge is not tried again, since it could not return what it has deleted, but
//     fails with ErrInDoubt. So does any write in doubt when time is up.
//
// If the context of a write ends, the server is asked to cancel it, and its answer
// decides whether the write took effect.
//
// # What it needs
//
// The database must be encoded in UTF8. Its collation doesn't matter: the tables have
// their own, "C", which compares byte by byte. An identifier and the ID of its user can
// have about 2,700 bytes together, more than the service allows, and a search 30,000
// words.
//
// The tables are made in the first schema of the connections' search_path. The role
// that uses them needs the rights to select, insert, update and delete.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtoken/authtoken/store"
)

// Config configures a store. Its zero value is ready for use.
type Config struct {
	// TablePrefix starts the names of the tables and indexes, so that several stores
	// can share a database; see [store.TablePrefix.Check]. Defaults to "authtoken_".
	TablePrefix string

	// RetryFor is how long a call is tried again if the server is away or aborts it
	// because of others. The context of the call can end it sooner. Defaults to 10
	// seconds.
	RetryFor time.Duration
}

func (c Config) forPool(pool *pgxpool.Pool) (Config, error) {
	c, err := c.withDefaults()
	if pool == nil {
		err = errors.Join(errors.New("pool is nil"), err)
	}
	return c, err
}

func (c Config) withDefaults() (Config, error) {
	if c.TablePrefix == "" {
		c.TablePrefix = string(store.DefaultTablePrefix)
	}
	var errs []error
	if err := store.TablePrefix(c.TablePrefix).Check(); err != nil {
		errs = append(errs, fmt.Errorf("TablePrefix: %w", err))
	}
	if c.RetryFor < 0 {
		errs = append(errs, fmt.Errorf("RetryFor: %v is negative", c.RetryFor))
	}
	if c.RetryFor == 0 {
		c.RetryFor = 10 * time.Second
	}
	return c, errors.Join(errs...)
}

// Store is a [store.Store] in a PostgreSQL database. Use Open or New to make one. It is
// safe for concurrent use.
type Store struct {
	operations
	pool *inPool
	own  bool // whether Close closes the pool
}

var _ store.Store = (*Store)(nil)

// Open connects to the database that dsn names and creates its tables, or brings them
// up to date; see Migrate. The DSN is a URL or a list of words as for psql, and may
// include settings of pgx's pool:
//
//	postgres://app@db.example.com/app?search_path=tokens&pool_max_conns=16
//
// Settings that dsn leaves out have the defaults of pgx and the server. Behind a pooler
// that does not keep a connection for each client, default_query_exec_mode=exec may be
// needed.
//
// pgx opens as many connections as there are CPUs, and at least 4. PostgreSQL commits
// the writes of several connections together, so more of them get more done. With 64
// callers on two CPUs, 16 connections did a tenth more than 4 on an idle disk, and
// three times as much on a busy one. 64 were slower again, for reads too.
//
// The pool of connections has goroutines of its own until Close is called.
//
// No error contains the password. A DSN that can't be parsed is not quoted at all.
func Open(ctx context.Context, dsn string, cfg Config) (*Store, error) {
	poolConfig, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", dsnFault(err))
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", err)
	}
	s, err := open(ctx, pool, cfg)
	if err != nil {
		pool.Close()
		if unknownSetting(err) {
			err = errors.New("the DSN can't be used: the server does not know one of its settings")
		}
		return nil, fmt.Errorf("postgres: open: %w", err)
	}
	s.own = true
	return s, nil
}

func open(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Store, error) {
	if err := migrate(ctx, pool, cfg); err != nil {
		return nil, err
	}
	return newStore(ctx, pool, cfg)
}

// New returns a store that uses the application's pool of connections. The tables must
// exist: call Migrate first. The store takes connections from the pool, and Close
// leaves it open. What the pool does to its connections, such as setting timeouts,
// applies to the store as well.
func New(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Store, error) {
	s, err := newStore(ctx, pool, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: new store: %w", err)
	}
	return s, nil
}

func newStore(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Store, error) {
	cfg, err := cfg.forPool(pool)
	if err != nil {
		return nil, err
	}
	if err := upToDate(ctx, pool, store.TablePrefix(cfg.TablePrefix)); err != nil {
		return nil, err
	}
	in := &inPool{pool: pool, retryFor: cfg.RetryFor}
	return &Store{operations: operations{runner: in, sql: newStatements(store.TablePrefix(cfg.TablePrefix))}, pool: in}, nil
}

// Close makes all later calls fail with ErrClosed. If Open made the store, it also
// waits for the calls under way and closes the connections. Closing again does nothing.
func (s *Store) Close() error {
	if !s.pool.closed.Swap(true) && s.own {
		s.pool.pool.Close()
	}
	return nil
}

// Ping returns nil if keys can be checked now: the store is open, the server answers,
// this release knows its schema, and it could look up a token. Otherwise the error says
// what is wrong; it matches ErrClosed if the store is closed. Ping is for health
// endpoints, and does not try twice.
func (s *Store) Ping(ctx context.Context) error {
	if s.pool.closed.Load() {
		return ErrClosed
	}
	err := upToDate(ctx, s.pool.pool, s.sql.prefix)
	if err == nil {
		_, err = s.digest(ctx, s.pool.pool, store.Digest{1})
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return wrap("ping", err)
}

// Tx is a [store.Store] in a transaction of the application. Use [Store.WithTx] to make
// one. It is safe for concurrent use: calls take turns. It lasts as long as the
// transaction.
type Tx struct{ operations }

var _ store.Store = (*Tx)(nil)

// WithTx returns a store that does everything in tx. It sees what tx has written so
// far. Others see its writes when the application commits tx; they are gone if it rolls
// tx back. The store does neither.
//
// A write that fails changes nothing, and tx can go on, since it runs within a
// savepoint. From a write until the end of tx, others wait who write the same record or
// want one of its values for another. From a Create with a limit, others wait who
// create with a limit for the same owner. Nothing is tried again, as it would be in the
// same transaction; after a deadlock or a conflict, begin another. A call looks at its
// context before it begins, and then goes on to its end, since to cut it off would end
// tx. Only a search among the tokens of given users stops when its context ends.
//
// tx must be in a database that has the tables of s.
func (s *Store) WithTx(tx pgx.Tx) *Tx {
	return &Tx{operations{runner: &inTx{pool: s.pool, tx: tx}, sql: s.sql}}
}
