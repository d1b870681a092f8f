package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
)

// This file is for stores that use SQL.

// TablePrefix starts the names of a store's tables and indexes, so that several stores
// can share a database. A store writes its SQL, including migrations, with
// DefaultTablePrefix, so that the SQL can be read, searched for and run as it stands.
type TablePrefix string

// DefaultTablePrefix is the prefix of a store that sets none.
const DefaultTablePrefix TablePrefix = "authtoken_"

const maxTablePrefix = 40 // PostgreSQL cuts names off after 63 bytes

// In returns sql with p in place of DefaultTablePrefix.
func (p TablePrefix) In(sql string) string {
	return strings.ReplaceAll(sql, string(DefaultTablePrefix), string(p))
}

// Check returns an error unless p has 1 to 40 letters from a to z, digits and
// underscores, and starts with no digit and not with "sqlite_", which SQLite keeps for
// its own tables.
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

	// Name says what the step does, in letters that suit a file name.
	Name string

	// SQL has the statements of the step, each with a semicolon at its end. The last
	// one adds Version to the table authtoken_migrations.
	SQL string
}

// Migrations returns the steps in the files migrations/*.sql, in the order of their
// names, such as "0001_tokens.sql".
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

// Missing returns the steps of all that a schema of this version lacks. It returns an
// error if a newer release made the schema.
func Missing(all []Migration, version int) ([]Migration, error) {
	if version > len(all) {
		return nil, fmt.Errorf("its schema has version %d, made by a newer release; this one knows versions up to %d", version, len(all))
	}
	return all[version:], nil
}

// Lacking returns an error that says that the tables lack these steps, nil if there are
// none.
func (p TablePrefix) Lacking(steps []Migration) error {
	if len(steps) == 0 {
		return nil
	}
	return fmt.Errorf("the tables %s* lack migrations (%d): call Migrate first", string(p), len(steps))
}

// earlierSize is the size of an earlier key in bytes: its digest and a time.
const earlierSize = len(Digest{}) + 8

// AppendEarlier appends keys to b in a form for a column of bytes: of each key its
// digest, and when it stopped being good, in microseconds since 1970, as 8 bytes, the
// highest first. No keys are no bytes.
func AppendEarlier(b []byte, keys []EarlierKey) []byte {
	b = slices.Grow(b, len(keys)*earlierSize)
	for i := range keys {
		b = append(b, keys[i].Digest[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(keys[i].Until.UnixMicro()))
	}
	return b
}

// ParseEarlier returns the keys that [AppendEarlier] has written to b, nil if b is
// empty. They share no memory with b. It returns an error if b ends within a key.
func ParseEarlier(b []byte) ([]EarlierKey, error) {
	if len(b)%earlierSize != 0 {
		return nil, fmt.Errorf("%d bytes instead of keys of %d each", len(b), earlierSize)
	}
	if len(b) == 0 {
		return nil, nil
	}
	keys := make([]EarlierKey, len(b)/earlierSize)
	for i := range keys {
		n := copy(keys[i].Digest[:], b)
		keys[i].Until = time.UnixMicro(int64(binary.BigEndian.Uint64(b[n:]))).UTC()
		b = b[earlierSize:]
	}
	return keys, nil
}

// SortedBy returns the full order of results: q's Order, or the identifier if that is
// empty, with each field once, and the PK last. The PK follows even the unique
// identifier: a newer record may have the identifier of q.After.
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

// A Search does in Go what [Query.SearchInGo] leaves out of a query. A nil Search leaves
// nothing to do. It is for one goroutine.
type Search struct {
	q       *Query
	matcher *Matcher
	found   int
}

// SearchInGo returns q without Words, Offset and Limit, for SQL, and the Search for the
// records that SQL finds, in q's order. q must not change while the Search is in use.
//
// Stores search in Go for the words of a query with Users. For crafted texts, SQL takes
// time in proportion to the length of the text times that of the words. So SQL only
// searches through everybody's tokens, which no plain user can do. In Go, the length of
// the words does not matter.
func (q *Query) SearchInGo() (Query, *Search) {
	rest := *q
	rest.Words, rest.Offset, rest.Limit = nil, 0, 0
	return rest, &Search{q: q, matcher: q.Matcher()}
}

// Take reports whether r, the next record, is one that q selects, and whether more
// records are needed. If ctx has ended, it returns ctx.Err() instead, as
// [Matcher.Match] does.
func (s *Search) Take(ctx context.Context, r *Record) (selected, more bool, err error) {
	if s == nil {
		return true, true, nil
	}
	ok, err := s.matcher.Match(ctx, r)
	if err != nil || !ok {
		return false, err == nil, err
	}
	s.found++
	// The sum of Offset and Limit may be too large for an int.
	more = s.q.Limit <= 0 || s.found-max(s.q.Offset, 0) < s.q.Limit
	return s.found > s.q.Offset, more, nil
}

// Variants returns the characters that equal r, case aside as [Word] says, first r
// itself.
func Variants(r rune) []rune {
	same := []rune{r}
	// Letters that fold to the same one share an orbit, but an orbit may have letters
	// that fold to others.
	for v := unicode.SimpleFold(r); v != r; v = unicode.SimpleFold(v) {
		if Fold(v) == Fold(r) {
			same = append(same, v)
		}
	}
	return same
}
