package storetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtoken/authtoken/store"
)

// subject is a store under test and the test to report to. Its methods in lower
// case are those of the store with a test of what they return.
type subject struct {
	*testing.T
	store.Store
}

func (s subject) create(records ...store.Record) {
	s.Helper()
	for _, r := range records {
		if err := s.Create(s.Context(), r, 0); err != nil {
			s.Fatalf("Create(%s), which collides with nothing: %v", name(r), err)
		}
	}
}

func (s subject) get(identifier string) store.Record {
	s.Helper()
	r, err := s.Get(s.Context(), identifier)
	if err != nil {
		s.Fatalf("Get(%q), which is there: %v", identifier, err)
	}
	return r
}

func (s subject) getByDigest(d store.Digest) store.Record {
	s.Helper()
	r, err := s.GetByDigest(s.Context(), d)
	if err != nil {
		s.Fatalf("GetByDigest(%x…), which is there: %v", d[:4], err)
	}
	return r
}

// update updates r and returns what is to be found afterwards.
func (s subject) update(r store.Record) store.Record {
	s.Helper()
	if err := s.Update(s.Context(), r); err != nil {
		s.Fatalf("Update(%s) at its version %d: %v", name(r), r.Version, err)
	}
	r.Version++
	return r
}

func (s subject) delete(r store.Record) {
	s.Helper()
	if err := s.Delete(s.Context(), r.PK, r.Version); err != nil {
		s.Fatalf("Delete(%s) at its version %d: %v", name(r), r.Version, err)
	}
}

func (s subject) list(q store.Query) []store.Record {
	s.Helper()
	rs, err := s.List(s.Context(), q)
	if err != nil {
		s.Fatalf("List(%s): %v", describe(q), err)
	}
	return rs
}

// selected returns those of records that a list for q must have.
func (s subject) selected(q store.Query, records []store.Record) []store.Record {
	s.Helper()
	selected, err := q.Select(s.Context(), slices.Clone(records))
	if err != nil {
		s.Fatalf("Query.Select: %v", err)
	}
	return selected
}

func (s subject) count(q store.Query) int {
	s.Helper()
	n, err := s.Count(s.Context(), q)
	if err != nil {
		s.Fatalf("Count(%s): %v", describe(q), err)
	}
	return n
}

func (s subject) purge(q store.Query) []store.Record {
	s.Helper()
	rs, err := s.Purge(s.Context(), q)
	if err != nil {
		s.Fatalf("Purge(%s): %v", describe(q), err)
	}
	return rs
}

func (s subject) touch(uses ...store.Use) {
	s.Helper()
	if err := s.Touch(s.Context(), uses); err != nil {
		s.Fatalf("Touch of %d uses: %v", len(uses), err)
	}
}

// holds checks that the store holds these records and no others.
func (s subject) holds(want ...store.Record) {
	s.Helper()
	if d := s.difference(want); d != "" {
		s.Fatal(d)
	}
}

// difference returns what the store holds instead of these records, or nothing.
// It asks for no order, so that a store that fails at it fails where it matters.
func (s subject) difference(want []store.Record) string {
	s.Helper()
	got := s.list(store.Query{})
	byPK := func(a, b store.Record) int { return bytes.Compare(a.PK[:], b.PK[:]) }
	slices.SortFunc(got, byPK)
	want = slices.SortedFunc(slices.Values(want), byPK)
	if !slices.EqualFunc(got, want, func(a, b store.Record) bool { return a.PK == b.PK }) {
		return fmt.Sprintf("the store holds %s, want %s", names(got), names(want))
	}
	for i := range got {
		if d := diff(got[i], want[i]); d != "" {
			return fmt.Sprintf("%s as the store holds it: %s", name(want[i]), d)
		}
	}
	return ""
}

// same checks that got is want.
func (s subject) same(what string, got, want store.Record) {
	s.Helper()
	if d := diff(got, want); d != "" {
		s.Fatalf("%s: %s", what, d)
	}
}

// identifiers checks that got are the records with these identifiers, in order.
func (s subject) identifiers(what string, got []store.Record, want ...string) {
	s.Helper()
	ids := make([]string, len(got))
	for i := range got {
		ids[i] = got[i].Identifier
	}
	if !slices.Equal(ids, want) {
		s.Fatalf("%s returns %q, want %q", what, ids, want)
	}
}

// is checks that err matches target.
func (s subject) is(what string, err, target error) {
	s.Helper()
	if !errors.Is(err, target) {
		s.Fatalf("%s returns the error %v, want one that matches %q", what, err, target)
	}
}

// taken checks that err is a TakenError that names one of these fields.
func (s subject) taken(what string, err error, fields ...store.Field) {
	s.Helper()
	s.is(what, err, store.ErrTaken)
	var taken *store.TakenError
	if !errors.As(err, &taken) {
		s.Fatalf("%s returns the error %v, want a *store.TakenError", what, err)
	}
	if !slices.Contains(fields, taken.Field) {
		s.Fatalf("%s returns a TakenError that names %q, want one of %q", what, taken.Field, fields)
	}
}

// epoch is when things happen in the records of this suite. They happen at whole
// seconds except where the microseconds are the point.
var epoch = time.Date(2024, 9, 1, 12, 0, 0, 0, time.UTC)

// seconds returns a time n seconds after the epoch.
func seconds(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

// digest returns a digest that no other n has.
func digest(n int) store.Digest { return sha256.Sum256(fmt.Append(nil, "digest ", n)) }

// digests returns every digest by which r is found, if no other record has it.
func digests(r store.Record) []store.Digest {
	ds := []store.Digest{r.Digest, r.Retired}
	for _, k := range r.Earlier {
		ds = append(ds, k.Digest)
	}
	return slices.DeleteFunc(ds, func(d store.Digest) bool { return d == store.Digest{} })
}

// record returns the nth of a series of records that have something in every
// field and nothing in common that must not be.
func record(n int) store.Record {
	return store.Record{
		PK:           store.PK{0: 0x01, 6: 0x70, 8: 0x80, 12: 0x5a, 14: byte(n >> 8), 15: byte(n)},
		Identifier:   fmt.Sprintf("token-%03d", n),
		Intent:       "api",
		User:         "7",
		Description:  fmt.Sprintf("number %d", n),
		Managed:      fmt.Sprintf("managed-%03d", n),
		Expires:      seconds(3600 + n),
		Expiring:     true,
		Scopes:       fmt.Sprintf("notes:read notes:write-%d", n),
		Networks:     fmt.Sprintf("192.0.2.%d/32 2001:db8::/32", n%256),
		State:        store.StateActive + store.State(n%3),
		Metadata:     fmt.Sprintf(`{"tenant":"%d"}`, n),
		Via:          store.PK{0: 0x02, 14: byte(n >> 8), 15: byte(n)},
		Digest:       digest(n),
		Sealed:       []byte{0, byte(n), 0xff, '\'', 0},
		Retired:      digest(100_000 + n),
		RetiredUntil: seconds(1800 + n),
		Earlier: []store.EarlierKey{
			{Digest: digest(200_000 + n), Until: seconds(600 + n)},
			{Digest: digest(300_000 + n), Until: seconds(1200 + n)},
		},
		Created:      seconds(n),
		LastUsed:     seconds(60 + n),
		LastUsedFrom: "192.0.2.1",
		Version:      int64(n) + 3,
	}
}

// bare returns the nth of a series of records that have only what they must.
func bare(n int, identifier string) store.Record {
	return store.Record{
		PK:         record(n).PK,
		Identifier: identifier,
		Intent:     "api",
		User:       "1",
		Digest:     digest(n),
		Created:    seconds(n),
		Version:    1,
	}
}

// diff returns how got differs from want, or nothing. Times are compared to the
// microsecond, wherever they are.
func diff(got, want store.Record) string {
	var ds []string
	add := func(field string, same bool, format string, g, w any) {
		if !same {
			ds = append(ds, fmt.Sprintf("%s is "+format+", want "+format, field, g, w))
		}
	}
	text := func(field, g, w string) {
		if g != w {
			add(field, false, "%s", abbreviate(g), abbreviate(w))
		}
	}
	instant := func(field string, g, w time.Time) {
		if g.IsZero() != w.IsZero() || g.UnixMicro() != w.UnixMicro() {
			add(field, false, "%v", g, w)
		}
	}
	add("PK", got.PK == want.PK, "%x", got.PK[:], want.PK[:])
	text("Identifier", got.Identifier, want.Identifier)
	text("Intent", got.Intent, want.Intent)
	text("User", got.User, want.User)
	text("Description", got.Description, want.Description)
	text("Managed", got.Managed, want.Managed)
	instant("Expires", got.Expires, want.Expires)
	add("Expiring", got.Expiring == want.Expiring, "%t", got.Expiring, want.Expiring)
	text("Scopes", got.Scopes, want.Scopes)
	text("Networks", got.Networks, want.Networks)
	add("State", got.State == want.State, "%d", got.State, want.State)
	text("Metadata", got.Metadata, want.Metadata)
	add("Via", got.Via == want.Via, "%x", got.Via[:], want.Via[:])
	add("Digest", got.Digest == want.Digest, "%x", got.Digest[:], want.Digest[:])
	add("Sealed", bytes.Equal(got.Sealed, want.Sealed), "%x", got.Sealed, want.Sealed)
	add("Retired", got.Retired == want.Retired, "%x", got.Retired[:], want.Retired[:])
	instant("RetiredUntil", got.RetiredUntil, want.RetiredUntil)
	add("the number of Earlier keys", len(got.Earlier) == len(want.Earlier), "%d", len(got.Earlier), len(want.Earlier))
	for i := range min(len(got.Earlier), len(want.Earlier)) {
		g, w := &got.Earlier[i], &want.Earlier[i]
		add(fmt.Sprintf("Earlier[%d].Digest", i), g.Digest == w.Digest, "%x", g.Digest[:], w.Digest[:])
		instant(fmt.Sprintf("Earlier[%d].Until", i), g.Until, w.Until)
	}
	instant("Created", got.Created, want.Created)
	instant("LastUsed", got.LastUsed, want.LastUsed)
	text("LastUsedFrom", got.LastUsedFrom, want.LastUsedFrom)
	add("Version", got.Version == want.Version, "%d", got.Version, want.Version)
	return strings.Join(ds, "; ")
}

func abbreviate(s string) string {
	if len(s) > 300 {
		return fmt.Sprintf("%q… (%d bytes)", s[:300], len(s))
	}
	return fmt.Sprintf("%q", s)
}

func name(r store.Record) string { return abbreviate(r.Identifier) }

func names(rs []store.Record) string {
	ns := make([]string, len(rs))
	for i, r := range rs {
		ns[i] = name(r)
	}
	return "[" + strings.Join(ns, " ") + "]"
}

// describe returns what is set in q.
func describe(q store.Query) string {
	var ds []string
	add := func(set bool, format string, args ...any) {
		if set {
			ds = append(ds, fmt.Sprintf(format, args...))
		}
	}
	add(q.Identifier != "", "Identifier: %q", q.Identifier)
	add(q.Description != "", "Description: %q", q.Description)
	add(q.Managed != "", "Managed: %q", q.Managed)
	add(len(q.Users) > 20, "Users: %d of them", len(q.Users))
	add(q.Users != nil && len(q.Users) <= 20, "Users: %q", q.Users)
	add(q.Intents != nil, "Intents: %q", q.Intents)
	add(q.States != nil, "States: %d", q.States)
	add(q.Scope != "", "Scope: %q", q.Scope)
	add(q.Via != store.PK{}, "Via: %x", q.Via)
	add(!q.Expires.IsZero(), "Expires: %v", q.Expires)
	if q.Expiring != nil {
		add(true, "Expiring: %v", *q.Expiring)
	}
	add(!q.ExpiryFrom.IsZero(), "ExpiryFrom: %v", q.ExpiryFrom)
	add(!q.ExpiryBefore.IsZero(), "ExpiryBefore: %v", q.ExpiryBefore)
	for _, w := range q.Words {
		add(len(w.Users) > 20, "Word: {Text: %q, Users: %d of them}", w.Text, len(w.Users))
		add(len(w.Users) <= 20, "Word: {Text: %q, Users: %q}", w.Text, w.Users)
	}
	add(q.Order != nil, "Order: %v", q.Order)
	if q.After != nil {
		add(true, "After: %s %x", name(*q.After), q.After.PK)
	}
	add(q.Offset != 0, "Offset: %d", q.Offset)
	add(q.Limit != 0, "Limit: %d", q.Limit)
	return "Query{" + strings.Join(ds, ", ") + "}"
}
