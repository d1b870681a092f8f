package storetest

import (
	"fmt"
	"strings"

	"github.com/authtoken/authtoken/store"
)

const goodFor = "Scopes, Networks and State are what the key is good for. They come back exactly as they went in. " +
	"A store that loses one returns its zero value, with which the service refuses the key."

// bounded returns records with all kinds of limits, the zero ones among them.
func bounded() []store.Record {
	var rs []store.Record
	for _, text := range []string{"", "*", "a", "a b c", " ", strings.Repeat("notes:read-and-write ", 150)} {
		for _, state := range []store.State{0, store.StateActive, store.StateSuspended, store.StateLocked, 127, -128} {
			r := bare(len(rs)+1, fmt.Sprintf("limited-%02d", len(rs)))
			r.Scopes, r.Networks, r.State, r.Metadata = text, text, state, text
			r.Via = store.PK{15: byte(len(rs))}
			rs = append(rs, r)
		}
	}
	return rs
}

var boundsCases = []testCase{
	{"Created", goodFor, func(s subject) {
		s.create(bounded()...)
		s.holds(bounded()...)
		for _, r := range bounded() {
			s.same("Get", s.get(r.Identifier), r)
			s.same("GetByDigest", s.getByDigest(r.Digest), r)
		}
	}},
	{"CreatedWithin", goodFor, func(s subject) {
		for _, r := range bounded() {
			if err := s.Create(s.Context(), r, 1000); err != nil {
				s.Fatalf("Create(%s) within a limit: %v", name(r), err)
			}
		}
		s.holds(bounded()...)
	}},
	{"Updated", goodFor, func(s subject) {
		// Nothing else changes, as when a token is suspended or its scopes are.
		r := record(1)
		s.create(r)
		for _, l := range bounded() {
			r.Scopes, r.Networks, r.State, r.Metadata, r.Via = l.Scopes, l.Networks, l.State, l.Metadata, l.Via
			r = s.update(r)
			s.same("Get", s.get(r.Identifier), r)
			s.same("GetByDigest", s.getByDigest(r.Digest), r)
		}
		s.holds(r)
	}},
	{"UpdatedWithTheKey", goodFor, func(s subject) {
		r := record(1)
		s.create(r)
		for i, l := range bounded() {
			r.Scopes, r.Networks, r.State, r.Metadata, r.Via = l.Scopes, l.Networks, l.State, l.Metadata, l.Via
			r.Earlier, r.Retired, r.Digest = append(r.Earlier, store.EarlierKey{Digest: r.Retired, Until: seconds(i)}), r.Digest, digest(5000+i)
			r = s.update(r)
			s.same("GetByDigest", s.getByDigest(r.Digest), r)
			s.same("GetByDigest of the retired key", s.getByDigest(r.Retired), r)
		}
	}},
	{"Touched", goodFor, func(s subject) {
		s.create(bounded()...)
		var want []store.Record
		for _, r := range bounded() {
			r.LastUsed, r.LastUsedFrom = seconds(9000), "192.0.2.7"
			s.touch(store.Use{PK: r.PK, At: r.LastUsed, From: r.LastUsedFrom})
			want = append(want, r)
		}
		s.holds(want...)
	}},
	{"Purged", goodFor, func(s subject) {
		s.create(bounded()...)
		for i, r := range s.purge(store.Query{}) {
			s.same("Purge", r, bounded()[i])
		}
	}},
}
