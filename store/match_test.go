package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

// fuse is a context that ends after it has been looked at a number of times.
type fuse struct {
	context.Context
	looks, after int
}

func (f *fuse) Err() error {
	if f.looks++; f.looks > f.after {
		return context.Canceled
	}
	return nil
}

func TestMatcherFoldsAsFoldDoes(t *testing.T) {
	t.Parallel()
	for r := rune(1); r <= unicode.MaxRune; r++ {
		// All that fold to one letter are in one orbit.
		for v := unicode.SimpleFold(r); v != r; v = unicode.SimpleFold(v) {
			q := store.Query{Words: []store.Word{{Text: string(r)}}}
			require.Equal(t, store.Fold(v) == store.Fold(r), q.Match(&store.Record{Description: string(v)}), "%U in %U", r, v)
		}
	}
}

func TestMatcher(t *testing.T) {
	t.Parallel()
	r := store.Record{Identifier: "Deploy", Intent: "api", Description: "Élan VITAL", User: "7"}
	for name, c := range map[string]struct {
		words []store.Word
		want  bool
	}{
		"none":                  {nil, true},
		"empty":                 {[]store.Word{{}}, true},
		"one in each field":     {[]store.Word{{Text: "DEP"}, {Text: "API"}, {Text: "élan"}}, true},
		"all in one field":      {[]store.Word{{Text: "élan"}, {Text: "vital"}, {Text: "n v"}}, true},
		"one is nowhere":        {[]store.Word{{Text: "élan"}, {Text: "nowhere"}, {Text: "vital"}}, false},
		"across fields":         {[]store.Word{{Text: "deployapi"}}, false},
		"by user":               {[]store.Word{{Text: "nowhere", Users: []string{"1", "7"}}}, true},
		"by another user":       {[]store.Word{{Text: "nowhere", Users: []string{"1", "2"}}}, false},
		"by user, and nowhere":  {[]store.Word{{Text: "a", Users: []string{"7"}}, {Text: "nowhere"}}, false},
		"by user, and by field": {[]store.Word{{Text: "nowhere", Users: []string{"7"}}, {Text: "vital"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := store.Query{Words: c.words}
			require.Equal(t, c.want, q.Match(&r))
			m := q.Matcher()
			for range 3 { // what it has seen before does not matter
				got, err := m.Match(t.Context(), &r)
				require.NoError(t, err)
				require.Equal(t, c.want, got)
				got, err = m.Match(t.Context(), &store.Record{})
				require.NoError(t, err)
				require.Equal(t, q.Match(&store.Record{}), got)
			}
		})
	}
}

// Words may have more different letters than a Matcher has codes for.
func TestMatcherOfManyLetters(t *testing.T) {
	t.Parallel()
	for _, n := range []rune{254, 255, 256, 300, 10_000} {
		var letters []rune
		for r := range n {
			letters = append(letters, 0x4e00+r) // which have no case
		}
		q := store.Query{Words: []store.Word{{Text: string(letters)}, {Text: "\u4e01\u4e02"}, {Text: "\u4e00", Users: []string{"7"}}}}
		for text, want := range map[string]bool{
			"<" + string(letters) + ">": true,
			string(letters[1:]):         false,
			string(letters[:n-1]):       false,
			string(letters[:n-1]) + "x": false,
			"x":                         false,
		} {
			require.Equal(t, want, q.Match(&store.Record{Description: text, User: "7"}), "%d letters", n)
		}
	}
}

// How many records there are between two looks depends on how long they are.
func TestMatcherLooksAtItsContext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text  int // bytes of a description
		every int // record, at least
	}{
		"short texts": {0, 64},
		"long texts":  {40_000, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const size = 640
			r := store.Record{Description: strings.Repeat("x", c.text)}
			q := store.Query{Words: []store.Word{{Text: "nowhere"}}}

			ctx := &fuse{t.Context(), 0, size}
			m := q.Matcher()
			for range size {
				_, err := m.Match(ctx, &r)
				require.NoError(t, err)
			}
			require.GreaterOrEqual(t, ctx.looks, size/c.every)

			ctx = &fuse{t.Context(), 0, 1}
			m = q.Matcher()
			done := 0
			for ; ; done++ {
				if _, err := m.Match(ctx, &r); err != nil {
					require.ErrorIs(t, err, context.Canceled)
					break
				}
			}
			require.LessOrEqual(t, done, c.every)
		})
	}
}

func TestSelectStops(t *testing.T) {
	t.Parallel()
	q := store.Query{Words: []store.Word{{Text: "token"}}, Order: []store.Order{{Field: store.FieldCreated}}}
	whole := &fuse{t.Context(), 0, 1 << 30}
	records := contents(t, filled(t, 2000))
	want, err := q.Select(whole, slices.Clone(records))
	require.NoError(t, err)
	require.Len(t, want, 2000)
	require.Greater(t, whole.looks, 2000/64+10, "for sorting, too")
	for looks := range whole.looks {
		got, err := q.Select(&fuse{t.Context(), 0, looks}, slices.Clone(records))
		require.ErrorIs(t, err, context.Canceled, looks)
		require.Empty(t, got)
	}
}
