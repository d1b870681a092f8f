// Package customstore is a store to learn from. It keeps a handful of tokens in a JSON
// file, which is enough for a small tool. It is short for two reasons: every write
// makes a new list and then replaces the old one, and package store searches and sorts.
package customstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Store is a [store.Store] in a file that one process uses at a time.
type Store struct {
	path    string
	mu      sync.Mutex
	records []store.Record
}

var _ store.Store = (*Store)(nil)

// Open reads the file at path. If there is none, the first write makes it.
func Open(path string) (*Store, error) {
	s := &Store{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.records)
	}
	return s, err
}

// write lets f change a copy of the records. It keeps the copy once that is in the file.
func (s *Store) write(ctx context.Context, f func(records []store.Record) ([]store.Record, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	records, err := f(slices.Clone(s.records))
	if err != nil {
		return err
	}
	for i := range records {
		r := &records[i]
		for _, t := range []*time.Time{&r.Expires, &r.RetiredUntil, &r.Created, &r.LastUsed} {
			*t = t.UTC()
		}
		for j := range r.Earlier {
			r.Earlier[j].Until = r.Earlier[j].Until.UTC()
		}
	}
	b, err := json.Marshal(records)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path+".new", b, 0o600); err != nil {
		return err
	}
	if err := os.Rename(s.path+".new", s.path); err != nil {
		return err
	}
	s.records = records
	return nil
}

// List and Count leave everything to Query.Select.
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	records, err := q.Select(ctx, slices.Clone(s.records))
	for i := range records {
		records[i] = clone(records[i]) // what the caller gets is the caller's
	}
	return records, err
}

func (s *Store) Count(ctx context.Context, q store.Query) (int, error) {
	q.Order, q.After, q.Offset, q.Limit = nil, nil, 0, 0
	records, err := s.List(ctx, q)
	return len(records), err
}

// clone returns r with slices of its own.
func clone(r store.Record) store.Record {
	r.Sealed, r.Earlier = bytes.Clone(r.Sealed), slices.Clone(r.Earlier)
	return r
}

// Get and GetByDigest look at one record after the other.
func (s *Store) Get(ctx context.Context, identifier string) (store.Record, error) {
	return s.find(ctx, func(r store.Record) bool { return r.Identifier == identifier })
}

func (s *Store) GetByDigest(ctx context.Context, digest store.Digest) (store.Record, error) {
	none := digest == store.Digest{}
	return s.find(ctx,
		func(r store.Record) bool { return !none && r.Digest == digest },
		func(r store.Record) bool { return !none && r.Retired == digest },
		func(r store.Record) bool {
			return !none && slices.ContainsFunc(r.Earlier, func(k store.EarlierKey) bool { return k.Digest == digest })
		})
}

// find tries the conditions in order, and returns the first record that fits one.
func (s *Store) find(ctx context.Context, conditions ...func(store.Record) bool) (store.Record, error) {
	records, err := s.List(ctx, store.Query{})
	if err != nil {
		return store.Record{}, err
	}
	for _, condition := range conditions {
		if i := slices.IndexFunc(records, condition); i >= 0 {
			return records[i], nil
		}
	}
	return store.Record{}, store.ErrNotFound
}

func (s *Store) Create(ctx context.Context, r store.Record, limit int) error {
	r = clone(r)
	return s.write(ctx, func(records []store.Record) ([]store.Record, error) {
		owned := 0
		for i := range records {
			if records[i].User == r.User {
				owned++
			}
		}
		if limit != 0 && owned >= limit {
			return nil, store.ErrLimit
		}
		return append(records, r), taken(records, &r)
	})
}

func (s *Store) Update(ctx context.Context, r store.Record) error {
	r = clone(r)
	return s.write(ctx, func(records []store.Record) ([]store.Record, error) {
		i, err := current(records, r.PK, r.Version)
		if err != nil {
			return nil, err
		}
		old := records[i]
		r.Created, r.LastUsed, r.LastUsedFrom, r.Version = old.Created, old.LastUsed, old.LastUsedFrom, old.Version+1
		records = slices.Delete(records, i, i+1)
		return append(records, r), taken(records, &r)
	})
}

func (s *Store) Delete(ctx context.Context, pk store.PK, version int64) error {
	return s.write(ctx, func(records []store.Record) ([]store.Record, error) {
		i, err := current(records, pk, version)
		if err != nil {
			return nil, err
		}
		return slices.Delete(records, i, i+1), nil
	})
}

func (s *Store) Purge(ctx context.Context, q store.Query) (purged []store.Record, err error) {
	err = s.write(ctx, func(records []store.Record) ([]store.Record, error) {
		purged, err = q.Select(ctx, slices.Clone(records))
		return slices.DeleteFunc(records, func(r store.Record) bool {
			return slices.ContainsFunc(purged, func(p store.Record) bool { return p.PK == r.PK })
		}), err
	})
	if err != nil {
		return nil, err
	}
	return purged, nil
}

func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	return s.write(ctx, func(records []store.Record) ([]store.Record, error) {
		for _, use := range uses {
			i := slices.IndexFunc(records, func(r store.Record) bool { return r.PK == use.PK })
			if i >= 0 && use.At.After(records[i].LastUsed) {
				records[i].LastUsed, records[i].LastUsedFrom = use.At, use.From
			}
		}
		return records, nil
	})
}

// current finds the record that has this PK if it has this version too.
func current(records []store.Record, pk store.PK, version int64) (int, error) {
	i := slices.IndexFunc(records, func(r store.Record) bool { return r.PK == pk })
	switch {
	case i < 0:
		return 0, store.ErrNotFound
	case records[i].Version != version:
		return 0, store.ErrStale
	}
	return i, nil
}

// taken returns a TakenError if one of records has a value of r already.
func taken(records []store.Record, r *store.Record) error {
	for _, o := range records {
		switch {
		case o.PK == r.PK:
			return &store.TakenError{Field: store.FieldPK}
		case o.Identifier == r.Identifier:
			return &store.TakenError{Field: store.FieldIdentifier}
		case o.Digest == r.Digest:
			return &store.TakenError{Field: store.FieldDigest}
		case o.Managed == r.Managed && r.Managed != "":
			return &store.TakenError{Field: store.FieldManaged}
		}
	}
	return nil
}
