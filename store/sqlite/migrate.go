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
// A step that has been released is never changed; what is to change takes another.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations returns the steps to the schema that this release of the package
// needs, for whoever makes them with a tool of their own instead of with
// Migrate: in order, each once, and each in a transaction. Of cfg, it looks at
// TablePrefix. Steps that have been released stay as they are; a later release
// may come with more of them.
//
// The schema keeps account of its steps in a table of its own, so that New and
// Open know which have been taken, whoever took them.
func Migrations(cfg Config) ([]store.Migration, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("sqlite: migrations: %w", err)
	}
	return store.Migrations(migrationFiles, store.TablePrefix(cfg.TablePrefix))
}

// Migrate makes the tables of a store in the database of db, or brings them up to
// date. It does nothing if they are. Several processes may call it at once. If it
// fails, or ctx ends, nothing has changed; a schema that was made by a later
// release of this package is refused.
//
// The handle is as for New. Of cfg, TablePrefix and BusyTimeout count. A
// transaction must not be open on db's only connection.
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
		err = newBorrower(db, cfg).migrate(ctx, db)
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

// checkEncoding makes sure that SQLite compares texts as stores are to.
func checkEncoding(ctx context.Context, db sqlx.QueryerContext) error {
	var encoding string
	err := sqlx.GetContext(ctx, db, &encoding, "PRAGMA encoding")
	if err == nil && encoding != "UTF-8" {
		err = fmt.Errorf("its text is in %s, where it has to be in UTF-8 to be sorted by its bytes", encoding)
	}
	return err
}

// schemaVersion returns the version of the schema, 0 if there is none. It is in a table,
// since PRAGMA user_version is the application's in a database of its own.
func schemaVersion(ctx context.Context, db sqlx.QueryerContext, p store.TablePrefix) (int, error) {
	var exists bool
	const existsSQL = `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'authtoken_migrations')`
	if err := sqlx.GetContext(ctx, db, &exists, p.In(existsSQL)); err != nil || !exists {
		return 0, err
	}
	var version int
	err := sqlx.GetContext(ctx, db, &version, p.In(`SELECT coalesce(max(version), 0) FROM authtoken_migrations`))
	return version, err
}

// migrate takes the steps that have not been taken. Until it has the lock it
// looks at db: a connection, or a pool of them.
func (w *writer) migrate(ctx context.Context, db sqlx.QueryerContext) (err error) {
	start := time.Now()
	var steps []store.Migration
	look := func(db sqlx.QueryerContext) func() error {
		return func() (err error) {
			steps, err = missing(ctx, db, w.prefix)
			return err
		}
	}
	err = untilFree(ctx, start.Add(w.busyTimeout), look(db))
	if err != nil || len(steps) == 0 {
		return err // as nearly always, and without a lock
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
