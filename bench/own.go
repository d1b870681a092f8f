package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"sync"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	memorystore "github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// service is this library, as an application calls it.
type service struct {
	*authtoken.Service
	closeStore func() error
}

func openOwn(dir string) (keeper, error)       { return openService(dir, sqlite.Full) }
func openOwnNormal(dir string) (keeper, error) { return openService(dir, sqlite.Normal) }

func openService(dir string, synchronous sqlite.Synchronous) (keeper, error) {
	st, err := sqlite.Open(context.Background(), filepath.Join(dir, "tokens.db"), sqlite.Config{Synchronous: synchronous})
	if err != nil {
		return nil, err
	}
	return newService(st, st.Close)
}

func openOwnMemory(string) (keeper, error) {
	return newService(memorystore.New(), func() error { return nil })
}

func newService(st store.Store, closeStore func() error) (keeper, error) {
	svc, err := authtoken.New(st, authtoken.Config{})
	return service{svc, closeStore}, err
}

func (s service) create(ctx context.Context, name, user string) (string, error) {
	_, key, err := s.Create(ctx, authtoken.CreateParams{Identifier: name, User: user, Description: "made by the benchmark"})
	return key.Reveal(), err
}

func (s service) update(ctx context.Context, t token, description string) error {
	_, err := s.Update(ctx, t.name, authtoken.UpdateParams{Description: &description})
	return err
}

func (s service) lookUp(ctx context.Context, secret string) error {
	_, err := s.Authenticate(ctx, secret, authtoken.IntentAPI)
	return err
}

func (s service) close() error { return s.closeStore() }

// digests is the least that checking a secret can cost if the secret itself is
// not kept.
type digests struct {
	mu      sync.RWMutex
	records map[[32]byte]*store.Record
}

func openDigestMap(string) (keeper, error) {
	return &digests{records: make(map[[32]byte]*store.Record)}, nil
}

var errNotFound = errors.New("not found")

func (d *digests) create(_ context.Context, name, user string) (string, error) {
	secret := newSecret()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records[sha256.Sum256([]byte(secret))] = &store.Record{Identifier: name, User: user}
	return secret, nil
}

func (d *digests) update(context.Context, token, string) error { return errors.ErrUnsupported }

func (d *digests) lookUp(_ context.Context, secret string) error {
	digest := sha256.Sum256([]byte(secret))
	d.mu.RLock()
	r := d.records[digest]
	d.mu.RUnlock()
	if r == nil {
		return errNotFound
	}
	return nil
}

func (d *digests) close() error { return nil }
