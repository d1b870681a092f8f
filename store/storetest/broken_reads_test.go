package storetest_test

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
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
		rs := q.Select(changed)
		for i := range rs {
			rs[i] = clone(*s.find(rs[i].PK))
		}
		if len(q.Order) == 0 {
			(&store.Query{}).Select(rs) // by what identifiers really are
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

// searching returns a broken store that searches with other words.
func searching(name, fails string, change func(*store.Word)) broken {
	return onList(name, fails, func(q *store.Query) {
		q.Words = slices.Clone(q.Words)
		for i := range q.Words {
			change(&q.Words[i])
		}
	})
}

// onGet returns a broken store that changes what Get returns.
func onGet(name, fails string, change func(*store.Record)) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, get: func(ctx context.Context, identifier string) (store.Record, error) {
			r, err := n.Get(ctx, identifier)
			change(&r)
			return r, err
		}}
	}}
}

// onDigest returns a broken store that looks up digests in another way.
func onDigest(name, fails string, get func(s slice, d store.Digest) (store.Record, error)) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, getByDigest: func(ctx context.Context, d store.Digest) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				r, err = get(n.slice, d)
				return err
			})
			return r, err
		}}
	}}
}

// own returns the store's own record, Sealed and all.
func own(s slice, match func(store.Record) bool) (store.Record, error) {
	if i := slices.IndexFunc(s, match); i >= 0 {
		return s[i], nil
	}
	return store.Record{}, store.ErrNotFound
}

// onPurge returns a broken store that purges in another way.
func onPurge(name, fails string, purge func(s *slice, q store.Query) []store.Record) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, purge: func(ctx context.Context, q store.Query) (rs []store.Record, err error) {
			err = n.locked(ctx, func() error {
				rs = purge(&n.slice, q)
				return nil
			})
			return rs, err
		}}
	}}
}

// onCount returns a broken store that counts in another way.
func onCount(name, fails string, count func(s slice, q store.Query) int) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, count: func(ctx context.Context, q store.Query) (c int, err error) {
			err = n.locked(ctx, func() error {
				c = count(n.slice, q)
				return nil
			})
			return c, err
		}}
	}}
}

// brokenReads break a rule about what is returned.
var brokenReads = []broken{
	{"keeps-the-callers-sealed", "Aliasing/SealedIntoCreate", func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record) error {
			return n.locked(ctx, func() error {
				err := n.slice.create(r)
				if err == nil {
					n.find(r.PK).Sealed = r.Sealed
				}
				return err
			})
		}}
	}},
	onUpdate("keeps-the-updates-sealed", "Aliasing/SealedIntoUpdate", func(n *naive, r store.Record) error {
		err := n.slice.update(r)
		if err == nil {
			n.find(r.PK).Sealed = r.Sealed
		}
		return err
	}),
	{"returns-its-own-sealed", "Aliasing/SealedOutOfGet", func(n *naive) patch {
		return patch{naive: n, get: func(ctx context.Context, identifier string) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				r, err = own(n.slice, func(x store.Record) bool { return x.Identifier == identifier })
				return err
			})
			return r, err
		}}
	}},
	onDigest("returns-its-own-sealed-by-digest", "Aliasing/SealedOutOfGetByDigest", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := own(s, func(x store.Record) bool { return x.Digest == d }); err == nil {
			return r, nil
		}
		return s.byDigest(d)
	}),
	listing("lists-its-own-sealed", "Aliasing/SealedOutOfList", func(s slice, q store.Query) []store.Record { return q.Select(slices.Clone(s)) }),
	listing("lists-itself", "Aliasing/RecordsOutOfList Aliasing/SealedOutOfList", func(s slice, q store.Query) []store.Record {
		for i := range s {
			s[i].Sealed = slices.Clone(s[i].Sealed)
		}
		if reflect.DeepEqual(q, store.Query{}) {
			q.Select(s)
			return s
		}
		return s.list(q)
	}),
	onList("sorts-the-callers-users", "Aliasing/Query", func(q *store.Query) { slices.Sort(q.Users) }),
	onList("folds-the-callers-words", "Aliasing/Query", func(q *store.Query) {
		for i := range q.Words {
			q.Words[i].Text = strings.ToLower(q.Words[i].Text)
		}
	}),
	{"sorts-the-callers-uses", "Aliasing/Uses", func(n *naive) patch {
		return patch{naive: n, touch: func(ctx context.Context, uses []store.Use) error {
			slices.SortFunc(uses, func(a, b store.Use) int { return a.At.Compare(b.At) })
			return n.Touch(ctx, uses)
		}}
	}},

	onGet("local-time", "Times/UTC", func(r *store.Record) { r.Created = r.Created.In(time.FixedZone("here", 3600)) }),
	{"get-without-case", "Get/Exactly", func(n *naive) patch {
		return patch{naive: n, get: func(ctx context.Context, identifier string) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				if r, err = n.first(func(x *store.Record) bool { return x.Identifier == identifier }); err != nil {
					r, err = n.first(func(x *store.Record) bool { return strings.EqualFold(x.Identifier, identifier) })
				}
				return err
			})
			return r, err
		}}
	}},
	{"get-by-prefix", "Get/Exactly", func(n *naive) patch {
		return patch{naive: n, get: func(ctx context.Context, identifier string) (r store.Record, err error) {
			err = n.locked(ctx, func() error {
				if r, err = n.first(func(x *store.Record) bool { return x.Identifier == identifier }); err != nil && len(identifier) > 5 {
					r, err = n.first(func(x *store.Record) bool { return strings.HasPrefix(x.Identifier, identifier) })
				}
				return err
			})
			return r, err
		}}
	}},

	onDigest("retired-not-found", "GetByDigest/CurrentFirst GetByDigest/Retired GetByDigest/RetiredTwice GetByDigest/Rotated", func(s slice, d store.Digest) (store.Record, error) {
		return s.first(func(x *store.Record) bool { return x.Digest == d })
	}),
	onDigest("retired-preferred", "GetByDigest/CurrentFirst", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := s.first(func(x *store.Record) bool { return x.Retired == d && d != store.Digest{} }); err == nil {
			return r, nil
		}
		return s.byDigest(d)
	}),
	onDigest("first-that-ever-had-it", "GetByDigest/CurrentFirst", func(s slice, d store.Digest) (store.Record, error) {
		return s.first(func(x *store.Record) bool { return x.Digest == d || x.Retired == d && d != store.Digest{} })
	}),
	onDigest("zero-digest-found", "GetByDigest/Zero", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := s.byDigest(d); err == nil {
			return r, nil
		}
		return s.first(func(x *store.Record) bool { return x.Retired == d })
	}),
	onDigest("retired-while-good", "GetByDigest/Retired", func(s slice, d store.Digest) (store.Record, error) {
		if r, err := s.first(func(x *store.Record) bool { return x.Digest == d }); err == nil {
			return r, nil
		}
		return s.first(func(x *store.Record) bool { return x.Retired == d && x.RetiredUntil.After(time.Unix(1e9, 0)) })
	}),
	onDigest("digests-as-text", "GetByDigest/CurrentFirst Uniqueness/DigestBytes", func(s slice, d store.Digest) (store.Record, error) {
		return s.first(func(x *store.Record) bool {
			text := func(d store.Digest) string { return strings.ToLower(strings.TrimRight(string(d[:]), "\x00 ")) }
			return d != store.Digest{} && (text(x.Digest) == text(d) || x.Retired == d)
		})
	}),

	onList("empty-users-as-any", "List/NoUsers List/NoUsersButIntents", func(q *store.Query) {
		if len(q.Users) == 0 {
			q.Users = nil
		}
	}),
	onList("empty-intents-as-any", "List/NoIntents", func(q *store.Query) {
		if len(q.Intents) == 0 {
			q.Intents = nil
		}
	}),
	onList("nil-users-as-none", "List/NilUsers List/*?", func(q *store.Query) {
		if q.Users == nil && (q.Description != "" || q.Managed != "") {
			q.Users = []int64{}
		}
	}),
	listing("twice-for-the-same-user-twice", "List/SameUserTwice", func(s slice, q store.Query) (rs []store.Record) {
		if len(q.Users) > 9 || q.Users == nil {
			return s.list(q)
		}
		for _, user := range q.Users {
			one := q
			one.Users, one.Offset, one.Limit = []int64{user}, 0, 0
			rs = append(rs, s.list(one)...)
		}
		all := store.Query{Order: q.Order, Offset: q.Offset, Limit: q.Limit}
		return all.Select(rs)
	}),
	onList("a-thousand-users-at-most", "List/ManyUsers", func(q *store.Query) { q.Users = q.Users[:min(len(q.Users), 1000)] }),
	seeing("intents-without-case", "List/IntentCase", func(q *store.Query, r *store.Record) {
		if len(q.Intents) > 0 {
			q.Intents = append([]string{}, q.Intents...)
			for i := range q.Intents {
				q.Intents[i] = strings.ToLower(q.Intents[i])
			}
			r.Intent = strings.ToLower(r.Intent)
		}
	}),
	seeing("description-in-part", "List/DescriptionPart", func(q *store.Query, r *store.Record) {
		if q.Description != "" && strings.Contains(r.Description, q.Description) {
			r.Description = q.Description
		}
	}),
	seeing("identifier-as-pattern", "List/IdentifierPattern", func(q *store.Query, r *store.Record) {
		if prefix, ok := strings.CutSuffix(q.Identifier, "%"); ok && strings.HasPrefix(r.Identifier, prefix) {
			q.Identifier = r.Identifier
		}
	}),
	onList("identifier-alone", "List/IdentifierAndManaged List/IdentifierAndUser", func(q *store.Query) {
		if q.Identifier != "" {
			*q = store.Query{Identifier: q.Identifier}
		}
	}),
	onList("managed-alone", "List/ManagedAndOtherIntent", func(q *store.Query) {
		if q.Managed != "" && q.Identifier == "" {
			*q = store.Query{Managed: q.Managed}
		}
	}),
	onList("expires-to-the-nanosecond", "List/ExpiresFiner", func(q *store.Query) {
		if q.Expires.Nanosecond()%1000 != 0 {
			q.Users = []int64{}
		}
	}),
	onList("expires-without-zone", "List/ExpiresElsewhere", func(q *store.Query) {
		_, offset := q.Expires.Zone()
		q.Expires = q.Expires.Add(time.Duration(offset) * time.Second)
	}),
	onList("expiry-from-exclusive", "List/EveryFilter List/ExpiryBetween List/ExpiryFrom List/UserAndExpiry", func(q *store.Query) {
		if !q.ExpiryFrom.IsZero() {
			q.ExpiryFrom = q.ExpiryFrom.Add(time.Microsecond)
		}
	}),
	onList("expiry-before-inclusive", "List/ExpiryBefore List/ExpiryBeforeAll List/ExpiryBetween List/ExpiryEmpty", func(q *store.Query) {
		if !q.ExpiryBefore.IsZero() {
			q.ExpiryBefore = q.ExpiryBefore.Add(time.Microsecond)
		}
	}),
	seeing("expiry-of-the-immortal", "List/ExpiresAndExpiry List/ExpiryBeforeNext List/ExpiryBetween List/ExpiryFrom List/ExpiryFromTheYear1 List/ExpiryTillTheYear9999", func(q *store.Query, r *store.Record) {
		if q.Expiring == nil && !r.Expires.IsZero() && len(q.Order) == 0 {
			r.Expiring = true
		}
	}),
	seeing("expiry-of-none-as-the-epoch", "List/ExpiryBefore List/ExpiryBeforeAll List/ExpiryBeforeNext List/ExpiryTillTheYear9999", func(q *store.Query, r *store.Record) {
		if !q.ExpiryBefore.IsZero() && r.Expires.IsZero() {
			r.Expires = time.Unix(0, 0)
		}
	}),
	onList("expiring-false-as-any", "List/ExpiresAndExpiring List/ExpiryOfTheImmortal List/NotExpiring", func(q *store.Query) {
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

	listing("after-inclusive", "Pages/After Pages/AfterAndFilters Pages/AfterAndOffset Pages/AfterAndRange Pages/AfterChanged Pages/AfterWithoutLimit", func(s slice, q store.Query) []store.Record {
		if q.After == nil || s.find(q.After.PK) == nil {
			return s.list(q)
		}
		rest := q
		rest.Offset, rest.Limit = 0, 0
		rs := append([]store.Record{*s.find(q.After.PK)}, s.list(rest)...)
		q.After = nil
		return q.Select(rs)
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
	onList("offset-ignored", "Pages/AfterAndOffset Pages/Offset Pages/OffsetAndLimit", func(q *store.Query) { q.Offset = 0 }),
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
	onList("offset-and-limit-overflow", "Pages/OffsetAndLimit", func(q *store.Query) {
		if q.Offset > 0 && q.Limit > 0 && q.Offset+q.Limit < 0 {
			q.Users = []int64{}
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

	seeing("percent-as-wildcard", "Words/PercentAsWildcard", wildcard('%')),
	seeing("underscore-as-wildcard", "Words/UnderscoreAsWildcard", wildcard('_')),
	seeing("asterisk-as-wildcard", "Words/AsteriskAsWildcard", wildcard('*')),
	searching("backslash-as-escape", "Words/Backslash Words/BackslashAsEscape Words/BackslashInText", func(w *store.Word) { w.Text = strings.ReplaceAll(w.Text, `\`, "") }),
	seeing("case-of-ascii-only", "Words/Angstrom Words/Composed Words/LowerAccent Words/MixedAccents Words/SharpS Words/Sigma Words/Updated", func(q *store.Query, r *store.Record) {
		// Other letters than those of ASCII are moved where they have no case.
		for _, text := range wordsAnd(q, r) {
			*text = strings.Map(func(c rune) rune {
				if unicode.IsUpper(c) && c > unicode.MaxASCII && c < 0xe000 {
					return c + 0xf0000
				}
				return c
			}, *text)
		}
	}),
	seeing("case-exact", "Words/UpperCase Words/LowerCase Words/*?", func(q *store.Query, r *store.Record) {
		for _, text := range wordsAnd(q, r) {
			*text = strings.Map(func(c rune) rune {
				if 'A' <= c && c <= 'Z' {
					return c + 0xf0000
				}
				return c
			}, *text)
		}
	}),
	seeing("simple-folding", "Words/FinalSigma Words/KelvinAsK Words/LongSAsS", func(q *store.Query, r *store.Record) {
		// As strings.EqualFold has it, where "ſ" equals "s" and "ς" equals "σ".
		for _, text := range wordsAnd(q, r) {
			*text = strings.Map(func(c rune) rune {
				least := c
				for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
					least = min(least, f)
				}
				return least
			}, *text)
		}
	}),
	seeing("lower-case", "Words/DottedIAsI Words/KelvinAsK", func(q *store.Query, r *store.Record) {
		for _, text := range wordsAnd(q, r) {
			*text = strings.ToLower(*text)
		}
	}),
	seeing("upper-case", "Words/FinalSigma Words/LongSAsS", func(q *store.Query, r *store.Record) {
		for _, text := range wordsAnd(q, r) {
			*text = strings.ToUpper(*text)
		}
	}),
	seeing("searches-managed-too", "Words/OtherFields Words/SpaceAfterNothing", func(q *store.Query, r *store.Record) {
		if len(q.Words) > 0 && len(q.Order) == 0 && q.Description == "" {
			r.Description += "\x00" + r.Managed
		}
	}),
	seeing("searches-fields-as-one", "Words/AcrossFields", func(q *store.Query, r *store.Record) {
		if len(q.Words) > 0 && len(q.Order) == 0 && q.Description == "" {
			r.Description = r.Identifier + r.Intent + r.Description
		}
	}),
	seeing("searches-not-in-intent", "Words/Intent Words/TwoFields Words/Underscore Words/Updated Words/WordAndUsers", func(q *store.Query, r *store.Record) {
		if len(q.Words) > 0 && q.Intents == nil {
			r.Intent = ""
		}
	}),
	listing("any-word-will-do", "Words/OneOfTwo Words/TwoFields Words/WordAndEmpty Words/WordAndUsers", func(s slice, q store.Query) (rs []store.Record) {
		if len(q.Words) < 2 {
			return s.list(q)
		}
		for _, w := range q.Words {
			one := q
			one.Words = []store.Word{w}
			for _, r := range s.list(one) {
				if !slices.ContainsFunc(rs, func(x store.Record) bool { return x.PK == r.PK }) {
					rs = append(rs, r)
				}
			}
		}
		return (&store.Query{}).Select(rs)
	}),
	onList("first-word-only", "Words/OneOfTwo Words/TwoFields Words/WordAndUsers", func(q *store.Query) { q.Words = q.Words[:min(len(q.Words), 1)] }),
	searching("word-users-ignored", "Words/TextOrUsers Words/Users Words/WordAndUsers", func(w *store.Word) { w.Users = nil }),
	listing("word-users-and-text", "Words/EmptyTextAndUsers Words/TextOrUsers", func(s slice, q store.Query) []store.Record {
		for _, w := range q.Words {
			if w.Users != nil && q.Users == nil {
				q.Users = w.Users
			}
		}
		return s.list(q)
	}),
	searching("empty-word-finds-nothing", "Words/EmptyText Words/EmptyTextAndUsers Words/WordAndEmpty", func(w *store.Word) {
		if w.Text == "" {
			w.Text = "\x00"
		}
	}),
	searching("words-trimmed", "Words/SpaceAfterNothing Words/SpaceBeforeNothing", func(w *store.Word) { w.Text = strings.TrimSpace(w.Text) }),
	searching("words-cut", "Words/Spaces Words/*?", func(w *store.Word) { w.Text = w.Text[:min(len(w.Text), 3)] }),

	onCount("count-up-to-limit", "Count/Filters Count/Regardless Count/Words", func(s slice, q store.Query) int { return len(s.list(store.Query{Users: q.Users, Limit: q.Limit})) }),
	onCount("count-from-after", "Count/Regardless", func(s slice, q store.Query) int {
		q.Offset, q.Limit = 0, 0
		return len(s.list(q))
	}),
	onCount("count-without-words", "Count/Filters Count/Words", func(s slice, q store.Query) int {
		q.Words = nil
		return s.count(q)
	}),
	onCount("count-of-all", "Count/Filters Count/Regardless Count/Words", func(s slice, q store.Query) int { return len(s) }),

	onPurge("purge-without-limit", "Purge/Limit Purge/Page", func(s *slice, q store.Query) []store.Record {
		rs := s.list(q)
		q.Limit = 0
		s.purge(q)
		return rs
	}),
	onPurge("purge-without-filter", "Purge/Filters", func(s *slice, q store.Query) []store.Record {
		q.Users = nil
		return s.purge(q)
	}),
	onPurge("purge-unordered", "Purge/Limit Purge/Ordered", func(s *slice, q store.Query) []store.Record {
		rs := s.purge(q)
		if q.Order != nil {
			(&store.Query{}).Select(rs)
		}
		return rs
	}),
	onPurge("purge-from-the-start", "Purge/Many Purge/Page", func(s *slice, q store.Query) []store.Record {
		q.Offset, q.After = 0, nil
		return s.purge(q)
	}),
	onPurge("purge-by-identifier-only", "Purge/Limit", func(s *slice, q store.Query) []store.Record {
		if q.Limit > 0 {
			q.Order = nil
		}
		return s.purge(q)
	}),
	onPurge("purge-returns-too-much", "Purge/Many Purge/Filters Purge/Limit Purge/Ordered Purge/Page Purge/WholeRecords", func(s *slice, q store.Query) []store.Record {
		s.purge(q)
		q.Limit = 0
		return append(s.list(q), s.purge(store.Query{Identifier: "nothing"})...)
	}),
	onPurge("purge-a-thousand-at-most", "Purge/Many", func(s *slice, q store.Query) []store.Record {
		if q.Limit <= 0 {
			q.Limit = 1000
		}
		return s.purge(q)
	}),
	onPurge("purge-without-sealed", "Purge/WholeRecords", func(s *slice, q store.Query) []store.Record {
		rs := s.purge(q)
		for i := range rs {
			rs[i].Sealed = nil
		}
		return rs
	}),
	{"purge-of-nothing-fails", "Purge/Filters Purge/Limit Purge/Nothing Purge/Page", func(n *naive) patch {
		return patch{naive: n, purge: func(ctx context.Context, q store.Query) ([]store.Record, error) {
			rs, err := n.Purge(ctx, q)
			if err == nil && len(rs) == 0 {
				err = store.ErrNotFound
			}
			return rs, err
		}}
	}},
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

// wildcard returns a change that makes a rune in the middle of a word stand for
// anything.
func wildcard(c rune) func(*store.Query, *store.Record) {
	return func(q *store.Query, r *store.Record) {
		if len(q.Words) != 1 {
			return
		}
		before, after, ok := strings.Cut(q.Words[0].Text, string(c))
		if !ok || before == "" || after == "" {
			return
		}
		for _, text := range []string{r.Identifier, r.Description} {
			if i := strings.Index(text, before); i >= 0 && strings.Contains(text[i+len(before):], after) {
				r.Description += q.Words[0].Text
				return
			}
		}
	}
}

// wordsAnd returns what a search compares, words first, of which it makes q have
// a copy.
func wordsAnd(q *store.Query, r *store.Record) []*string {
	if len(q.Words) == 0 || len(q.Order) > 0 {
		return nil
	}
	texts := []*string{&r.Identifier, &r.Intent, &r.Description}
	q.Words = slices.Clone(q.Words)
	for i := range q.Words {
		texts = append(texts, &q.Words[i].Text)
	}
	return texts
}
