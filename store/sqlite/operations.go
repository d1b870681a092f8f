package sqlite

import (
	"context"

	"github.com/authtoken/authtoken/store"
)

// operations are the methods of [store.Store]. A runner runs them: on the store's own
// connections, on a pool, or in a transaction of the application.
type operations struct{ runner }

var (
	_ store.Store = (*Store)(nil)
	_ store.Store = (*Tx)(nil)
)

// A runner runs operations. It adds op, the name of the operation, to errors.
type runner interface {
	// point runs f, which reads a single record: too short to interrupt.
	point(ctx context.Context, op string, f func(ctx context.Context, rd *reader) error) error

	// read runs f, which reads.
	read(ctx context.Context, op string, f func(ctx context.Context, rd *reader) error) error

	// write runs f, which writes, as [writeFunc] says. ctx does not interrupt f: its
	// effect would be unknown, and other writes may share the transaction.
	write(ctx context.Context, op string, f func(ctx context.Context, w *writer, inTx bool) error) error
}

// Create implements [store.Store].
func (o operations) Create(ctx context.Context, r store.Record, limit int) error {
	return o.write(ctx, "create token", func(ctx context.Context, w *writer, inTx bool) error {
		return w.create(ctx, inTx, &r, limit)
	})
}

// Get implements [store.Store].
func (o operations) Get(ctx context.Context, identifier string) (r store.Record, err error) {
	err = o.point(ctx, "get token", func(ctx context.Context, rd *reader) error { return rd.get(ctx, identifier, &r) })
	return r, err
}

// GetByDigest implements [store.Store].
func (o operations) GetByDigest(ctx context.Context, digest store.Digest) (r store.Record, err error) {
	err = o.point(ctx, "get token by digest", func(ctx context.Context, rd *reader) error { return rd.getByDigest(ctx, digest, &r) })
	return r, err
}

// Update implements [store.Store].
func (o operations) Update(ctx context.Context, r store.Record) error {
	return o.write(ctx, "update token", func(ctx context.Context, w *writer, inTx bool) error { return w.update(ctx, inTx, &r) })
}

// Delete implements [store.Store].
func (o operations) Delete(ctx context.Context, pk store.PK, version int64) error {
	return o.write(ctx, "delete token", func(ctx context.Context, w *writer, inTx bool) error {
		return w.delete(ctx, inTx, &pk, version)
	})
}

// List implements [store.Store].
func (o operations) List(ctx context.Context, q store.Query) (records []store.Record, err error) {
	err = o.read(ctx, "list tokens", func(ctx context.Context, rd *reader) (err error) {
		records, err = list(ctx, rd.lists, rd.prefix, &q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Count implements [store.Store].
func (o operations) Count(ctx context.Context, q store.Query) (n int, err error) {
	err = o.read(ctx, "count tokens", func(ctx context.Context, rd *reader) (err error) {
		n, err = count(ctx, rd.lists, rd.prefix, &q)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Purge implements [store.Store].
func (o operations) Purge(ctx context.Context, q store.Query) (purged []store.Record, err error) {
	err = o.write(ctx, "purge tokens", func(ctx context.Context, w *writer, inTx bool) (err error) {
		purged, err = w.purge(ctx, inTx, &q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return purged, nil
}

// Touch implements [store.Store].
func (o operations) Touch(ctx context.Context, uses []store.Use) error {
	return o.write(ctx, "touch tokens", func(ctx context.Context, w *writer, inTx bool) error { return w.touch(ctx, inTx, uses) })
}
