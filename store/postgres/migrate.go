package postgres

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtoken/authtoken/store"
)

// migrationFiles are the steps to the present schema, in the order of their names.
// A released step never changes; a change takes a new step.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations returns the steps to the schema of this release, for applications that run
// them with a tool of their own instead of Migrate: in order, each once, and each in a
// transaction. Of cfg, it uses TablePrefix. Released steps never change; a later
// release may add more.
//
// Each step records itself in a table of the schema, so that New and Open know which
// steps have been taken, by whichever tool.
func Migrations(cfg Config) ([]store.Migration, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("postgres: migrations: %w", err)
	}
	return store.Migrations(migrationFiles, store.TablePrefix(cfg.TablePrefix))
}

// Migrate creates the tables of a store in the database of pool, or brings them up to
// date. Several processes may call it at once: they take turns by an advisory lock. If
// it fails or ctx ends, nothing has changed. It refuses a schema that a later release
// of this package made. Of cfg, it uses TablePrefix.
func Migrate(ctx context.Context, pool *pgxpool.Pool, cfg Config) error {
	if err := migrate(ctx, pool, cfg); err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	return nil
}

// migrationLock is the number of the advisory lock. All migrations in a database share
// it.
const migrationLock = 0x617574_68746f6b // "authtok"

func migrate(ctx context.Context, pool *pgxpool.Pool, cfg Config) error {
	cfg, err := cfg.forPool(pool)
	if err != nil {
		return err
	}
	p := store.TablePrefix(cfg.TablePrefix)
	steps, err := missing(ctx, pool, p)
	if err != nil || len(steps) == 0 {
		return err // nearly always, without a lock
	}
	// Each statement must see what others have committed while this one waited.
	options := pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}
	return pgx.BeginTxFunc(ctx, pool, options, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		steps, err := missing(ctx, tx, p)
		if err != nil {
			return err
		}
		for _, m := range steps {
			if _, err := tx.Exec(ctx, m.SQL); err != nil {
				return fmt.Errorf("migration %d: %w", m.Version, err)
			}
		}
		return nil
	})
}

// missing returns the steps that the schema lacks, or why the database can't be used.
func missing(ctx context.Context, q querier, p store.TablePrefix) ([]store.Migration, error) {
	all, err := store.Migrations(migrationFiles, p)
	if err != nil {
		return nil, err
	}
	var encoding string
	var exists bool
	// to_regclass would do, but it may answer from what the connection cached before it
	// waited for the lock.
	const lookSQL = `SELECT current_setting('server_encoding'), EXISTS (
		SELECT FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
		WHERE relname = 'authtoken_migrations' AND nspname = ANY(current_schemas(false)))`
	if err := q.QueryRow(ctx, p.In(lookSQL)).Scan(&encoding, &exists); err != nil {
		return nil, err
	}
	if encoding != "UTF8" {
		return nil, fmt.Errorf("the encoding of the database is %s, but must be UTF8", encoding)
	}
	if !exists {
		return all, nil
	}
	var version int
	const versionSQL = `SELECT coalesce(max(version), 0) FROM authtoken_migrations`
	if err := q.QueryRow(ctx, p.In(versionSQL)).Scan(&version); err != nil {
		return nil, err
	}
	return store.Missing(all, version)
}

// upToDate returns nil if the schema lacks nothing.
func upToDate(ctx context.Context, q querier, p store.TablePrefix) error {
	steps, err := missing(ctx, q, p)
	if err != nil {
		return err
	}
	return p.Lacking(steps)
}
