package storetest_test

import (
	"context"
	"slices"
	"strings"

	"github.com/authtoken/authtoken/store"
)

// keepingBounds returns broken stores that keep something else of what a key is good
// for than they are given: when it is made, and when it is changed.
func keepingBounds(name string, keep func(r *store.Record)) []broken {
	return []broken{
		{"created-" + name, "Bounds/Created Bounds/CreatedWithin Bounds/Touched Bounds/Purged Bounds/Updated? Bounds/UpdatedWithTheKey?", func(n *naive) patch {
			return patch{naive: n, create: func(ctx context.Context, r store.Record, limit int) error {
				keep(&r)
				return n.Create(ctx, r, limit)
			}}
		}},
		{"updated-" + name, "Bounds/Updated Bounds/UpdatedWithTheKey", func(n *naive) patch {
			return patch{naive: n, update: func(ctx context.Context, r store.Record) error {
				keep(&r)
				return n.Update(ctx, r)
			}}
		}},
	}
}

// brokenBounds break a rule about what keys are good for.
var brokenBounds = func() []broken {
	var all []broken
	for name, keep := range map[string]func(r *store.Record){
		"without-scopes":          func(r *store.Record) { r.Scopes = "" },
		"with-all-scopes":         func(r *store.Record) { r.Scopes = "*" },
		"with-scopes-for-none":    func(r *store.Record) { r.Scopes = ifEmpty(r.Scopes, "*") },
		"with-short-scopes":       func(r *store.Record) { r.Scopes = r.Scopes[:min(len(r.Scopes), 255)] },
		"with-trimmed-scopes":     func(r *store.Record) { r.Scopes = strings.TrimSpace(r.Scopes) },
		"without-networks":        func(r *store.Record) { r.Networks = "" },
		"with-all-networks":       func(r *store.Record) { r.Networks = "*" },
		"with-networks-for-none":  func(r *store.Record) { r.Networks = ifEmpty(r.Networks, "*") },
		"without-state":           func(r *store.Record) { r.State = 0 },
		"always-active":           func(r *store.Record) { r.State = store.StateActive },
		"active-by-default":       func(r *store.Record) { r.State = max(r.State, store.StateActive) },
		"suspended-by-whom-lost":  func(r *store.Record) { r.State = min(r.State, store.StateSuspended) },
		"with-states-of-one-byte": func(r *store.Record) { r.State &= 0x7f },
		"without-metadata":        func(r *store.Record) { r.Metadata = "" },
		"with-empty-metadata":     func(r *store.Record) { r.Metadata = ifEmpty(r.Metadata, "{}") },
		"without-via":             func(r *store.Record) { r.Via = store.PK{} },
	} {
		all = append(all, keepingBounds(name, keep)...)
	}
	return append(all,
		onUpdate("update-keeps-scopes", "Bounds/Updated Bounds/UpdatedWithTheKey", func(n *naive, r store.Record) error {
			if x := n.find(r.PK); x != nil {
				r.Scopes = x.Scopes
			}
			return n.slice.update(r)
		}),
		onUpdate("update-keeps-state", "Bounds/Updated Bounds/UpdatedWithTheKey", func(n *naive, r store.Record) error {
			if x := n.find(r.PK); x != nil {
				r.State = x.State
			}
			return n.slice.update(r)
		}),

		onList("scope-left-out", "Filters/Scope Filters/ScopeLast Filters/ScopeOfAll Filters/ScopePart Filters/ScopeEnd Filters/ScopeCase "+
			"Filters/ScopeAnyCharacter Filters/ScopePattern Filters/ScopeGlob Filters/ScopesTogether Filters/*?", func(q *store.Query) { q.Scope = "" }),
		onList("states-left-out", "Filters/OneState Filters/TwoStates Filters/NoneOfTheStates Filters/OtherState Filters/NoStates Filters/*?",
			func(q *store.Query) { q.States = nil }),
		onList("no-states-as-any", "Filters/NoStates", func(q *store.Query) {
			if len(q.States) == 0 {
				q.States = nil
			}
		}),
		onList("via-left-out", "Filters/Via Filters/ViaOther Filters/*?", func(q *store.Query) { q.Via = store.PK{} }),
		scoping("scope-as-part", "Filters/ScopePart Filters/ScopeEnd Filters/ScopesTogether", strings.Contains),
		scoping("scope-as-prefix", "Filters/ScopePart Filters/*?", func(scopes, scope string) bool {
			return strings.Contains(" "+scopes, " "+scope)
		}),
		scoping("scope-without-case", "Filters/ScopeCase Filters/Scope Filters/ScopesTogether", func(scopes, scope string) bool {
			return strings.Contains(" "+strings.ToLower(scopes)+" ", " "+strings.ToLower(scope)+" ")
		}),
		scoping("scope-as-like", "Filters/ScopeAnyCharacter Filters/ScopesTogether", func(scopes, scope string) bool {
			return strings.Contains(" "+strings.ReplaceAll(scopes, ":", "_")+" ", " "+scope+" ") || strings.Contains(" "+scopes+" ", " "+scope+" ")
		}),
		scoping("scope-includes-all", "Filters/Scope Filters/*?", func(scopes, scope string) bool {
			return scopes == "*" || strings.Contains(" "+scopes+" ", " "+scope+" ")
		}),
	)
}()

func ifEmpty(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}

// scoping returns a broken store that finds scopes in another way.
func scoping(name, fails string, has func(scopes, scope string) bool) broken {
	return listing(name, fails, func(s slice, q store.Query) []store.Record {
		if q.Scope == "" {
			return s.list(q)
		}
		all := q
		all.Scope = ""
		return slices.DeleteFunc(s.list(all), func(r store.Record) bool { return !has(r.Scopes, q.Scope) })
	})
}
