package store

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
)

// What is in this file is for stores that speak SQL.

// TablePrefix is what the names of a store's tables and indexes start with, so that
// there can be several stores in one database. A store writes its SQL, migrations
// included, with DefaultTablePrefix, so that the SQL can be read, searched for and run
// as it stands.
type TablePrefix string

// DefaultTablePrefix is the prefix of a store that is given none.
const DefaultTablePrefix TablePrefix = "authtoken_"

const maxTablePrefix = 40 // PostgreSQL cuts names off after 63 bytes

// In returns sql with p in place of DefaultTablePrefix.
func (p TablePrefix) In(sql string) string {
	return strings.ReplaceAll(sql, string(DefaultTablePrefix), string(p))
}

// Check returns an error unless p is 1 to 40 letters from a to z, digits and
// underscores, the first no digit. SQLite keeps "sqlite_" for its own tables.
func (p TablePrefix) Check() error {
	const letters, digits = "abcdefghijklmnopqrstuvwxyz_", "0123456789"
	switch {
	case p == "" || len(p) > maxTablePrefix,
		strings.Trim(string(p), letters+digits) != "",
		strings.Contains(digits, string(p[0])):
		return fmt.Errorf("%q is not 1 to %d letters from a to z, digits and underscores, the first no digit", string(p), maxTablePrefix)
	case strings.HasPrefix(string(p), "sqlite_"):
		return fmt.Errorf("%q starts with sqlite_, as only SQLite's own tables do", string(p))
	}
	return nil
}

// Migration is a step of a schema from one version to the next.
type Migration struct {
	// Version is the version of the schema after this step. The first is 1.
	Version int

	// Name is what the step is about, in letters that suit a file name.
	Name string

	// SQL is the statements of the step, each with a semicolon at its end. The last
	// adds Version to the table authtoken_migrations.
	SQL string
}

// Migrations returns the steps that the files migrations/*.sql are, in the order of
// their names, such as "0001_tokens.sql".
func Migrations(files fs.FS, p TablePrefix) ([]Migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	all := make([]Migration, len(names))
	for i, name := range names {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		_, title, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".sql"), "_")
		noted := fmt.Sprintf("\nINSERT INTO authtoken_migrations (version) VALUES (%d);\n", i+1)
		all[i] = Migration{Version: i + 1, Name: title, SQL: p.In(string(b) + noted)}
	}
	return all, nil
}

// Missing returns those of all that a schema of this version lacks. It is an error
// if a newer release has made the schema.
func Missing(all []Migration, version int) ([]Migration, error) {
	if version > len(all) {
		return nil, fmt.Errorf("its schema has version %d, made by a newer release; this one knows versions up to %d", version, len(all))
	}
	return all[version:], nil
}

// SortedBy returns what results are sorted by in full: q's Order, or the identifier if
// that is empty, with each field once, and the PK at the end. Nothing comes after the PK.
// The PK is there even after the identifier, which is as unique: q.After may have the
// identifier of a record that another has replaced since.
func (q *Query) SortedBy() []Order {
	order := q.Order
	if len(order) == 0 {
		order = []Order{{Field: FieldIdentifier}}
	}
	var full []Order
	for _, o := range slices.Concat(order, []Order{{Field: FieldPK}}) {
		if !slices.Contains(OrderFields(), o.Field) || slices.ContainsFunc(full, func(f Order) bool { return f.Field == o.Field }) {
			continue
		}
		if full = append(full, o); o.Field == FieldPK {
			break
		}
	}
	return full
}

// ByExpiry reports whether q bounds Expires, so that a record that matches must have
// one.
func (q *Query) ByExpiry() bool { return !q.ExpiryFrom.IsZero() || !q.ExpiryBefore.IsZero() }

// Variants returns the characters that equal r, case aside as [Word] says. The first is
// r.
func Variants(r rune) []rune {
	same := []rune{r}
	// All that fold to one letter are in one orbit, but not all in an orbit fold to
	// one letter.
	for v := unicode.SimpleFold(r); v != r; v = unicode.SimpleFold(v) {
		if Fold(v) == Fold(r) {
			same = append(same, v)
		}
	}
	return same
}
