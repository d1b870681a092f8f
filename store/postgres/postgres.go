// Package postgres keeps tokens in a PostgreSQL database, so that an application
// can run on several machines. It is a module of its own; whoever doesn't import
// it doesn't link its driver, pgx.
//
// # What it guarantees
//
// A write that has returned without an error is as safe as PostgreSQL makes a
// commit, which is the setting synchronous_commit; by default it is on disk. Each
// write is a transaction of its own, at whatever isolation, and all but a Create
// with a limit are one statement. Any number of processes may use the tables at
// once, each with a Store of its own: an update says which version of a record it is
// based on, and no lock is held from one call to the next. A Create with a limit
// locks a row of its owner until it is done.
//
// What fails because of others (a deadlock, a conflict between transactions), or
// because the server goes away or is not back yet, is tried again for as long as
// [Config].RetryFor and the caller's context allow. If the connection broke when a
// write had been sent, the next attempt looks for what became of the last one, so that
// nothing is done twice:
//
//   - An Update is done if it was the last one of the record, which keeps a mark of
//     that. If the record has been changed again since, there is no telling, and
//     it fails with [ErrInDoubt].
//   - A Delete is done if the record is gone, and a Create if its record is there.
//     Only if somebody else deletes that record between two attempts, as nobody
//     knows of it yet, is it created again.
//   - A Purge is not tried again, as what it deleted would not come back, but fails
//     with ErrInDoubt. So does any write for which time is up.
//
// A write whose context ends is cancelled on the server, whose answer decides
// whether it took effect.
//
// # What it needs
//
// The database has to be encoded in UTF8. Its collation doesn't matter: the tables
// have one of their own, "C", which compares byte by byte. An identifier and
// the ID of its user can have about 2,700 bytes together, which is more than the
// service lets them have, and a search 30,000 words.
//
// The tables are made in the first schema of the connections' search_path. The
// role that uses them needs to select, insert, update and delete.
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

// Config is how a database is used. Its zero value is fine.
type Config struct {
	// TablePrefix is what the names of the tables and their indexes start with: 1 to
	// 40 letters from a to z, digits and underscores, the first no digit. Defaults
	// to "authtoken_".
	TablePrefix string

	// RetryFor is how long a call is tried again when the server isn't there, or
	// aborts it because of others. The context of the call can end it sooner.
	// Defaults to 10 seconds.
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

// Store is a [store.Store] in a PostgreSQL database. Use Open or New to make one.
type Store struct {
	operations
	pool *inPool
	own  bool // whether Close closes the pool
}

var _ store.Store = (*Store)(nil)

// Open connects to the database that dsn names and makes its tables, or brings them
// up to date; see Migrate. The DSN is a URL or a list of words as psql takes it, and
// may have settings of pgx's pool in it:
//
//	postgres://app@db.example.com/app?search_path=tokens&pool_max_conns=16
//
// What dsn doesn't say is as pgx and the server have it. Behind a pooler that does
// not keep a connection for each client, default_query_exec_mode=exec may be needed.
//
// pgx makes as many connections as there are CPUs, and at least 4. PostgreSQL commits
// the writes of several connections together, so more of them get more done: on two
// CPUs and a disk that is idle 64 callers did a tenth more over 16 connections than
// over 4, and on one that is busy three times as much. 64 were slower again, for
// reads too.
//
// The pool of connections has goroutines of its own until Close is called.
//
// No error has the password in it. A DSN that can't be parsed is not quoted at all.
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

// New returns a store in a database that the application has a pool of connections
// to. Its tables must be there: call Migrate first. The store takes connections of
// the pool like anybody else and leaves it open when it is closed. What the
// pool does to its connections, such as timeouts, holds for the store as well.
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

// Close waits for the calls that are under way, if Open has made the store, and
// closes its connections. All calls that come later fail with ErrClosed. Closing
// again does nothing.
func (s *Store) Close() error {
	if !s.pool.closed.Swap(true) && s.own {
		s.pool.pool.Close()
	}
	return nil
}

// Ping returns nil if keys can be checked now: the store is open, the server
// answers, its schema is one that this release knows, and a token was looked up in
// it. Otherwise the error says what is wrong; it matches ErrClosed if the
// store is closed. It is meant for health endpoints, and does not try twice.
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

// Tx is a [store.Store] in a transaction of the application's. Use
// [Store.WithTx] to make one. It may be used by any number of goroutines, which
// take turns, and for as long as the transaction lasts.
type Tx struct{ operations }

var _ store.Store = (*Tx)(nil)

// WithTx returns a store that does everything in tx. It sees what tx has written
// so far. What it writes itself is there for others when the application commits
// tx, and gone if it rolls tx back; the store does neither.
//
// A write that fails changes nothing, and tx can go on: it is made within a
// savepoint. From a write until the end of tx, others who write the same record, or
// want one of its values for another, wait; from a Create with a limit, others who
// create with a limit for the same owner. Nothing is tried again, as
// it would be in the same transaction; whoever gets a deadlock or a conflict
// begins another. A call looks at its context before it begins, and then goes on to its
// end, since to cut it off would end tx. Only a search among the tokens of given
// users stops when its context ends.
//
// tx must be in a database that has the tables of s.
func (s *Store) WithTx(tx pgx.Tx) *Tx {
	return &Tx{operations{runner: &inTx{pool: s.pool, tx: tx}, sql: s.sql}}
}
