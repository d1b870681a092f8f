//go:build cgo

package main

import (
	"path/filepath"

	dexsql "github.com/dexidp/dex/storage/sql"
)

// withC says whether what is written in C was built.
const withC = true

// openDex uses the SQLite that dex is built with, which is compiled from C.
func openDex(dir string) (keeper, error) {
	cfg := dexsql.SQLite3{File: "file:" + filepath.Join(dir, "dex.db") + "?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000"}
	st, err := cfg.Open(noLog)
	return dex{st}, err
}
