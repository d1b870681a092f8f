package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/authtoken/authtoken/store"
)

// A preparer prepares statements: a *sqlx.DB, a *sqlx.Conn or a *sqlx.Tx.
type preparer interface {
	sqlx.QueryerContext
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// prepared holds statements of db, each prepared on first use. They must be closed.
// Those of a connection above all: SQLite keeps a connection and its files open as long
// as it has statements, and database/sql does not list them.
//
// It is for one goroutine at a time, or for any number once all the statements they use
// are prepared.
type prepared struct {
	db     preparer
	prefix store.TablePrefix
	stmts  map[string]*sql.Stmt // by their SQL, with the default prefix
}

// stmt returns the statement for a query that is written with the default prefix.
func (p *prepared) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := p.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := p.db.PrepareContext(ctx, p.prefix.In(query))
	if err != nil {
		return nil, err
	}
	if p.stmts == nil {
		p.stmts = make(map[string]*sql.Stmt)
	}
	p.stmts[query] = stmt
	return stmt, nil
}

func (p *prepared) prepare(ctx context.Context, queries ...string) error {
	for _, q := range queries {
		if _, err := p.stmt(ctx, q); err != nil {
			return err
		}
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
