package sqlite

import (
	"encoding/json"
	"strings"

	"github.com/authtoken/authtoken/store"
)

// A statement is SQL and its arguments, written from left to right. The values of a
// query are always arguments; all SQL comes from this package.
type statement struct {
	sql      strings.Builder
	args     []any
	filtered bool
}

func (st *statement) add(sql string, args ...any) {
	st.sql.WriteString(sql)
	st.args = append(st.args, args...)
}

// and adds a condition.
func (st *statement) and(sql string, args ...any) {
	if st.filtered {
		st.add(" AND ")
	} else {
		st.add(" WHERE ")
	}
	st.filtered = true
	st.add(sql, args...)
}

// filter adds the filters of q.
func (st *statement) filter(q *store.Query) {
	if q.Identifier != "" {
		st.and("identifier = ?", q.Identifier)
	}
	if q.Description != "" {
		st.and("description = ?", q.Description)
	}
	if q.Managed != "" {
		st.and("managed = ?", q.Managed)
	}
	if q.Users != nil {
		st.and("")
		addIn(st, "user", q.Users)
	}
	if q.Intents != nil {
		st.and("")
		addIn(st, "intent", q.Intents)
	}
	if q.States != nil {
		st.and("")
		addIn(st, "state", q.States)
	}
	if strings.Contains(q.Scope, " ") {
		st.and("FALSE") // no name has a space
	} else if q.Scope != "" {
		st.and("instr(' ' || scopes || ' ', ' ' || ? || ' ')", q.Scope)
	}
	if q.Via != (store.PK{}) {
		st.and("via = ?", q.Via[:])
	}
	if !q.Expires.IsZero() {
		st.and("expiring IN (0, 1) AND expires = ?", q.Expires.UnixMicro()) // for the index by expiry
	}
	if q.Expiring != nil {
		st.and("expiring = ?", *q.Expiring)
	}
	if q.ByExpiry() {
		st.and("expiring = 1")
	}
	if !q.ExpiryFrom.IsZero() {
		st.and("expires >= ?", q.ExpiryFrom.UnixMicro())
	}
	if !q.ExpiryBefore.IsZero() {
		st.and("expires < ?", q.ExpiryBefore.UnixMicro())
	}
	for i := range q.Words {
		if w := &q.Words[i]; w.Text != "" { // the empty word occurs everywhere
			st.and("")
			st.addWord(w)
		}
	}
}

// addIn adds that the column is one of values. Several values are a single argument,
// since SQLite takes at most 32,766 arguments.
func addIn[T any](st *statement, column string, values []T) {
	switch len(values) {
	case 0:
		st.add("FALSE")
	case 1:
		st.add(column+" = ?", values[0])
	default:
		list, err := json.Marshal(values)
		if err != nil {
			panic(err) // never, for these types
		}
		st.add(column+" IN (SELECT value FROM json_each(?))", string(list))
	}
}

// A sortKey is a column that results are sorted by.
type sortKey struct {
	column   string
	desc     bool
	nullable bool
	value    func(*store.Record) any
}

// sortKeys returns the keys that q sorts by.
func sortKeys(q *store.Query) []sortKey {
	// A search through all tokens reads the whole table and sorts what it finds. The
	// "+" keeps the planner from following the order of an index. That would end sooner
	// if many tokens match, but takes ten times as long if few do: 5 s for a million
	// tokens.
	search := len(q.Words) > 0 && q.Users == nil

	var keys []sortKey
	for _, o := range q.SortedBy() {
		key := sortKeyOf(o.Field)
		if o.Field == store.FieldExpires && q.ByExpiry() {
			key.nullable = false // lets the index do the sorting
		}
		add := func(key sortKey) {
			key.desc = o.Desc
			if search {
				key.column = "+" + key.column
			}
			keys = append(keys, key)
		}
		if o.Field == store.FieldUser {
			add(userLength)
		}
		add(key)
	}
	return keys
}

// userLength sorts before the user: see [store.CompareUsers]. SQLite's length would
// count characters.
var userLength = sortKey{column: "octet_length(user)", value: func(r *store.Record) any { return len(r.User) }}

func sortKeyOf(f store.Field) sortKey {
	key := sortKey{column: string(f)}
	switch f {
	case store.FieldPK:
		key.value = func(r *store.Record) any { return r.PK[:] }
	case store.FieldIdentifier:
		key.value = func(r *store.Record) any { return r.Identifier }
	case store.FieldIntent:
		key.value = func(r *store.Record) any { return r.Intent }
	case store.FieldUser:
		key.value = func(r *store.Record) any { return r.User }
	case store.FieldDescription:
		key.value = func(r *store.Record) any { return r.Description }
	case store.FieldManaged:
		key.value, key.nullable = func(r *store.Record) any { return text(r.Managed) }, true
	case store.FieldExpires:
		key.value, key.nullable = func(r *store.Record) any { return micros(r.Expires) }, true
	case store.FieldExpiring:
		key.value = func(r *store.Record) any { return r.Expiring }
	case store.FieldCreated:
		key.value, key.nullable = func(r *store.Record) any { return micros(r.Created) }, true
	case store.FieldLastUsed:
		key.value, key.nullable = func(r *store.Record) any { return micros(r.LastUsed) }, true
	}
	return key
}

// page adds the bounds of q's page: After, the order, Limit and Offset.
func (st *statement) page(q *store.Query) {
	keys := sortKeys(q)
	if q.After != nil {
		st.and("")
		st.addAfter(keys, q.After)
	}
	for i, k := range keys {
		st.add([]string{" ORDER BY ", ", "}[min(i, 1)] + k.column)
		if k.desc {
			st.add(" DESC")
		}
		if k.nullable && k.desc {
			st.add(" NULLS FIRST")
		} else if k.nullable {
			st.add(" NULLS LAST")
		}
	}
	if q.Limit > 0 || q.Offset > 0 {
		limit := q.Limit
		if limit <= 0 {
			limit = -1
		}
		st.add(" LIMIT ? OFFSET ?", limit, max(q.Offset, 0))
	}
}

// addAfter adds that a record comes after a in the order of keys. It compares them as a
// tuple, but SQL's own tuples support neither descending columns nor a place for NULL.
// The bound on the first column stands alone, so that an index can use it.
func (st *statement) addAfter(keys []sortKey, a *store.Record) {
	k := keys[0]
	v := k.value(a)
	op := ">"
	if k.desc {
		op = "<"
	}
	if len(keys) == 1 {
		st.add(k.column+" "+op+" ?", v)
		return
	}
	switch {
	case v == nil && k.desc:
		st.add("(" + k.column + " IS NOT NULL OR ")
		st.addAfter(keys[1:], a)
		st.add(")")
	case v == nil:
		st.add("(" + k.column + " IS NULL AND ")
		st.addAfter(keys[1:], a)
		st.add(")")
	case k.nullable && !k.desc:
		st.add("("+k.column+" > ? OR "+k.column+" IS NULL OR ("+k.column+" = ? AND ", v, v)
		st.addAfter(keys[1:], a)
		st.add("))")
	default:
		st.add("("+k.column+" "+op+"= ? AND ("+k.column+" "+op+" ? OR ", v, v)
		st.addAfter(keys[1:], a)
		st.add("))")
	}
}
