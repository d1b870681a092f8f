package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

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
		return nil, fmt.Errorf("sqlite: migrations: %w", err)
	}
	return store.Migrations(migrationFiles, store.TablePrefix(cfg.TablePrefix))
}

// Migrate creates the tables of a store in db, or brings them up to date. Several
// processes may call it at once. If it fails or ctx ends, nothing has changed. It
// refuses a schema that a later release of this package made.
//
// db must be as for New. Of cfg, Migrate uses TablePrefix and BusyTimeout. No
// transaction may be open on db's only connection.
func Migrate(ctx context.Context, db *sql.DB, cfg Config) error {
	if err := migrateDB(ctx, db, cfg); err != nil {
		return fmt.Errorf("sqlite: migrate: %w", err)
	}
	return nil
}

func migrateDB(ctx context.Context, handle *sql.DB, cfg Config) error {
	cfg, err := cfg.forHandle(handle)
	if err != nil {
		return err
	}
	db := sqlx.NewDb(handle, "sqlite")
	err = untilFree(ctx, time.Now().Add(cfg.BusyTimeout), func() error { return checkDriver(ctx, db) })
	if err == nil {
		err = newBorrower(db, cfg).migrate(ctx)
	}
	return reason(err)
}

// missing returns the steps that the schema in db lacks, or why db can't be used.
func missing(ctx context.Context, db sqlx.QueryerContext, p store.TablePrefix) ([]store.Migration, error) {
	all, err := store.Migrations(migrationFiles, p)
	if err != nil {
		return nil, err
	}
	version, err := schemaVersion(ctx, db, p)
	if err != nil {
		return nil, err
	}
	steps, err := store.Missing(all, version)
	if err != nil {
		return nil, err
	}
	return steps, checkEncoding(ctx, db)
}

// upToDate returns nil if the schema lacks nothing.
func upToDate(ctx context.Context, db sqlx.QueryerContext, p store.TablePrefix) error {
	steps, err := missing(ctx, db, p)
	if err != nil {
		return err
	}
	return p.Lacking(steps)
}

// checkEncoding makes sure that SQLite compares texts by their bytes in UTF-8.
func checkEncoding(ctx context.Context, db sqlx.QueryerContext) error {
	var encoding string
	err := sqlx.GetContext(ctx, db, &encoding, "PRAGMA encoding")
	if err == nil && encoding != "UTF-8" {
		err = fmt.Errorf("its text encoding is %s, but must be UTF-8, so that text sorts by its bytes", encoding)
	}
	return err
}

// schemaVersion returns the version of the schema, 0 if there is none. It is in a
// table: PRAGMA user_version belongs to the application.
func schemaVersion(ctx context.Context, db sqlx.QueryerContext, p store.TablePrefix) (int, error) {
	var exists bool
	const hasTableSQL = `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'authtoken_migrations')`
	if err := sqlx.GetContext(ctx, db, &exists, p.In(hasTableSQL)); err != nil || !exists {
		return 0, err
	}
	var version int
	err := sqlx.GetContext(ctx, db, &version, p.In(`SELECT coalesce(max(version), 0) FROM authtoken_migrations`))
	return version, err
}

// migrate takes the missing steps. Until it has the lock, it reads through the pool, if
// there is one.
func (w *writer) migrate(ctx context.Context) (err error) {
	start := time.Now()
	var steps []store.Migration
	look := func(db sqlx.QueryerContext) func() error {
		return func() (err error) {
			steps, err = missing(ctx, db, w.prefix)
			return err
		}
	}
	var db sqlx.QueryerContext = w.conn
	if w.pool != nil {
		db = w.pool
	}
	err = untilFree(ctx, start.Add(w.busyTimeout), look(db))
	if err != nil || len(steps) == 0 {
		return err // nearly always, without a lock
	}

	if err := w.begin(ctx, start); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			w.rollback()
		}
	}()
	// Another process may have been here while this one waited.
	if err := look(w.conn)(); err != nil {
		return err
	}
	for _, m := range steps {
		if _, err := w.conn.ExecContext(ctx, m.SQL); err != nil {
			return fmt.Errorf("migration %d: %w", m.Version, errors.Join(ctx.Err(), err))
		}
	}
	if err := w.commit(); err != nil {
		return err
	}
	done = true
	return nil
}
