package sqlite

import (
	"context"

	"github.com/authtoken/authtoken/store"
)

// operations are the methods of [store.Store], over whatever runs them: the store on its
// own connections or on those of a pool, or a transaction of the application's.
type operations struct{ runner }

var (
	_ store.Store = (*Store)(nil)
	_ store.Store = (*Tx)(nil)
)

// A runner is where operations are run. They get an error by the name of op.
type runner interface {
	// point has f read a single record, which takes no time worth interrupting.
	point(ctx context.Context, op string, f func(ctx context.Context, rd *reader) error) error

	// read has f read.
	read(ctx context.Context, op string, f func(ctx context.Context, rd *reader) error) error

	// write has f write, as [writeFunc] says. Once begun, f is not for ctx to
	// interrupt, or nobody could say whether it took effect, and others may be in the
	// transaction.
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
