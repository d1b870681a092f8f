package storetest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// onTouch returns a broken store that records a use in another way.
func onTouch(name, fails string, touch func(n *naive, r *store.Record, use store.Use)) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			return n.locked(ctx, func() error {
				for _, use := range uses {
					if r := n.find(use.PK); r != nil {
						touch(n, r, use)
					}
				}
				return nil
			})
		}}
	}}
}

// brokenTouches break a rule about uses.
var brokenTouches = []broken{
	onTouch("touch-backwards", "Touch/NotEarlier Touch/Twice", func(n *naive, r *store.Record, use store.Use) {
		r.LastUsed, r.LastUsedFrom = micro(use.At), use.From
	}),
	onTouch("touch-at-same-time", "Touch/NotEarlier", func(n *naive, r *store.Record, use store.Use) {
		if !use.At.Before(r.LastUsed) {
			r.LastUsed, r.LastUsedFrom = micro(use.At), use.From
		}
	}),
	onTouch("touch-raises-version", "Touch/From Touch/Later Touch/NotEarlier Touch/Twice Touch/Unknown Touch/Version", func(n *naive, r *store.Record, use store.Use) {
		n.touch([]store.Use{use})
		r.Version++
	}),
	onTouch("touch-keeps-from-if-empty", "Touch/From", func(n *naive, r *store.Record, use store.Use) {
		if use.From == "" {
			use.From = r.LastUsedFrom
		}
		n.touch([]store.Use{use})
	}),
	onTouch("touch-only-if-used-before", "Touch/Later", func(n *naive, r *store.Record, use store.Use) {
		if !r.LastUsed.IsZero() {
			n.touch([]store.Use{use})
		}
	}),
	onTouch("touch-in-seconds", "Times/Microseconds Touch/NotEarlier", func(n *naive, r *store.Record, use store.Use) {
		use.At = use.At.Truncate(time.Second)
		n.touch([]store.Use{use})
	}),
	{"touch-unknown-fails", "Touch/Unknown", func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			return n.locked(ctx, func() error {
				for _, use := range uses {
					if n.find(use.PK) == nil {
						return store.ErrNotFound
					}
				}
				n.touch(uses)
				return nil
			})
		}}
	}},
	{"touch-first-of-several", "Touch/Twice", func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			seen := map[store.PK]bool{}
			return n.Touch(ctx, slices.DeleteFunc(slices.Clone(uses), func(use store.Use) bool {
				defer func() { seen[use.PK] = true }()
				return seen[use.PK]
			}))
		}}
	}},
	{"touch-last-of-several", "Touch/Twice", func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			last := map[store.PK]store.Use{}
			for _, use := range uses {
				last[use.PK] = use
			}
			var some []store.Use
			for _, use := range last {
				some = append(some, use)
			}
			return n.Touch(ctx, some)
		}}
	}},
	{"touch-a-thousand-at-most", "Many/Uses", func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			return n.Touch(ctx, uses[:min(len(uses), 1000)])
		}}
	}},
	{"touch-nothing-fails", "Touch/Nothing", func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			if len(uses) == 0 {
				return errors.New("syntax error near )")
			}
			return n.Touch(ctx, uses)
		}}
	}},
}
