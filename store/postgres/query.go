package postgres

import (
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/authtoken/authtoken/store"
)

// A statement is SQL and its arguments. The values of a query are always arguments; all
// SQL comes from this package.
type statement struct {
	sql      strings.Builder
	args     []any
	filtered bool
}

func (st *statement) add(sql string) { st.sql.WriteString(sql) }

// arg adds an argument and returns its placeholder.
func (st *statement) arg(v any) string {
	st.args = append(st.args, v)
	return "$" + strconv.Itoa(len(st.args))
}

// and adds a condition.
func (st *statement) and(condition string) {
	if st.filtered {
		st.add(" AND ")
	} else {
		st.add(" WHERE ")
	}
	st.filtered = true
	st.add(condition)
}

// filter adds the filters of q.
func (st *statement) filter(q *store.Query) {
	if q.Identifier != "" {
		st.and("identifier = " + st.arg(q.Identifier))
	}
	if q.Description != "" {
		st.and("description = " + st.arg(q.Description))
	}
	if q.Managed != "" { // the first condition is for the index
		managed := st.arg(q.Managed)
		st.and(`sha256(replace(managed, '\', '\\')::bytea) = sha256(replace(` + managed + `, '\', '\\')::bytea)`)
		st.and("managed = " + managed)
	}
	if q.Users != nil {
		st.and(in(st, `"user"`, q.Users))
	}
	if q.Intents != nil {
		st.and(in(st, "intent", q.Intents))
	}
	if q.States != nil {
		states := make([]int16, len(q.States))
		for i, state := range q.States {
			states[i] = int16(state)
		}
		st.and("state = ANY(" + st.arg(states) + ")")
	}
	if strings.Contains(q.Scope, " ") {
		st.and("FALSE") // no name has a space
	} else if q.Scope != "" {
		st.and("strpos(' ' || scopes || ' ', ' ' || " + st.arg(q.Scope) + " || ' ') > 0")
	}
	if q.Via != (store.PK{}) {
		st.and("via = " + st.arg(uuid(q.Via)))
	}
	if !q.Expires.IsZero() {
		st.and("expires = " + st.arg(instant(q.Expires)))
	}
	// Both values are literals: the planner must see that the condition of the index by
	// expiry holds.
	if q.Expiring != nil && !*q.Expiring {
		st.and("NOT expiring")
	}
	if q.Expiring != nil && *q.Expiring || q.ByExpiry() {
		st.and("expiring")
	}
	if !q.ExpiryFrom.IsZero() {
		st.and("expires >= " + st.arg(instant(q.ExpiryFrom)))
	}
	if !q.ExpiryBefore.IsZero() {
		st.and("expires < " + st.arg(instant(q.ExpiryBefore)))
	}
	st.words(q.Words)
}

// in returns that the column is one of values. Several values are a single argument,
// since a statement takes at most 65,535 arguments.
func in(st *statement, column string, values []string) string {
	switch len(values) {
	case 0:
		return "FALSE"
	case 1:
		return column + " = " + st.arg(values[0])
	default:
		return column + " = ANY(" + st.arg(values) + ")"
	}
}

// A sortKey is a column that results are sorted by.
type sortKey struct {
	column string
	desc   bool
	value  any  // of q.After, if there is one
	null   bool // whether the value is NULL
	nulls  bool // whether the column can be NULL
}

// sortKeys returns the keys that q sorts by.
func sortKeys(q *store.Query) []sortKey {
	after := q.After
	if after == nil {
		after = new(store.Record)
	}
	var keys []sortKey
	for _, o := range q.SortedBy() {
		if o.Field == store.FieldUser { // see store.CompareUsers
			keys = append(keys, sortKey{column: `octet_length("user")`, desc: o.Desc, value: len(after.User)})
		}
		key := sortKeyOf(o.Field, after)
		key.desc = o.Desc
		keys = append(keys, key)
	}
	return keys
}

func sortKeyOf(f store.Field, r *store.Record) sortKey {
	at := func(t pgtype.Timestamptz) sortKey { return sortKey{value: t, null: !t.Valid, nulls: true} }
	var key sortKey
	switch f {
	case store.FieldPK:
		key = sortKey{value: uuid(r.PK)}
	case store.FieldIdentifier:
		key = sortKey{value: r.Identifier}
	case store.FieldIntent:
		key = sortKey{value: r.Intent}
	case store.FieldUser:
		key = sortKey{value: r.User}
	case store.FieldDescription:
		key = sortKey{value: r.Description}
	case store.FieldManaged:
		key = sortKey{value: r.Managed, null: r.Managed == "", nulls: true}
	case store.FieldExpires:
		key = at(instant(r.Expires))
	case store.FieldExpiring:
		key = sortKey{value: r.Expiring}
	case store.FieldCreated:
		key = at(instant(r.Created))
	case store.FieldLastUsed:
		key = at(instant(r.LastUsed))
	}
	key.column = `"` + string(f) + `"`
	return key
}

// page adds the bounds of q's page: After, the order, Limit and Offset. PostgreSQL
// sorts NULL as a query sorts missing values: last, or first if the order is
// descending.
func (st *statement) page(q *store.Query) {
	keys := sortKeys(q)
	if q.After != nil {
		st.and(st.after(keys))
	}
	separator := " ORDER BY "
	for _, k := range keys {
		st.add(separator + k.column)
		if k.desc {
			st.add(" DESC")
		}
		separator = ", "
	}
	if q.Limit > 0 {
		st.add(" LIMIT " + st.arg(q.Limit))
	}
	if q.Offset > 0 {
		st.add(" OFFSET " + st.arg(q.Offset))
	}
}

// after returns that a record comes after the one with the values of keys. It compares
// them as a tuple, but SQL's own tuples support neither descending columns nor a place
// for NULL.
func (st *statement) after(keys []sortKey) string {
	condition := "FALSE"
	for i, k := range slices.Backward(keys) {
		greater, equal, bound := "FALSE", k.column+" IS NULL", ""
		switch v := ""; {
		case k.null && k.desc:
			greater = k.column + " IS NOT NULL"
		case k.null:
		default:
			v = st.arg(k.value)
			op := " > "
			if k.desc {
				op = " < "
			}
			greater, equal = k.column+op+v, k.column+" = "+v
			if k.nulls && !k.desc {
				greater += " OR " + k.column + " IS NULL"
			} else if i == 0 { // one that an index can use
				bound = k.column + strings.TrimRight(op, " ") + "= " + v + " AND "
			}
		}
		condition = bound + "(" + greater + " OR (" + equal + " AND " + condition + "))"
	}
	return condition
}
