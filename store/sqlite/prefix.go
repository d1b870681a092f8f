package sqlite

import (
	"fmt"
	"strings"
)

// A prefix is what the names of a store's tables and indexes start with. The SQL
// in this package, migrations included, is written with the default one, so that it
// can be read, searched for and run as it stands.
type prefix string

const defaultPrefix prefix = "authtoken_"

const maxPrefixLength = 40

// in returns sql with p in place of the default.
func (p prefix) in(sql string) string {
	return strings.ReplaceAll(sql, string(defaultPrefix), string(p))
}

// check returns what is wrong with p: it is part of the SQL, and SQLite
// compares names without regard to case.
func (p prefix) check() error {
	const letters, digits = "abcdefghijklmnopqrstuvwxyz_", "0123456789"
	switch {
	case p == "" || len(p) > maxPrefixLength,
		strings.Trim(string(p), letters+digits) != "",
		strings.Contains(digits, string(p[0])):
		return fmt.Errorf("%q is not 1 to %d letters from a to z, digits and underscores, the first no digit", string(p), maxPrefixLength)
	case strings.HasPrefix(string(p), "sqlite_"):
		return fmt.Errorf("%q starts with sqlite_, as only SQLite's own tables do", string(p))
	}
	return nil
}
