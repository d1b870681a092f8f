package sqlite

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/jmoiron/sqlx"
)

// migrations are the steps to the present schema, in the order of their names.
// A step that has been released is never changed; what is to change takes another.
//
//go:embed migrations/*.sql
var migrations embed.FS

// The version of a schema is how many steps it has taken. There is a table for
// it, and not just PRAGMA user_version, because there is one user_version in a
// database, and if the tokens live in an application's own database, it is the
// application's.
const createMigrationsSQL = `CREATE TABLE IF NOT EXISTS authtoken_migrations (version INTEGER PRIMARY KEY) STRICT`

// steps returns the SQL of each step.
func steps() ([]string, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	all := make([]string, len(names))
	for i, name := range names {
		b, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all[i] = string(b)
	}
	return all, nil
}

// schemaVersion returns the version of the schema, 0 if there is none.
func schemaVersion(ctx context.Context, db sqlx.QueryerContext) (int, error) {
	var exists bool
	const existsSQL = `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'authtoken_migrations')`
	if err := sqlx.GetContext(ctx, db, &exists, existsSQL); err != nil || !exists {
		return 0, err
	}
	var version int
	err := sqlx.GetContext(ctx, db, &version, `SELECT coalesce(max(version), 0) FROM authtoken_migrations`)
	return version, err
}

func checkVersion(version int) error {
	all, err := steps()
	if err != nil {
		return err
	}
	if version > len(all) {
		return fmt.Errorf("its schema has version %d, made by a newer release; this one knows versions up to %d", version, len(all))
	}
	return nil
}

// migrate takes the steps that have not been taken.
func migrate(conn *sqlx.Conn, busyTimeout time.Duration) (err error) {
	ctx := context.Background()
	all, err := steps()
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, conn)
	if err != nil || version == len(all) {
		return err // as nearly always, and without a lock
	}

	err = untilFree(time.Now().Add(busyTimeout), func() error {
		_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(ctx, "ROLLBACK")
		}
	}()
	if _, err := conn.ExecContext(ctx, createMigrationsSQL); err != nil {
		return err
	}
	// Another process may have been here while this one waited.
	if version, err = schemaVersion(ctx, conn); err != nil {
		return err
	}
	if err := checkVersion(version); err != nil {
		return err
	}
	for ; version < len(all); version++ {
		if _, err := conn.ExecContext(ctx, all[version]); err != nil {
			return fmt.Errorf("migration %d: %w", version+1, err)
		}
		if _, err := conn.ExecContext(ctx, `INSERT INTO authtoken_migrations (version) VALUES (?)`, version+1); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}
