package postgres

import (
	"fmt"
	"strings"
)

// A prefix is what the names of a store's tables and indexes start with. The SQL
// in this package, migrations included, is written with the default one, so that it
// can be read, searched for and run as it stands.
type prefix string

const (
	defaultPrefix   prefix = "authtoken_"
	maxPrefixLength int    = 40 // PostgreSQL cuts names off after 63 bytes
)

// in returns sql with p in place of the default.
func (p prefix) in(sql string) string {
	return strings.ReplaceAll(sql, string(defaultPrefix), string(p))
}

// check returns what is wrong with p, which is part of the SQL.
func (p prefix) check() error {
	const letters, digits = "abcdefghijklmnopqrstuvwxyz_", "0123456789"
	if p == "" || len(p) > maxPrefixLength || strings.Trim(string(p), letters+digits) != "" || strings.Contains(digits, string(p[0])) {
		return fmt.Errorf("%q is not 1 to %d letters from a to z, digits and underscores, the first no digit", string(p), maxPrefixLength)
	}
	return nil
}
