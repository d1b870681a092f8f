package storetest_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/authtoken/authtoken/store"
)

// onList returns a broken store that changes queries before it lists.
func onList(name, fails string, change func(*store.Query)) broken {
	return listing(name, fails, func(s slice, q store.Query) []store.Record {
		change(&q)
		return s.list(q)
	})
}

// listing returns a broken store that lists in another way.
func listing(name, fails string, list func(s slice, q store.Query) []store.Record) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, list: func(ctx context.Context, q store.Query) (rs []store.Record, err error) {
			err = n.locked(ctx, func() error {
				rs = list(n.slice, q)
				return nil
			})
			return rs, err
		}}
	}}
}

// seeing returns a broken store that lists as if its records were others.
func seeing(name, fails string, change func(q *store.Query, r *store.Record)) broken {
	return listing(name, fails, func(s slice, q store.Query) []store.Record {
		var changed []store.Record
		for _, r := range s {
			change(&q, &r)
			changed = append(changed, r)
		}
		if q.After != nil {
			after := *q.After
			change(&q, &after)
			q.After = &after
		}
		rs := pick(q, changed)
		for i := range rs {
			rs[i] = clone(*s.find(rs[i].PK))
		}
		if len(q.Order) == 0 {
			pick(store.Query{}, rs) // by what identifiers really are
		}
		return rs
	})
}

// sorting returns a broken store that sorts in another order.
func sorting(name, fails string, compare func(q *store.Query, a, b *store.Record) int) broken {
	return listing(name, fails, func(s slice, q store.Query) []store.Record {
		filter, page := q, store.Query{Offset: q.Offset, Limit: q.Limit}
		filter.After, filter.Offset, filter.Limit = nil, 0, 0
		rs := s.list(filter)
		slices.SortStableFunc(rs, func(a, b store.Record) int { return compare(&q, &a, &b) })
		if q.After != nil {
			rs = slices.DeleteFunc(rs, func(r store.Record) bool { return compare(&q, &r, q.After) <= 0 })
		}
		rs = rs[min(max(page.Offset, 0), len(rs)):]
		if page.Limit > 0 {
			rs = rs[:min(page.Limit, len(rs))]
		}
		return rs
	})
}

// brokenLists break a rule about what queries match, and in which order.
var brokenLists = []broken{
	onList("empty-users-as-any", "Filters/NoUsers Filters/NoUsersButIntents", func(q *store.Query) {
		if len(q.Users) == 0 {
			q.Users = nil
		}
	}),
	onList("empty-intents-as-any", "Filters/NoIntents", func(q *store.Query) {
		if len(q.Intents) == 0 {
			q.Intents = nil
		}
	}),
	onList("nil-users-as-none", "Filters/NilUsers Filters/*?", func(q *store.Query) {
		if q.Users == nil && (q.Description != "" || q.Managed != "") {
			q.Users = []string{}
		}
	}),
	listing("twice-for-the-same-user-twice", "Filters/SameUserTwice", func(s slice, q store.Query) (rs []store.Record) {
		if len(q.Users) > 9 || q.Users == nil {
			return s.list(q)
		}
		for _, user := range q.Users {
			one := q
			one.Users, one.Offset, one.Limit = []string{user}, 0, 0
			rs = append(rs, s.list(one)...)
		}
		all := store.Query{Order: q.Order, Offset: q.Offset, Limit: q.Limit}
		return pick(all, rs)
	}),
	onList("a-thousand-users-at-most", "Many/Users", func(q *store.Query) { q.Users = q.Users[:min(len(q.Users), 1000)] }),
	seeing("intents-without-case", "Filters/IntentCase", func(q *store.Query, r *store.Record) {
		if len(q.Intents) > 0 {
			q.Intents = append([]string{}, q.Intents...)
			for i := range q.Intents {
				q.Intents[i] = strings.ToLower(q.Intents[i])
			}
			r.Intent = strings.ToLower(r.Intent)
		}
	}),
	seeing("description-in-part", "Filters/DescriptionPart", func(q *store.Query, r *store.Record) {
		if q.Description != "" && strings.Contains(r.Description, q.Description) {
			r.Description = q.Description
		}
	}),
	seeing("identifier-as-pattern", "Filters/IdentifierPattern", func(q *store.Query, r *store.Record) {
		if prefix, ok := strings.CutSuffix(q.Identifier, "%"); ok && strings.HasPrefix(r.Identifier, prefix) {
			q.Identifier = r.Identifier
		}
	}),
	onList("identifier-alone", "Filters/IdentifierAndManaged Filters/IdentifierAndUser", func(q *store.Query) {
		if q.Identifier != "" {
			*q = store.Query{Identifier: q.Identifier}
		}
	}),
	onList("managed-alone", "Filters/ManagedAndOtherIntent", func(q *store.Query) {
		if q.Managed != "" && q.Identifier == "" {
			*q = store.Query{Managed: q.Managed}
		}
	}),
	onList("expires-to-the-nanosecond", "Filters/ExpiresFiner", func(q *store.Query) {
		if q.Expires.Nanosecond()%1000 != 0 {
			q.Users = []string{}
		}
	}),
	onList("expires-without-zone", "Filters/ExpiresElsewhere", func(q *store.Query) {
		_, offset := q.Expires.Zone()
		q.Expires = q.Expires.Add(time.Duration(offset) * time.Second)
	}),
	onList("expiry-from-exclusive", "Filters/EveryFilter Filters/ExpiryBetween Filters/ExpiryFrom Filters/UserAndExpiry", func(q *store.Query) {
		if !q.ExpiryFrom.IsZero() {
			q.ExpiryFrom = q.ExpiryFrom.Add(time.Microsecond)
		}
	}),
	onList("expiry-before-inclusive", "Filters/ExpiryBefore Filters/ExpiryBeforeAll Filters/ExpiryBetween Filters/ExpiryEmpty", func(q *store.Query) {
		if !q.ExpiryBefore.IsZero() {
			q.ExpiryBefore = q.ExpiryBefore.Add(time.Microsecond)
		}
	}),
	seeing("expiry-of-the-immortal", "Filters/ExpiresAndExpiry Filters/ExpiryBeforeNext Filters/ExpiryBetween Filters/ExpiryFrom Filters/ExpiryFromTheYear1 Filters/ExpiryTillTheYear9999", func(q *store.Query, r *store.Record) {
		if q.Expiring == nil && !r.Expires.IsZero() && len(q.Order) == 0 {
			r.Expiring = true
		}
	}),
	seeing("expiry-of-none-as-the-epoch", "Filters/ExpiryBefore Filters/ExpiryBeforeAll Filters/ExpiryBeforeNext Filters/ExpiryTillTheYear9999", func(q *store.Query, r *store.Record) {
		if !q.ExpiryBefore.IsZero() && r.Expires.IsZero() {
			r.Expires = time.Unix(0, 0)
		}
	}),
	onList("expiring-false-as-any", "Filters/ExpiresAndExpiring Filters/ExpiryOfTheImmortal Filters/NotExpiring", func(q *store.Query) {
		if q.Expiring != nil && !*q.Expiring {
			q.Expiring = nil
		}
	}),

	sorting("missing-first", "Order/Expires Order/Filtered Order/LastUsed Order/Managed Order/ManagedPKDescending", func(q *store.Query, a, b *store.Record) int {
		for _, o := range q.Order {
			am, bm := missing(o.Field, a), missing(o.Field, b)
			if am != bm {
				return -1*toInt(am) + toInt(bm)
			}
		}
		return q.Compare(a, b)
	}),
	seeing("undated-first", "Pages/AfterUndated", func(q *store.Query, r *store.Record) {
		if len(q.Order) > 0 && r.Created.IsZero() {
			r.Created = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
		}
	}),
	seeing("none-as-the-year-1", "Order/Filtered Order/LastUsed Order/LastUsedDescending", func(q *store.Query, r *store.Record) {
		if len(q.Order) > 0 && r.LastUsed.IsZero() {
			r.LastUsed = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
		}
	}),
	sorting("ties-by-identifier", "Order/Ties Order/TiesDescending Order/*?", func(q *store.Query, a, b *store.Record) int {
		if len(q.Order) == 0 || q.Order[0].Field == store.FieldPK {
			return q.Compare(a, b)
		}
		return cmp.Or(firstKey(q, a, b), (&store.Query{Order: q.Order[1:]}).Compare(a, b))
	}),
	sorting("ties-descend-too", "Order/TiesDescending Order/*?", func(q *store.Query, a, b *store.Record) int {
		same := *b
		same.PK = a.PK
		if c := q.Compare(a, &same); c == 0 && len(q.Order) > 0 && q.Order[len(q.Order)-1].Desc {
			return q.Compare(b, a)
		}
		return q.Compare(a, b)
	}),
	onList("first-key-only", "Order/DescriptionUser Order/ExpiringIntentUser Order/Filtered Order/IntentDescendingCreatedDescending Order/ManagedPKDescending Order/UserIdentifierDescending", func(q *store.Query) { q.Order = q.Order[:min(len(q.Order), 1)] }),
	onList("last-key-first", "Order/DescriptionUser Order/ExpiringIntentUser Order/Filtered Order/IntentDescendingCreatedDescending Order/ManagedPKDescending Order/UserIdentifierDescending Order/UserTwice", func(q *store.Query) {
		q.Order = slices.Clone(q.Order)
		slices.Reverse(q.Order)
	}),
	onList("always-ascending", "Order/PKDescending Order/IdentifierDescending Order/TiesDescending Order/*?", func(q *store.Query) {
		q.Order = slices.Clone(q.Order)
		for i := range q.Order {
			q.Order[i].Desc = false
		}
	}),
	onList("by-creation-unless-told", "Order/Empty Order/Filtered Order/None", func(q *store.Query) {
		if len(q.Order) == 0 {
			q.Order = []store.Order{{Field: store.FieldCreated}}
		}
	}),
	seeing("sorts-without-case", "Order/Description Order/DescriptionDescending Order/DescriptionUser", func(q *store.Query, r *store.Record) {
		if len(q.Order) > 0 && len(q.Words) == 0 {
			r.Description = strings.ToLower(r.Description)
		}
	}),
	sorting("sorts-as-utf16", "Order/Identifier Order/IdentifierDescending", func(q *store.Query, a, b *store.Record) int {
		if len(q.Order) == 1 && q.Order[0].Field == store.FieldIdentifier {
			c := slices.Compare(utf16.Encode([]rune(a.Identifier)), utf16.Encode([]rune(b.Identifier)))
			if q.Order[0].Desc {
				c = -c
			}
			return c
		}
		return q.Compare(a, b)
	}),
	seeing("true-before-false", "Order/Expiring Order/ExpiringDescending Order/ExpiringIntentUser Order/Filtered Order/Ties Order/TiesDescending", func(q *store.Query, r *store.Record) {
		if len(q.Order) > 0 && q.Expiring == nil && q.ExpiryFrom.IsZero() && q.ExpiryBefore.IsZero() {
			r.Expiring = !r.Expiring
		}
	}),
	seeing("seconds-sorted", "Order/CreatedDescending Order/Filtered Order/IntentDescendingCreatedDescending", func(q *store.Query, r *store.Record) {
		r.Created = r.Created.Truncate(time.Second)
	}),

	listing("after-inclusive", "Pages/After Pages/AfterAndFilters Pages/AfterAndOffset Pages/AfterAndRange Pages/AfterChanged Pages/AfterUndated Pages/AfterWithoutLimit", func(s slice, q store.Query) []store.Record {
		if q.After == nil || s.find(q.After.PK) == nil {
			return s.list(q)
		}
		rest := q
		rest.Offset, rest.Limit = 0, 0
		rs := append([]store.Record{*s.find(q.After.PK)}, s.list(rest)...)
		q.After = nil
		return pick(q, rs)
	}),
	listing("after-must-exist", "Pages/AfterDeleted Pages/AfterNothing Pages/AfterReplaced", func(s slice, q store.Query) []store.Record {
		if q.After != nil && s.find(q.After.PK) == nil {
			return nil
		}
		return s.list(q)
	}),
	listing("after-where-it-is-now", "Pages/AfterChanged", func(s slice, q store.Query) []store.Record {
		if q.After != nil {
			if now := s.find(q.After.PK); now != nil {
				q.After = now
			}
		}
		return s.list(q)
	}),
	sorting("after-skips-ties", "Pages/After Pages/AfterAndFilters Pages/AfterChanged Pages/AfterDeleted Pages/AfterNothing Pages/AfterReplaced Pages/AfterWithoutLimit", func(q *store.Query, a, b *store.Record) int {
		same := *a
		same.PK = b.PK
		if q.After == b && len(q.Order) > 0 && q.Compare(&same, b) == 0 {
			return 0
		}
		return q.Compare(a, b)
	}),
	onList("after-ignored", "Pages/After Pages/AfterWithoutLimit Pages/*?", func(q *store.Query) { q.After = nil }),
	onList("after-by-identifier", "Pages/After Pages/AfterAndFilters Pages/AfterAndRange Pages/AfterChanged Pages/AfterDeleted Pages/AfterNothing Pages/AfterWithoutLimit", func(q *store.Query) {
		if q.After != nil {
			q.After = &store.Record{Identifier: q.After.Identifier, PK: q.After.PK}
		}
	}),
	onList("offset-ignored", "Pages/AfterAndOffset Pages/LargestLimit Pages/Offset Pages/OffsetAndLimit", func(q *store.Query) { q.Offset = 0 }),
	onList("offset-ignored-after", "Pages/AfterAndOffset", func(q *store.Query) {
		if q.After != nil {
			q.Offset = 0
		}
	}),
	onList("offset-needs-limit", "Pages/AfterAndOffset Pages/Offset", func(q *store.Query) {
		if q.Limit == 0 {
			q.Offset = 0
		}
	}),
	onList("offset-and-limit-overflow", "Pages/LargestLimit Pages/OffsetAndLimit", func(q *store.Query) {
		if q.Offset > 0 && q.Limit > 0 && q.Offset+q.Limit < 0 {
			q.Users = []string{}
		}
	}),
	onList("offset-and-limit-overflow-with-words", "Pages/LargestLimit", func(q *store.Query) {
		if q.Words != nil && q.Offset > 0 && q.Limit > 0 && q.Offset+q.Limit < 0 {
			q.Users = []string{}
		}
	}),
	{"negative-offset-fails", "Pages/Offset Pages/OffsetAndLimit", func(n *naive) patch {
		return patch{naive: n, list: func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if q.Offset < 0 {
				return nil, errors.New("OFFSET must not be negative")
			}
			return n.List(ctx, q)
		}}
	}},
	{"negative-limit-fails", "Pages/Limit Pages/OffsetAndLimit", func(n *naive) patch {
		return patch{naive: n, list: func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if q.Limit < 0 {
				return nil, errors.New("LIMIT must not be negative")
			}
			return n.List(ctx, q)
		}}
	}},
	onList("limit-after-offset-counts-both", "Pages/AfterAndOffset Pages/OffsetAndLimit", func(q *store.Query) {
		if q.Limit > 0 && q.Offset > 0 {
			q.Limit = max(q.Limit-q.Offset, 1)
		}
	}),
	onList("fifty-at-most", "Words/EmptyText Words/EmptyTextAndUsers Words/NilWords Words/NoWords", func(q *store.Query) {
		if q.Limit <= 0 {
			q.Limit = 7
		}
	}),
	{"empty-list-not-found", "List/Empty Pages/After Pages/OffsetAndLimit", func(n *naive) patch {
		return patch{naive: n, list: func(ctx context.Context, q store.Query) ([]store.Record, error) {
			rs, err := n.List(ctx, q)
			if err == nil && len(rs) == 0 && q.Limit > 0 {
				err = store.ErrNotFound
			}
			return rs, err
		}}
	}},
	listing("lists-without-sealed", "List/WholeRecords", func(s slice, q store.Query) []store.Record {
		rs := s.list(q)
		if q.Order != nil {
			for i := range rs {
				rs[i].Sealed = nil
			}
		}
		return rs
	}),
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func missing(f store.Field, r *store.Record) bool {
	switch f {
	case store.FieldManaged:
		return r.Managed == ""
	case store.FieldExpires:
		return r.Expires.IsZero()
	case store.FieldLastUsed:
		return r.LastUsed.IsZero()
	}
	return false
}

// firstKey compares by the first key of the order and, failing that, by
// identifier.
func firstKey(q *store.Query, a, b *store.Record) int {
	same := *b
	same.PK = a.PK
	return cmp.Or((&store.Query{Order: q.Order[:1]}).Compare(a, &same), cmp.Compare(a.Identifier, b.Identifier))
}
