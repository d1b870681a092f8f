package storetest_test

import (
	"context"
	"errors"
	"strings"

	"github.com/authtoken/authtoken/store"
)

// onLimit returns a broken store that holds another limit, or in another way,
// under the lock.
func onLimit(name, fails string, create func(n *naive, r store.Record, limit int) error) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) error {
			return n.locked(ctx, func() error { return create(n, r, limit) })
		}}
	}}
}

// brokenLimits break a rule about how many records an owner may have.
var brokenLimits = []broken{
	onLimit("limit-ignored", "Limit/AmongOthers Limit/AsTheyAre Limit/AtOnce Limit/First Limit/Negative Limit/None Limit/OfTheOwner Limit/UpTo Limit/Whatever", func(n *naive, r store.Record, _ int) error {
		return n.slice.create(r, 0)
	}),
	onLimit("limit-is-without-the-new-one", "Limit/AmongOthers Limit/AsTheyAre Limit/AtOnce Limit/First Limit/OfTheOwner Limit/UpTo Limit/Whatever Limit/None?", func(n *naive, r store.Record, limit int) error {
		if limit > 0 {
			limit++
		}
		return n.slice.create(r, limit)
	}),
	onLimit("limit-one-short", "Limit/AmongOthers Limit/AsTheyAre Limit/AtOnce Limit/First Limit/OfTheOwner Limit/UpTo", func(n *naive, r store.Record, limit int) error {
		if limit > 0 {
			limit--
			if limit == 0 {
				limit = -1
			}
		}
		return n.slice.create(r, limit)
	}),
	onLimit("limit-of-all-owners", "Limit/AtOnce Limit/OfTheOwner Limit/AsTheyAre", func(n *naive, r store.Record, limit int) error {
		if limit != 0 && len(n.slice) >= limit {
			return store.ErrLimit
		}
		return n.slice.create(r, 0)
	}),
	onLimit("limit-of-owners-without-case", "Limit/OfTheOwner", func(n *naive, r store.Record, limit int) error {
		own := 0
		for _, x := range n.slice {
			if strings.EqualFold(x.User, r.User) {
				own++
			}
		}
		if limit != 0 && own >= limit {
			return store.ErrLimit
		}
		return n.slice.create(r, 0)
	}),
	onLimit("negative-limit-is-none", "Limit/Negative", func(n *naive, r store.Record, limit int) error {
		return n.slice.create(r, max(limit, 0))
	}),
	onLimit("limit-of-the-intent", "Limit/Whatever", func(n *naive, r store.Record, limit int) error {
		own := n.slice.count(store.Query{Users: []string{r.User}, Intents: []string{r.Intent}})
		if limit != 0 && own >= limit {
			return store.ErrLimit
		}
		return n.slice.create(r, 0)
	}),
	onLimit("zero-limit-admits-none", "Limit/AsTheyAre Limit/First Limit/None Limit/Whatever", func(n *naive, r store.Record, limit int) error {
		if limit == 0 && len(n.slice) > 0 {
			limit = -1
		}
		return n.slice.create(r, limit)
	}),
	onLimit("taken-before-limit", "Limit/First", func(n *naive, r store.Record, limit int) error {
		if n.find(r.PK) != nil {
			return taken(store.FieldPK)
		}
		if err := n.taken(r); err != nil {
			return err
		}
		return n.slice.create(r, limit)
	}),
	onLimit("limit-reached-and-created", "Errors/FailedCreate", func(n *naive, r store.Record, limit int) error {
		err := n.slice.create(r, limit)
		if errors.Is(err, store.ErrLimit) {
			_ = n.slice.create(r, 0)
		}
		return err
	}),
	onLimit("limit-as-taken", "Errors/FailedCreate Errors/Limit", func(n *naive, r store.Record, limit int) error {
		err := n.slice.create(r, limit)
		if errors.Is(err, store.ErrLimit) {
			return taken(store.FieldIdentifier)
		}
		return err
	}),
	{"limit-counted-once", "Limit/AmongOthers Limit/AsTheyAre Limit/AtOnce", func(n *naive) patch {
		made := map[string]int{}
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) error {
			return n.locked(ctx, func() error {
				if limit != 0 && made[r.User] >= limit {
					return store.ErrLimit
				}
				err := n.slice.create(r, 0)
				if err == nil {
					made[r.User]++
				}
				return err
			})
		}}
	}},
	{"limit-looked-at-before", "Limit/AtOnce Limit/AmongOthers?", func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			n.stepwise(func() {
				if limit != 0 && n.slice.count(store.Query{Users: []string{r.User}}) >= limit {
					err = store.ErrLimit
				}
			}, others, others, others, func() {
				if err == nil {
					err = n.slice.create(r, 0)
				}
			})
			return err
		}}
	}},
}
