package store

import (
	"bytes"
	"cmp"
	"time"
)

// Field names a field of a [Record], the way SQL and JSON spell it too.
type Field string

// The fields that a [TakenError] or an [Order] can name.
const (
	FieldPK          Field = "pk"
	FieldIdentifier  Field = "identifier"
	FieldIntent      Field = "intent"
	FieldUser        Field = "user"
	FieldDescription Field = "description"
	FieldManaged     Field = "managed"
	FieldExpires     Field = "expires"
	FieldExpiring    Field = "expiring"
	FieldCreated     Field = "created"
	FieldLastUsed    Field = "last_used"
	FieldDigest      Field = "digest"
)

// OrderFields returns the fields that records can be sorted by.
func OrderFields() []Field {
	return []Field{
		FieldPK, FieldManaged, FieldIdentifier, FieldIntent, FieldUser,
		FieldDescription, FieldExpires, FieldExpiring, FieldCreated, FieldLastUsed,
	}
}

// Query selects records. Its zero value matches all of them, by identifier.
// A record matches if every filter that is set does.
//
// Stores written in Go can leave it all to [Query.Select] and [Query.Matcher];
// stores that have a query language of their own translate the fields and must
// come to the same answers.
type Query struct {
	Identifier  string // exactly; empty for any
	Description string // exactly; empty for any
	Managed     string // exactly; empty for any

	// Users and Intents match a record whose User, or Intent, is one of them.
	// Nil is any; empty but not nil is none.
	Users   []string
	Intents []string

	// States matches a record whose State is one of them. Nil is any; empty but not
	// nil is none.
	States []State

	Scope string // one of the names in Scopes, exactly; empty for any
	Via   PK     // exactly; zero for any

	Expires  time.Time // exactly, to the microsecond; zero for any
	Expiring *bool     // nil for either

	// ExpiryFrom and ExpiryBefore match records that are Expiring and
	// whose Expires, which must be set, is not before the one and is before the
	// other. Zero is no bound.
	ExpiryFrom, ExpiryBefore time.Time

	// Words must all occur in a record.
	Words []Word

	// Order is what results are sorted by, first things first. Users sort as
	// [CompareUsers] has it. Other text sorts byte by byte, false before true, and a
	// value that is not there (Managed, Expires, Created, LastUsed) after all that are.
	// Ties are settled by PK, ascending. Empty is by identifier. FieldDigest is not for
	// ordering; the service never asks for it.
	Order []Order

	After  *Record // only what comes after this record, which need not exist any more
	Offset int     // how many to skip; at most 0 is none
	Limit  int     // how many to return; at most 0 is no limit
}

// ByExpiry reports whether q bounds Expires, so that every match must have one.
func (q *Query) ByExpiry() bool { return !q.ExpiryFrom.IsZero() || !q.ExpiryBefore.IsZero() }

// Order is one key to sort by.
type Order struct {
	Field Field
	Desc  bool
}

// Word is one word of a search. It occurs in a record if Text does, case aside,
// in the Identifier, Intent or Description, or if User is one of Users.
//
// Case aside means: A to Z equal a to z, and any other letter equals the one
// that unicode.ToLower makes of it, unless that is a letter from a to z. So
// "É" equals "é", and the Kelvin sign does not equal "k". Nothing else is special:
// "%", "_" and "*" stand for themselves.
type Word struct {
	Text  string
	Users []string
}

// Compare returns -1 if a comes before b in q's order, 1 if it comes after, and
// 0 only if both have the same PK.
func (q *Query) Compare(a, b *Record) int {
	for _, o := range q.Order {
		c := compareField(o.Field, a, b)
		if o.Desc {
			c = -c
		}
		if c != 0 || o.Field == FieldPK { // nothing comes after the PK
			return c
		}
	}
	if len(q.Order) == 0 {
		if c := cmp.Compare(a.Identifier, b.Identifier); c != 0 {
			return c
		}
	}
	return bytes.Compare(a.PK[:], b.PK[:])
}

func compareField(f Field, a, b *Record) int {
	switch f {
	case FieldPK:
		return bytes.Compare(a.PK[:], b.PK[:])
	case FieldIdentifier:
		return cmp.Compare(a.Identifier, b.Identifier)
	case FieldIntent:
		return cmp.Compare(a.Intent, b.Intent)
	case FieldUser:
		return CompareUsers(a.User, b.User)
	case FieldDescription:
		return cmp.Compare(a.Description, b.Description)
	case FieldManaged:
		if a.Managed == "" || b.Managed == "" {
			return compareBool(a.Managed == "", b.Managed == "")
		}
		return cmp.Compare(a.Managed, b.Managed)
	case FieldExpires:
		return compareTime(a.Expires, b.Expires)
	case FieldExpiring:
		return compareBool(a.Expiring, b.Expiring)
	case FieldCreated:
		return compareTime(a.Created, b.Created)
	case FieldLastUsed:
		return compareTime(a.LastUsed, b.LastUsed)
	default:
		return 0
	}
}

// CompareUsers returns -1 if the user ID a sorts before b, 1 if it sorts after, and 0
// if they are equal: by length in bytes first, and then byte by byte.
func CompareUsers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

func compareTime(a, b time.Time) int {
	if a.IsZero() || b.IsZero() {
		return compareBool(a.IsZero(), b.IsZero())
	}
	return cmp.Compare(a.UnixMicro(), b.UnixMicro())
}
