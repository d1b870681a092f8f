package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/authtoken/authtoken/store"
)

// onCreate returns a broken store that changes the records it creates.
func onCreate(name, fails string, change func(*store.Record)) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) error {
			change(&r)
			return n.Create(ctx, r, limit)
		}}
	}}
}

// onUpdate returns a broken store that updates in another way, under the lock.
func onUpdate(name, fails string, update func(n *naive, r store.Record) error) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, update: func(ctx context.Context, r store.Record) error {
			return n.locked(ctx, func() error { return update(n, r) })
		}}
	}}
}

// onWrites returns a broken store that refuses records for a reason of its own.
func onWrites(name, fails string, refuse func(n *naive, r store.Record) error) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n,
			create: func(ctx context.Context, r store.Record, limit int) error {
				return n.locked(ctx, func() error { return unless(refuse(n, r), within(n, limit), r) })
			},
			update: func(ctx context.Context, r store.Record) error {
				return n.locked(ctx, func() error {
					if _, err := n.current(r.PK, r.Version); err != nil {
						return err
					}
					return unless(refuse(n, r), n.slice.update, r)
				})
			},
		}
	}}
}

// within returns the naive store's way to create a record within a limit.
func within(n *naive, limit int) func(store.Record) error {
	return func(r store.Record) error { return n.slice.create(r, limit) }
}

// unless writes r, unless there is an error already.
func unless(err error, write func(store.Record) error, r store.Record) error {
	if err != nil {
		return err
	}
	return write(r)
}

// onErrors returns a broken store whose writes return other errors.
func onErrors(name, fails string, change func(error) error) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n,
			create: func(ctx context.Context, r store.Record, limit int) error { return change(n.Create(ctx, r, limit)) },
			update: func(ctx context.Context, r store.Record) error { return change(n.Update(ctx, r)) },
			delete: func(ctx context.Context, pk store.PK, v int64) error { return change(n.Delete(ctx, pk, v)) },
		}
	}}
}

// other returns a record other than r for which match is true, or nil.
func (s *slice) other(r store.Record, match func(store.Record) bool) *store.Record {
	if i := slices.IndexFunc(*s, func(x store.Record) bool { return x.PK != r.PK && match(x) }); i >= 0 {
		return &(*s)[i]
	}
	return nil
}

func taken(field store.Field) error { return &store.TakenError{Field: field} }

// brokenWrites break a rule about what is kept.
var brokenWrites = []broken{
	onWrites("identifiers-without-case", "Uniqueness/IdentifierBytes", func(n *naive, r store.Record) error {
		if n.other(r, func(x store.Record) bool { return strings.EqualFold(x.Identifier, r.Identifier) }) != nil {
			return taken(store.FieldIdentifier)
		}
		return nil
	}),
	onWrites("managed-without-case", "Uniqueness/ManagedBytes", func(n *naive, r store.Record) error {
		if r.Managed != "" && n.other(r, func(x store.Record) bool { return strings.EqualFold(x.Managed, r.Managed) }) != nil {
			return taken(store.FieldManaged)
		}
		return nil
	}),
	onWrites("identifiers-padded", "Uniqueness/IdentifierBytes", func(n *naive, r store.Record) error {
		if n.other(r, func(x store.Record) bool {
			return strings.TrimRight(x.Identifier, " ") == strings.TrimRight(r.Identifier, " ")
		}) != nil {
			return taken(store.FieldIdentifier)
		}
		return nil
	}),
	onWrites("empty-managed-unique", "Uniqueness/DigestBytes Uniqueness/EmptyManaged Uniqueness/IdentifierBytes Uniqueness/PKBytes", func(n *naive, r store.Record) error {
		if n.other(r, func(x store.Record) bool { return x.Managed == r.Managed }) != nil {
			return taken(store.FieldManaged)
		}
		return nil
	}),
	onWrites("retired-unique", "GetByDigest/CurrentFirst GetByDigest/RetiredTwice Uniqueness/Retired", func(n *naive, r store.Record) error {
		if r.Retired != (store.Digest{}) && n.other(r, func(x store.Record) bool { return x.Retired == r.Retired }) != nil {
			return taken(store.FieldDigest)
		}
		return nil
	}),
	onWrites("digest-unlike-retired", "GetByDigest/CurrentFirst Uniqueness/Retired", func(n *naive, r store.Record) error {
		if n.other(r, func(x store.Record) bool { return x.Retired == r.Digest || x.Digest == r.Retired }) != nil {
			return taken(store.FieldDigest)
		}
		return nil
	}),
	onUpdate("collides-with-itself", "Uniqueness/DigestOnUpdate Uniqueness/IdentifierOnUpdate Uniqueness/Retired Uniqueness/Self", func(n *naive, r store.Record) error {
		if x, err := n.current(r.PK, r.Version); err == nil && x.Managed == r.Managed && r.Managed != "" {
			return taken(store.FieldManaged)
		}
		return n.slice.update(r)
	}),
	withoutUnique("managed-not-unique", "Uniqueness/ManagedOnCreate Uniqueness/ManagedOnUpdate", func(r *store.Record) { r.Managed = "" }, func(r *store.Record, v store.Record) { r.Managed = v.Managed }),
	withoutUnique("digest-not-unique", "Uniqueness/DigestOnCreate Uniqueness/DigestOnUpdate", func(r *store.Record) { r.Digest = store.Digest(bytes.Repeat(r.PK[:], 2)) }, func(r *store.Record, v store.Record) { r.Digest = v.Digest }),
	withoutUnique("identifier-not-unique", "Uniqueness/IdentifierOnCreate Uniqueness/IdentifierOnUpdate", func(r *store.Record) { r.Identifier = "\x00" + string(r.PK[:]) }, func(r *store.Record, v store.Record) { r.Identifier = v.Identifier }),
	{"pk-not-unique", "Create/TakenTwice Uniqueness/PKOnCreate", func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) error {
			return n.locked(ctx, func() error {
				if n.find(r.PK) == nil {
					return n.slice.create(r, limit)
				}
				if err := n.taken(r); err != nil {
					return err
				}
				n.slice = append(n.slice, clone(r))
				return nil
			})
		}}
	}},

	onErrors("taken-without-field", "Create/TakenTwice Errors/Taken", func(err error) error {
		if errors.Is(err, store.ErrTaken) {
			return store.ErrTaken
		}
		return err
	}),
	onErrors("taken-with-wrong-field", "Uniqueness/DigestOnCreate Uniqueness/DigestOnUpdate Uniqueness/ManagedOnCreate Uniqueness/ManagedOnUpdate Uniqueness/PKOnCreate", func(err error) error {
		if errors.Is(err, store.ErrTaken) {
			return taken(store.FieldIdentifier)
		}
		return err
	}),
	onErrors("stale-as-not-found", "Delete/Version Errors/FailedDelete Errors/FailedUpdate Errors/Stale Update/StaleAndTaken Update/Version", func(err error) error {
		if errors.Is(err, store.ErrStale) {
			return store.ErrNotFound
		}
		return err
	}),
	onErrors("not-found-as-nil", "Delete/Twice Errors/FailedUpdate Errors/NotFound Update/Missing", func(err error) error {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}),
	onErrors("texts-for-errors", "Errors/FailedCreate Errors/FailedDelete Errors/FailedUpdate Errors/Limit Errors/NotFound Errors/Stale Errors/Taken", func(err error) error {
		if err != nil {
			return errors.New(err.Error())
		}
		return nil
	}),

	{"create-half-done", "Errors/FailedCreate", func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) error {
			return n.locked(ctx, func() error {
				err := n.slice.create(r, limit)
				if n.other(r, func(x store.Record) bool { return x.Digest == r.Digest }) != nil {
					n.slice = append(n.slice, clone(r))
				}
				return err
			})
		}}
	}},
	onUpdate("update-half-done", "Errors/FailedUpdate", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if x := n.find(r.PK); errors.Is(err, store.ErrTaken) {
			x.Description = r.Description
		}
		return err
	}),
	onUpdate("stale-update-raises-version", "Errors/FailedUpdate Update/Version", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if errors.Is(err, store.ErrStale) {
			n.find(r.PK).Version++
		}
		return err
	}),
	onUpdate("update-creates", "Errors/FailedUpdate Errors/NotFound Update/Missing", func(n *naive, r store.Record) error {
		if n.find(r.PK) == nil && n.taken(r) == nil {
			n.slice = append(n.slice, clone(r))
			return nil
		}
		return n.slice.update(r)
	}),
	onUpdate("taken-before-stale", "Update/StaleAndTaken", func(n *naive, r store.Record) error {
		if err := n.taken(r); err != nil && n.find(r.PK) != nil {
			return err
		}
		return n.slice.update(r)
	}),
	onUpdate("taken-before-not-found", "Update/Missing", func(n *naive, r store.Record) error {
		if err := n.taken(r); err != nil && n.find(r.PK) == nil {
			return err
		}
		return n.slice.update(r)
	}),
	onUpdate("version-ignored", "Errors/FailedUpdate Errors/Stale Update/StaleAndTaken Update/Version", func(n *naive, r store.Record) error {
		if x := n.find(r.PK); x != nil {
			r.Version = x.Version
		}
		return n.slice.update(r)
	}),
	onUpdate("older-versions-only", "Errors/FailedUpdate Update/Version", func(n *naive, r store.Record) error {
		if x := n.find(r.PK); x != nil && r.Version > x.Version {
			r.Version = x.Version
		}
		return n.slice.update(r)
	}),
	onUpdate("version-unchanged", "Update/EmptiesFields Update/EveryField Update/KeepsLastUsed Update/Others Update/Version", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if err == nil {
			n.find(r.PK).Version--
		}
		return err
	}),
	onUpdate("version-raised-twice", "Update/EmptiesFields Update/EveryField Update/KeepsLastUsed Update/Others Update/Version", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if err == nil {
			n.find(r.PK).Version++
		}
		return err
	}),
	onUpdate("update-writes-last-used", "Update/EmptiesFields Update/EveryField Update/KeepsLastUsed", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if x := n.find(r.PK); err == nil {
			x.LastUsed, x.LastUsedFrom = micro(r.LastUsed), r.LastUsedFrom
		}
		return err
	}),
	onUpdate("update-writes-later-last-used", "Update/KeepsLastUsed", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if x := n.find(r.PK); err == nil && r.LastUsed.After(x.LastUsed) {
			x.LastUsed, x.LastUsedFrom = micro(r.LastUsed), r.LastUsedFrom
		}
		return err
	}),
	onUpdate("update-writes-created", "Update/EveryField Update/KeepsCreated", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if err == nil {
			n.find(r.PK).Created = micro(r.Created)
		}
		return err
	}),
	onUpdate("update-keeps-what-is-empty", "Update/EmptiesFields", func(n *naive, r store.Record) error {
		if x := n.find(r.PK); x != nil && r.Description == "" {
			r.Description = x.Description
		}
		return n.slice.update(r)
	}),
	onUpdate("update-forgets-retired", "GetByDigest/Rotated Update/EveryField Update/KeepsLastUsed Update/Others", func(n *naive, r store.Record) error {
		r.Retired = store.Digest{}
		return n.slice.update(r)
	}),

	onCreate("create-sets-version", "Create/AsItIs Create/ExpiryOfTheImmortal Create/Numbers Create/Sealed", func(r *store.Record) { r.Version = 1 }),
	onCreate("create-drops-last-used", "Create/AsItIs Create/ExpiryOfTheImmortal Create/Numbers Create/Sealed", func(r *store.Record) { r.LastUsed, r.LastUsedFrom = time.Time{}, "" }),
	onCreate("create-drops-expiry-of-the-immortal", "Create/ExpiryOfTheImmortal", func(r *store.Record) {
		if !r.Expiring {
			r.Expires = time.Time{}
		}
	}),
	onCreate("versions-as-floats", "Create/Numbers", func(r *store.Record) { r.Version = int64(float64(r.Version) / 2 * 2) }),
	onCreate("sealed-as-text", "Create/AsItIs Create/ExpiryOfTheImmortal Create/Numbers Create/Sealed", func(r *store.Record) { r.Sealed = bytes.ToValidUTF8(r.Sealed, []byte("?")) }),
	onCreate("text-trimmed", "Text/Anything Text/Long", func(r *store.Record) { r.Description = strings.TrimSpace(r.Description) }),
	onCreate("text-cut", "Text/Long", func(r *store.Record) { r.Description = r.Description[:min(len(r.Description), 4096)] }),
	onCreate("text-without-emoji", "Text/Anything", func(r *store.Record) {
		r.Description = strings.Map(func(c rune) rune {
			if c > 0xffff {
				return '?'
			}
			return c
		}, r.Description)
	}),
	onCreate("milliseconds", "Times/Microseconds Times/Nanoseconds Times/Years", func(r *store.Record) { r.Created = r.Created.Truncate(time.Millisecond) }),
	onCreate("rounds-up", "Times/Nanoseconds", func(r *store.Record) { r.Created = r.Created.Round(time.Microsecond) }),
	onCreate("nanoseconds-in-64-bits", "Times/Years", func(r *store.Record) {
		if !r.Expires.IsZero() {
			r.Expires = time.Unix(0, r.Expires.UnixNano())
		}
	}),
	onCreate("unix-epoch-for-none", "Times/None", func(r *store.Record) {
		if r.RetiredUntil.IsZero() {
			r.RetiredUntil = time.Unix(0, 0)
		}
	}),

	{"delete-ignores-version", "Delete/Version Errors/FailedDelete Errors/Stale", func(n *naive) patch {
		return patch{naive: n, delete: func(ctx context.Context, pk store.PK, _ int64) error {
			return n.locked(ctx, func() error {
				if n.find(pk) == nil {
					return store.ErrNotFound
				}
				n.remove(pk)
				return nil
			})
		}}
	}},
	{"delete-leaves-identifier", "Uniqueness/FreedByDelete", func(n *naive) patch {
		gone := map[string]bool{}
		return patch{naive: n,
			delete: func(ctx context.Context, pk store.PK, v int64) error {
				return n.locked(ctx, func() error {
					if x := n.find(pk); x != nil && x.Version == v {
						gone[x.Identifier] = true
					}
					return n.slice.delete(pk, v)
				})
			},
			create: func(ctx context.Context, r store.Record, limit int) error {
				return n.locked(ctx, func() error {
					if gone[r.Identifier] {
						return taken(store.FieldIdentifier)
					}
					return n.slice.create(r, limit)
				})
			},
		}
	}},
}

// withoutUnique returns a broken store that writes records with a field blanked
// out and then puts it in, so that nothing sees whether it is taken.
func withoutUnique(name, fails string, blank func(*store.Record), set func(r *store.Record, from store.Record)) broken {
	write := func(n *naive, r store.Record, write func(store.Record) error) error {
		before := slices.Clone(n.slice)
		for i := range n.slice {
			blank(&n.slice[i])
		}
		b := r
		blank(&b)
		err := write(b)
		for i := range n.slice {
			for _, x := range before {
				if x.PK == n.slice[i].PK {
					set(&n.slice[i], x)
				}
			}
			if err == nil && n.slice[i].PK == r.PK {
				set(&n.slice[i], r)
			}
		}
		return err
	}
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n,
			create: func(ctx context.Context, r store.Record, limit int) error {
				return n.locked(ctx, func() error { return write(n, r, within(n, limit)) })
			},
			update: func(ctx context.Context, r store.Record) error {
				return n.locked(ctx, func() error { return write(n, r, n.slice.update) })
			},
		}
	}}
}
