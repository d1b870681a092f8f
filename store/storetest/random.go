package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/authtoken/authtoken/store"
)

var randomCases = []testCase{
	{"Queries", "stores that have a query language of their own translate the fields and must come to the same answers", func(s subject) {
		rng := rand.New(rand.NewPCG(1, 2))
		records := make([]store.Record, 100)
		for i := range records {
			records[i] = randomRecord(rng, i)
		}
		s.create(records...)
		for range 150 {
			q := randomQuery(rng, records)
			want := s.selected(q, records)
			s.agree("List("+describe(q)+")", s.list(q), want)
			q.Order, q.After, q.Offset, q.Limit = nil, nil, 0, 0
			if n, want := s.count(q), len(s.selected(q, records)); n != want {
				s.Fatalf("Count(%s) is %d, want %d", describe(q), n, want)
			}
		}
		for len(records) > 0 {
			q := randomQuery(rng, records)
			if rng.IntN(4) == 0 {
				q = store.Query{Limit: 20, Order: q.Order}
			}
			want := s.selected(q, records)
			s.agree("Purge("+describe(q)+")", s.purge(q), want)
			records = slices.DeleteFunc(records, func(r store.Record) bool {
				return slices.ContainsFunc(want, func(w store.Record) bool { return w.PK == r.PK })
			})
		}
		s.holds()
	}},
	{"Writes", nothingChanges, func(s subject) {
		rng := rand.New(rand.NewPCG(3, 4))
		var m model
		for range 600 {
			m.step(s, rng)
		}
		s.holds(m...)
		for n := range 30 {
			m.look(s, fmt.Sprint("name-", n%12), digest(n))
		}
	}},
}

// agree checks that got is want.
func (s subject) agree(what string, got, want []store.Record) {
	s.Helper()
	if !slices.EqualFunc(got, want, func(a, b store.Record) bool { return a.PK == b.PK }) {
		s.Fatalf("%s returns %s, want %s", what, names(got), names(want))
	}
	for i := range got {
		s.same(what, got[i], want[i])
	}
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// randomRecord returns the nth of a series of records that often agree in a
// field, so that ties and near misses abound.
func randomRecord(rng *rand.Rand, n int) store.Record {
	instant := func() time.Time {
		if rng.IntN(4) == 0 {
			return time.Time{}
		}
		return epoch.Add(time.Duration(rng.IntN(12)) * time.Microsecond)
	}
	r := record(n)
	rng.Shuffle(len(r.PK), func(i, j int) { r.PK[i], r.PK[j] = r.PK[j], r.PK[i] })
	r.PK[0], r.PK[1] = byte(rng.IntN(256)), byte(n)
	r.Identifier = fmt.Sprint(pick(rng, "a", "A", "b", "é", "É", "%", "a_", "日本", "😀", ""), pick(rng, "-", " ", ""), n)
	r.Intent = pick(rng, "api", "recovery", "app_password", "verification")
	r.User = pick(rng, "1", "2", "10", "a", "A", "é", "éé", "abc", "日", "1099511627776", "0b0c3a62-5f0e-4f62-9d4c-0d9d1bb6a0a1")
	r.Description = pick(rng, "", "", "plain", "Plain", "100%", "snake_case", "ÉCLAIR", "éclair", `back\slash`, "a b c")
	if rng.IntN(3) > 0 {
		r.Managed = ""
	}
	r.Expires, r.Expiring = instant(), rng.IntN(3) > 0
	r.Created, r.LastUsed = epoch.Add(time.Duration(rng.IntN(5))*time.Second), instant()
	r.Scopes = pick(rng, "*", "a b", "b", "a_b", "")
	r.State = store.State(rng.IntN(5))
	if rng.IntN(2) == 0 {
		r.Via, r.Metadata = store.PK{}, ""
	}
	if rng.IntN(2) == 0 {
		r.Sealed = nil
	}
	if rng.IntN(2) == 0 {
		r.Earlier = nil
	}
	return r
}

// randomQuery returns a query that sets a few of everything there is to set,
// mostly to what some record has.
func randomQuery(rng *rand.Rand, records []store.Record) store.Query {
	sometimes := func() bool { return rng.IntN(6) == 0 }
	r := pick(rng, records...)
	var q store.Query
	if rng.IntN(20) == 0 {
		q.Identifier = r.Identifier
	}
	if rng.IntN(20) == 0 {
		q.Managed = r.Managed
	}
	if sometimes() {
		q.Description = r.Description
	}
	if sometimes() {
		q.Users = pick(rng, []string{r.User}, []string{r.User, pick(rng, records...).User, "77"}, []string{})
	}
	if sometimes() {
		q.Intents = pick(rng, []string{r.Intent}, []string{"api", r.Intent}, []string{})
	}
	if sometimes() {
		q.States = pick(rng, []store.State{r.State}, []store.State{r.State, store.StateActive}, []store.State{})
	}
	if sometimes() {
		q.Scope = pick(rng, "*", "a", "b", "a_b", "a b")
	}
	if sometimes() {
		q.Via = r.Via
	}
	if sometimes() {
		q.Expires = r.Expires
	}
	if sometimes() {
		q.Expiring = new(bool)
		*q.Expiring = r.Expiring
	}
	if sometimes() {
		q.ExpiryFrom = r.Expires
	}
	if sometimes() {
		q.ExpiryBefore = pick(rng, records...).Expires
	}
	for sometimes() {
		w := store.Word{Text: pick(rng, "a", "É", "%", "_", "pla", "API", "é", "日", "-1", `\`, " ", "")}
		if sometimes() {
			w.Users = []string{r.User, "2"}
		}
		q.Words = append(q.Words, w)
	}
	for rng.IntN(2) == 0 {
		q.Order = append(q.Order, store.Order{
			Field: pick(rng, store.OrderFields()...),
			Desc:  rng.IntN(2) == 0,
		})
	}
	if rng.IntN(3) == 0 {
		after := pick(rng, records...)
		if sometimes() {
			after.PK[3]++ // a record that is not there
		}
		q.After = &after
	}
	if rng.IntN(3) == 0 {
		q.Offset = rng.IntN(12) - 1
	}
	if rng.IntN(2) == 0 {
		q.Limit = rng.IntN(30) - 1
	}
	return q
}

// model is what a store holds, by the rules and nothing else.
type model []store.Record

// step does one random thing to the store and to the model. Values come from
// small sets, so that most of them are taken.
func (m *model) step(s subject, rng *rand.Rand) {
	s.Helper()
	r := record(1000 + rng.IntN(5000))
	r.PK = record(rng.IntN(14)).PK
	r.Identifier = fmt.Sprint("name-", rng.IntN(12))
	r.Managed = pick(rng, "", "", "m-1", "m-2", "m-3")
	r.User = pick(rng, "1", "2", "é")
	r.Expiring = rng.IntN(2) == 0
	r.Digest, r.Retired = digest(rng.IntN(30)), pick(rng, store.Digest{}, digest(rng.IntN(30)))
	r.Earlier = nil
	for range rng.IntN(4) {
		r.Earlier = append(r.Earlier, store.EarlierKey{Digest: digest(rng.IntN(30)), Until: seconds(rng.IntN(9000))})
	}
	r.Version = 1 + rng.Int64N(2)
	i := slices.IndexFunc(*m, func(x store.Record) bool { return x.PK == r.PK })
	if i >= 0 && rng.IntN(4) > 0 {
		r.Version = (*m)[i].Version
	}

	switch rng.IntN(9) {
	case 0, 1, 2:
		limit := pick(rng, 0, 0, 3)
		err := s.Create(s.Context(), r, limit)
		own := slices.DeleteFunc(slices.Clone(*m), func(x store.Record) bool { return x.User != r.User })
		switch {
		case limit > 0 && len(own) >= limit:
			s.is("Create beyond its limit", err, store.ErrLimit)
		case m.agrees(s, "Create", err, m.collisions(r, -1)):
			*m = append(*m, r)
		}
	case 3, 4, 5:
		err := s.Update(s.Context(), r)
		if m.found(s, "Update", err, i, r.Version) && m.agrees(s, "Update", err, m.collisions(r, i)) {
			old := (*m)[i]
			r.Created, r.LastUsed, r.LastUsedFrom = old.Created, old.LastUsed, old.LastUsedFrom
			r.Version++
			(*m)[i] = r
		}
	case 6:
		err := s.Delete(s.Context(), r.PK, r.Version)
		if m.found(s, "Delete", err, i, r.Version) && m.agrees(s, "Delete", err, nil) {
			*m = slices.Delete(*m, i, i+1)
		}
	case 7:
		uses := make([]store.Use, rng.IntN(4))
		for n := range uses {
			// No two at the same time: the contract doesn't say which is later.
			uses[n] = store.Use{PK: record(rng.IntN(14)).PK, At: seconds(rng.IntN(9000)*4 + n), From: fmt.Sprint("host-", n)}
		}
		s.touch(uses...)
		for _, use := range uses {
			for i := range *m {
				if x := &(*m)[i]; x.PK == use.PK && use.At.After(x.LastUsed) {
					x.LastUsed, x.LastUsedFrom = use.At, use.From
				}
			}
		}
	case 8:
		q := store.Query{Users: []string{pick(rng, "1", "2", "é")}, Limit: 1 + rng.IntN(2), Order: []store.Order{{Field: store.FieldExpires, Desc: rng.IntN(2) == 0}}}
		want := s.selected(q, *m)
		s.agree("Purge("+describe(q)+")", s.purge(q), want)
		*m = slices.DeleteFunc(*m, func(r store.Record) bool {
			return slices.ContainsFunc(want, func(w store.Record) bool { return w.PK == r.PK })
		})
	}
	m.look(s, r.Identifier, r.Digest)
	if rng.IntN(20) == 0 {
		s.holds(*m...)
		if n := s.count(store.Query{}); n != len(*m) {
			s.Fatalf("Count is %d, want %d", n, len(*m))
		}
	}
}

// collisions returns the fields in which r collides with records other than the
// ith.
func (m model) collisions(r store.Record, i int) []store.Field {
	var fields []store.Field
	for j, x := range m {
		if j == i {
			continue
		}
		for _, field := range uniqueFields {
			if field.same(x, r) {
				fields = append(fields, field.name)
			}
		}
	}
	return fields
}

// found checks that err is what it must be if there is no ith record, or it has
// another version, and reports whether there is and has not.
func (m model) found(s subject, method string, err error, i int, version int64) bool {
	s.Helper()
	switch {
	case i < 0:
		s.is(method+" of a PK that no record has", err, store.ErrNotFound)
	case m[i].Version != version:
		s.is(fmt.Sprintf("%s at version %d of a record at %d", method, version, m[i].Version), err, store.ErrStale)
	default:
		return true
	}
	return false
}

// agrees checks that err is what it must be if these fields are taken, and
// reports whether there are none.
func (m model) agrees(s subject, method string, err error, taken []store.Field) bool {
	s.Helper()
	if len(taken) > 0 {
		s.taken(fmt.Sprintf("%s of a record of which these are taken: %q,", method, taken), err, taken...)
		return false
	}
	if err != nil {
		s.Fatalf("%s of a record that collides with nothing: %v", method, err)
	}
	return true
}

// look checks what the store finds by an identifier and by a digest.
func (m model) look(s subject, identifier string, d store.Digest) {
	s.Helper()
	got, err := s.Get(s.Context(), identifier)
	m.is(s, fmt.Sprintf("Get(%q)", identifier), got, err, func(r store.Record) bool { return r.Identifier == identifier })
	got, err = s.GetByDigest(s.Context(), d)
	match := func(r store.Record) bool { return r.Digest == d }
	if !slices.ContainsFunc(m, match) {
		match = func(r store.Record) bool { return r.Retired == d }
	}
	if !slices.ContainsFunc(m, match) {
		match = func(r store.Record) bool {
			return slices.ContainsFunc(r.Earlier, func(k store.EarlierKey) bool { return k.Digest == d })
		}
	}
	m.is(s, fmt.Sprintf("GetByDigest(%x…)", d[:4]), got, err, match)
}

// is checks that got is one of the records that match, or that err says that
// there is none.
func (m model) is(s subject, what string, got store.Record, err error, match func(store.Record) bool) {
	s.Helper()
	var wrong []string
	for _, r := range m {
		if match(r) {
			d := diff(got, r)
			if err == nil && d == "" {
				return
			}
			wrong = append(wrong, d)
		}
	}
	switch {
	case len(wrong) == 0 && !errors.Is(err, store.ErrNotFound):
		s.Fatalf("%s returns %s, %v; want ErrNotFound", what, name(got), err)
	case len(wrong) > 0 && err != nil:
		s.Fatalf("%s of a record that is there: %v", what, err)
	case len(wrong) > 0:
		s.Fatalf("%s: %s", what, strings.Join(wrong, ", or "))
	}
}
