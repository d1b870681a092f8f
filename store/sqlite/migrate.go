package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// migrationFiles are the steps to the present schema, in the order of their names.
// A step that has been released is never changed; what is to change takes another.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migration is a step of the schema from one version to the next.
type Migration struct {
	// Version is the version of the schema after this step. The first is 1.
	Version int

	// Name is what the step is about, in letters that suit a file name.
	Name string

	// SQL is the statements of the step, each with a semicolon at its end. The last
	// notes that the step has been taken.
	SQL string
}

// Migrations returns the steps to the schema that this release of the package
// needs, for whoever makes them with a tool of their own instead of with
// Migrate: in order, each once, and each in a transaction. Of cfg, it looks at
// TablePrefix. Steps that have been released stay as they are; a later release
// may come with more of them.
//
// The schema keeps account of its steps in a table of its own, so that New and
// Open know which have been taken, whoever took them.
func Migrations(cfg Config) ([]Migration, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("sqlite: migrations: %w", err)
	}
	return migrations(prefix(cfg.TablePrefix))
}

func migrations(p prefix) ([]Migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	all := make([]Migration, len(names))
	for i, name := range names {
		b, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		_, title, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".sql"), "_")
		// The version of a schema is how many steps it has taken. There is a table
		// for it, and not just PRAGMA user_version, because there is one
		// user_version in a database, and if the tokens live in an
		// application's own database, it is the application's.
		noted := fmt.Sprintf("\nINSERT INTO authtoken_migrations (version) VALUES (%d);\n", i+1)
		all[i] = Migration{Version: i + 1, Name: title, SQL: p.in(string(b) + noted)}
	}
	return all, nil
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
func missing(ctx context.Context, db sqlx.QueryerContext, p prefix) ([]Migration, error) {
	all, err := migrations(p)
	if err != nil {
		return nil, err
	}
	version, err := schemaVersion(ctx, db, p)
	if err != nil {
		return nil, err
	}
	if version > len(all) {
		return nil, fmt.Errorf("its schema has version %d, made by a newer release; this one knows versions up to %d", version, len(all))
	}
	return all[version:], checkEncoding(ctx, db)
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

// schemaVersion returns the version of the schema, 0 if there is none.
func schemaVersion(ctx context.Context, db sqlx.QueryerContext, p prefix) (int, error) {
	var exists bool
	const existsSQL = `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'authtoken_migrations')`
	if err := sqlx.GetContext(ctx, db, &exists, p.in(existsSQL)); err != nil || !exists {
		return 0, err
	}
	var version int
	err := sqlx.GetContext(ctx, db, &version, p.in(`SELECT coalesce(max(version), 0) FROM authtoken_migrations`))
	return version, err
}

// migrate takes the steps that have not been taken. Until it has the lock it
// looks at db: a connection, or a pool of them.
func (w *writer) migrate(ctx context.Context, db sqlx.QueryerContext) (err error) {
	start := time.Now()
	var steps []Migration
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
