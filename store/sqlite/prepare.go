package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"
)

// A preparer prepares statements: a *sqlx.DB or a *sqlx.Conn.
type preparer interface {
	sqlx.QueryerContext
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// A query is SQL to prepare, and where to put the statement.
type query struct {
	stmt **sql.Stmt
	sql  string
}

// prepared is statements to be closed some day. Those of a connection must be:
// SQLite leaves a connection open, and its files too, as long as it
// has statements, and database/sql keeps no list of them.
type prepared struct{ stmts []*sql.Stmt }

func (p *prepared) prepare(db preparer, queries ...query) error {
	for _, q := range queries {
		stmt, err := db.PrepareContext(context.Background(), q.sql)
		if err != nil {
			return err
		}
		*q.stmt = stmt
		p.stmts = append(p.stmts, stmt)
	}
	return nil
}

func (p *prepared) close() error {
	var errs []error
	for _, stmt := range p.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}
