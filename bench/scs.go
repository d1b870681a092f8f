package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"time"

	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2/memstore"
)

// scs is a store of github.com/alexedwards/scs: a secret, 200 bytes that
// mean nothing to it, and when they expire.
type scs struct {
	store interface {
		Find(secret string) ([]byte, bool, error)
		Commit(secret string, data []byte, expiry time.Time) error
	}
	closeStore func() error
}

func openSCSMemory(string) (keeper, error) {
	return scs{memstore.NewWithCleanupInterval(0), func() error { return nil }}, nil
}

// openSCS gives it two connections, the number with which it is fastest here: with
// one its look-ups wait, with more its writers.
func openSCS(dir string) (keeper, error) {
	db, err := openSQLite(filepath.Join(dir, "scs.db"), 2, "journal_mode(WAL)", "synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	if err := makeSCSTable(db); err != nil {
		return nil, err
	}
	st := sqlite3store.NewWithConfig(db, sqlite3store.Config{TableName: "tokens"})
	return scs{st, db.Close}, nil
}

// makeSCSTable makes the table that its documentation asks for.
func makeSCSTable(db *sql.DB) error {
	_, err := db.Exec(`CREATE TABLE tokens (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
		CREATE INDEX tokens_expiry_idx ON tokens (expiry)`)
	return err
}

func (s scs) create(_ context.Context, name, _ string) (string, error) {
	secret := newSecret()
	return secret, s.put(secret, name)
}

func (s scs) put(secret, description string) error {
	data := make([]byte, 200)
	copy(data, description)
	return s.store.Commit(secret, data, time.Now().Add(30*time.Minute))
}

func (s scs) update(ctx context.Context, t token, description string) error {
	if err := s.lookUp(ctx, t.secret); err != nil {
		return err
	}
	return s.put(t.secret, description)
}

func (s scs) lookUp(_ context.Context, secret string) error {
	_, found, err := s.store.Find(secret)
	if err == nil && !found {
		err = errNotFound
	}
	return err
}

func (s scs) close() error { return s.closeStore() }
