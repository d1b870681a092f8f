package storetest_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/authtoken/authtoken/store"
)

// sortingUsers returns a broken store that sorts users in another way.
func sortingUsers(name, fails string, compare func(a, b string) int) broken {
	return sorting(name, fails, func(q *store.Query, a, b *store.Record) int {
		for i, o := range q.Order {
			if o.Field != store.FieldUser {
				continue
			}
			before, after := *q, *q
			before.Order, after.Order = q.Order[:i], q.Order[i+1:]
			same := *b
			same.PK = a.PK
			byUser := compare(a.User, b.User)
			if o.Desc {
				byUser = -byUser
			}
			if i == 0 {
				return cmp.Or(byUser, after.Compare(a, b))
			}
			return cmp.Or(before.Compare(a, &same), byUser, after.Compare(a, b))
		}
		return q.Compare(a, b)
	})
}

// takingUsers returns a broken store that takes users for others, where it looks
// for some.
func takingUsers(name, fails string, take func(id string) string) broken {
	return seeing(name, fails, func(q *store.Query, r *store.Record) {
		if len(q.Users) == 0 && len(q.Words) == 0 {
			return
		}
		q.Users = slices.Clone(q.Users)
		q.Words = slices.Clone(q.Words)
		for i := range q.Users {
			q.Users[i] = take(q.Users[i])
		}
		for i := range q.Words {
			q.Words[i].Users = slices.Clone(q.Words[i].Users)
			for j := range q.Words[i].Users {
				q.Words[i].Users[j] = take(q.Words[i].Users[j])
			}
		}
		r.User = take(r.User)
	})
}

// keepingUsers returns a broken store that keeps other IDs than it is given.
func keepingUsers(name, fails string, keep func(id string) string) broken {
	return broken{name, fails, func(n *naive) patch {
		return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) error {
			r.User = keep(r.User)
			return n.Create(ctx, r, limit)
		}, update: func(ctx context.Context, r store.Record) error {
			r.User = keep(r.User)
			return n.Update(ctx, r)
		}}
	}}
}

func number(id string) string {
	if n, err := strconv.ParseFloat(id, 64); err == nil {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return id
}

// brokenUsers break a rule about the IDs of users.
var brokenUsers = []broken{
	sortingUsers("users-as-text", "Users/Sorted UserPages/After Users/*? UserPages/*?", strings.Compare),
	sortingUsers("users-by-characters", "Users/Sorted Users/SortedAmongSome UserPages/After Users/*? UserPages/*?", func(a, b string) int {
		return cmp.Or(cmp.Compare(utf8.RuneCountInString(a), utf8.RuneCountInString(b)), strings.Compare(a, b))
	}),
	sortingUsers("users-by-utf16-length", "Users/Sorted UserPages/After Users/*? UserPages/*?", func(a, b string) int {
		return cmp.Or(cmp.Compare(len(utf16.Encode([]rune(a))), len(utf16.Encode([]rune(b)))), strings.Compare(a, b))
	}),
	sortingUsers("users-of-one-length-as-utf16", "Users/Sorted UserPages/After Users/*? UserPages/*?", func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))))
	}),
	sortingUsers("users-without-case", "Users/Sorted UserPages/After Users/*? UserPages/*?", func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	}),
	sortingUsers("numbers-before-other-users", "Users/Sorted UserPages/After Users/*? UserPages/*?", func(a, b string) int {
		_, errA := strconv.ParseInt(a, 10, 64)
		_, errB := strconv.ParseInt(b, 10, 64)
		return cmp.Or(cmp.Compare(toInt(errA != nil), toInt(errB != nil)), store.CompareUsers(a, b))
	}),
	sortingUsers("users-by-their-beginning", "Users/Sorted UserPages/AfterEach Users/*? UserPages/*?", func(a, b string) int {
		return strings.Compare(beginning(a), beginning(b))
	}),
	sortingUsers("users-by-a-length-of-one-byte", "Users/Sorted UserPages/After Users/*? UserPages/*?", func(a, b string) int {
		return cmp.Or(cmp.Compare(min(len(a), 255), min(len(b), 255)), strings.Compare(a, b))
	}),

	takingUsers("users-taken-without-case", "Users/ToldApart Users/Strangers Users/Words UserPages/OfOne Users/*? UserPages/*?", strings.ToLower),
	takingUsers("users-trimmed", "Users/ToldApart Users/Strangers Users/Words Users/*?", strings.TrimSpace),
	takingUsers("users-taken-for-numbers", "Users/ToldApart Users/Strangers Users/Words UserPages/OfOne Users/*? UserPages/*?", number),
	takingUsers("users-cut", "Users/ToldApart Users/Words UserPages/OfOne Users/*? UserPages/*?", func(id string) string { return id[:min(len(id), 254)] }),
	takingUsers("users-composed", "Users/ToldApart UserPages/OfOne Users/*? UserPages/*?", func(id string) string { return strings.ReplaceAll(id, "e\u0301", "é") }),
	seeing("users-as-patterns", "Users/ToldApart Users/Strangers Users/*?", func(q *store.Query, r *store.Record) {
		for _, id := range q.Users {
			if prefix, ok := strings.CutSuffix(id, "%"); ok && strings.HasPrefix(r.User, prefix) {
				r.User = id
			}
		}
	}),
	seeing("users-by-prefix", "Users/ToldApart Users/Strangers Users/*?", func(q *store.Query, r *store.Record) {
		for _, id := range q.Users {
			if strings.HasPrefix(r.User, id) {
				r.User = id
			}
		}
	}),
	onList("empty-user-as-any", "Users/Strangers", func(q *store.Query) {
		if slices.Contains(q.Users, "") {
			q.Users = nil
		}
	}),
	searching("word-with-an-empty-user-as-any", "Users/Words", func(w *store.Word) {
		if slices.Contains(w.Users, "") {
			w.Text = ""
		}
	}),
	seeing("searches-in-users", "Users/Words", func(q *store.Query, r *store.Record) {
		if len(q.Words) > 0 && len(q.Order) == 0 && q.Description == "" {
			r.Description += "\x00" + r.User
		}
	}),

	keepingUsers("users-kept-as-numbers", "Users/Kept UserPages/Given Users/*? UserPages/*?", number),
	keepingUsers("users-kept-in-lower-case", "Users/Kept UserPages/Given Users/*? UserPages/*?", strings.ToLower),
	keepingUsers("users-kept-in-255-bytes", "Users/Kept UserPages/Given Users/*? UserPages/*?", func(id string) string { return id[:min(len(id), 255)] }),
	keepingUsers("users-kept-trimmed", "Users/Kept UserPages/Given Users/*? UserPages/*?", strings.TrimSpace),

	onList("after-by-user-alone", "UserPages/ThenBy", func(q *store.Query) {
		if q.After != nil && len(q.Order) > 1 && q.Order[0].Field == store.FieldUser {
			q.After = &store.Record{User: q.After.User, Identifier: "\U0010ffff"}
		}
	}),
	onList("users-in-capitals", "UserPages/Given UserPages/OfOne", func(q *store.Query) {
		q.Users = slices.Clone(q.Users)
		for i, id := range q.Users {
			q.Users[i] = strings.ToUpper(id)
		}
	}),
	{"purges-users-without-case", "UserPages/Purge", func(n *naive) patch {
		return patch{naive: n, purge: func(ctx context.Context, q store.Query) (rs []store.Record, err error) {
			err = n.locked(ctx, func() error {
				for _, r := range slices.Clone(n.slice) {
					if len(q.Users) == 0 || slices.ContainsFunc(q.Users, func(id string) bool { return strings.EqualFold(id, r.User) }) {
						rs = append(rs, r)
						n.remove(r.PK)
					}
				}
				return nil
			})
			return rs, err
		}}
	}},
}

// beginning is what an index that keeps only the beginning of an ID has of it.
func beginning(id string) string { return fmt.Sprintf("%04d", len(id)) + id[:min(len(id), 15)] }
