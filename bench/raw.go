package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// statements are prepared statements on the table this library uses, with the
// settings it uses and none of its rules: one connection that writes, with a
// commit for each row, and two that read. No context: for one that can be
// cancelled, the driver starts a goroutine with each statement.
type statements struct {
	writeDB, readDB                   *sql.DB
	insert, updateStmt, get, byDigest *sql.Stmt
}

const columns = `pk, identifier, intent, user, description, managed, expires, expiring,
	digest, sealed, retired, retired_until, created, last_used, last_used_from, version`

func openRaw(dir string) (keeper, error) { return openStatements(dir) }

func openStatements(dir string) (*statements, error) {
	path := filepath.Join(dir, "tokens.db")
	st, err := sqlite.Open(context.Background(), path, sqlite.Config{}) // makes the table
	if err != nil {
		return nil, err
	}
	if err := st.Close(); err != nil {
		return nil, err
	}
	s := new(statements)
	if s.writeDB, err = openSQLite(path, 1, "cache_size(-65536)", "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(4000)"); err != nil {
		return nil, err
	}
	if s.readDB, err = openSQLite(path, 2, "query_only(1)"); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		db   *sql.DB
		sql  string
	}{
		{&s.insert, s.writeDB, `INSERT INTO authtoken_tokens (` + columns + `, scopes, networks, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '*', '*', 1)`},
		{&s.updateStmt, s.writeDB, `UPDATE authtoken_tokens SET description = ?, version = version + 1 WHERE pk = ? AND version = ?`},
		{&s.get, s.readDB, `SELECT ` + columns + ` FROM authtoken_tokens WHERE identifier = ?`},
		{&s.byDigest, s.readDB, `SELECT ` + columns + ` FROM authtoken_tokens WHERE digest = ?`},
	} {
		if *p.stmt, err = p.db.Prepare(p.sql); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// openSQLite opens a file with a pool of so many connections.
func openSQLite(path string, conns int, pragmas ...string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": append([]string{"busy_timeout(5000)"}, pragmas...)}.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err == nil {
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
	}
	return db, err
}

func (s *statements) create(_ context.Context, name, user string) (string, error) {
	secret := newSecret()
	pk, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(secret))
	now := time.Now()
	_, err = s.insert.Exec(pk[:], name, "api", user, "made by the benchmark", nil, now.Add(30*time.Minute).UnixMicro(), true,
		digest[:], nil, nil, nil, now.UnixMicro(), nil, "", 1)
	return secret, err
}

func (s *statements) update(_ context.Context, t token, description string) error {
	r, pk, err := scan(s.get.QueryRow(t.name))
	if err != nil {
		return err
	}
	result, err := s.updateStmt.Exec(description, pk, r.Version)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); n == 0 || err != nil {
		return errors.Join(errNotFound, err)
	}
	return nil
}

func (s *statements) lookUp(_ context.Context, secret string) error {
	digest := sha256.Sum256([]byte(secret))
	_, _, err := scan(s.byDigest.QueryRow(digest[:]))
	return err
}

func scan(row *sql.Row) (r store.Record, pk []byte, err error) {
	var digest, sealed, retired []byte
	var managed sql.NullString
	var expires, until, created, used sql.NullInt64
	err = row.Scan(&pk, &r.Identifier, &r.Intent, &r.User, &r.Description, &managed, &expires, &r.Expiring,
		&digest, &sealed, &retired, &until, &created, &used, &r.LastUsedFrom, &r.Version)
	return r, pk, err
}

func (s *statements) close() error { return errors.Join(s.readDB.Close(), s.writeDB.Close()) }

// batches is statements with 64 rows to a commit, which is as fast as rows
// get to disk on this table.
type batches struct {
	*statements
	begin, commit *sql.Stmt

	mu   sync.Mutex
	rows int // in the transaction
}

func openRawBatches(dir string) (keeper, error) {
	s, err := openStatements(dir)
	if err != nil {
		return nil, err
	}
	b := &batches{statements: s}
	if b.begin, err = s.writeDB.Prepare("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	b.commit, err = s.writeDB.Prepare("COMMIT")
	return b, err
}

func (b *batches) create(ctx context.Context, name, user string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rows == 0 {
		if _, err := b.begin.Exec(); err != nil {
			return "", err
		}
	}
	secret, err := b.statements.create(ctx, name, user)
	if b.rows++; b.rows == 64 && err == nil {
		b.rows = 0
		_, err = b.commit.Exec()
	}
	return secret, err
}
