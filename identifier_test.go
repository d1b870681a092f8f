package authtoken_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// tail matches the random end of an identifier that was made.
const tail = "-[0-9abcdefghjkmnpqrstvwxyz]{4}"

func TestMadeIdentifiers(t *testing.T) {
	t.Parallel()
	x31 := strings.Repeat("x", 31)
	for name, c := range map[string]struct{ description, want string }{
		"a word":                {"Laptop", "laptop"},
		"several words":         {"  CI, of the 2nd  server. ", "ci-of-the-2nd-server"},
		"an apostrophe":         {"Alice's laptop", "alices-laptop"},
		"an umlaut":             {"Müller's laptop", "m-llers-laptop"},
		"nothing that fits":     {"日本語 … !", "token"},
		"no description":        {"", "token"},
		"white space":           {" \t\n", "token"},
		"hyphens":               {"--a__b--", "a-b"},
		"32 bytes":              {x31 + "y", x31 + "y"},
		"33 bytes":              {x31 + "yz", x31 + "y"},
		"a hyphen at the bound": {x31 + " yz", x31},
		"long":                  {strings.Repeat("one ", 200), strings.TrimSuffix(strings.Repeat("one-", 8), "-")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for by, access := range map[string]func(svc *authtoken.Service) *authtoken.Access{
				"trusted code": func(svc *authtoken.Service) *authtoken.Access { return &svc.Access },
				"a person":     func(svc *authtoken.Service) *authtoken.Access { return svc.As(alice.ID) },
			} {
				t.Run(by, func(t *testing.T) {
					t.Parallel()
					svc, _ := newService(t, authtoken.Policy{})
					token, key, err := access(svc).Create(t.Context(), authtoken.CreateParams{User: alice.ID, Description: c.description})
					require.NoError(t, err)
					require.Regexp(t, "^"+c.want+tail+"$", token.Identifier)
					require.Equal(t, strings.TrimSpace(c.description), token.Description)
					stored, err := svc.Get(t.Context(), token.Identifier)
					require.NoError(t, err)
					require.Equal(t, token, stored)
					check(t, svc, key.Reveal())
				})
			}
		})
	}
}

// Two users can both have a laptop.
func TestMadeIdentifiersDiffer(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	made := make(map[string]bool)
	for _, u := range []authtoken.User{alice, bob, carol, root} {
		for range 25 {
			token, _, err := svc.As(u.ID).Create(t.Context(), authtoken.CreateParams{Description: "Laptop"})
			require.NoError(t, err)
			made[token.Identifier] = true
		}
	}
	require.Len(t, made, 100)
}

// A wrong description is one fault, not two.
func TestNoIdentifierIsMadeOfAWrongDescription(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	_, _, err := svc.Create(t.Context(), authtoken.CreateParams{User: "7", Description: strings.Repeat("x", 999) + "\x00\xff"})
	requireFaults(t, err, "description is not valid UTF-8", "description is longer than 1000 characters", "description has a null character")
}

// crowded is a store in which so many identifiers are taken, whatever they are.
type crowded struct {
	store.Store
	taken int
	field store.Field
	tried []string
}

func (c *crowded) Create(ctx context.Context, r store.Record, limit int) error {
	c.tried = append(c.tried, r.Identifier)
	if len(c.tried) <= c.taken {
		return fmt.Errorf("wrapped: %w", &store.TakenError{Field: c.field})
	}
	return c.Store.Create(ctx, r, limit)
}

func TestIdentifierThatIsTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		identifier string
		field      store.Field
		taken      int
		tries      int
		want       []string // faults
	}{
		"none":               {"", store.FieldIdentifier, 0, 1, nil},
		"one":                {"", store.FieldIdentifier, 1, 2, nil},
		"eight":              {"", store.FieldIdentifier, 8, 9, nil},
		"more":               {"", store.FieldIdentifier, 9, 9, []string{"identifier is taken"}},
		"one that was given": {"laptop", store.FieldIdentifier, 1, 1, []string{"identifier is taken"}},
		"another field":      {"", store.FieldManaged, 1, 1, []string{"managed is taken"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := &crowded{Store: memory.New(), taken: c.taken, field: c.field}
			svc, err := authtoken.New(st, authtoken.Config{})
			require.NoError(t, err)
			token, key, err := svc.Create(t.Context(), authtoken.CreateParams{User: "7", Identifier: c.identifier, Description: "Laptop"})
			require.Len(t, st.tried, c.tries)
			different := make(map[string]bool)
			for _, identifier := range st.tried {
				require.Regexp(t, "^laptop("+tail+")?$", identifier)
				different[identifier] = true
			}
			require.Len(t, different, c.tries)
			if c.want != nil {
				requireFaults(t, err, c.want...)
				return
			}
			require.NoError(t, err)
			require.Equal(t, st.tried[c.tries-1], token.Identifier)
			require.Equal(t, token, check(t, svc, key.Reveal()).Token)
		})
	}
}

// The limit holds for tokens without a name, too.
func TestMadeIdentifiersAndMaxTokens(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{MaxTokens: 1})
	as := svc.As(alice.ID)
	_, _, err := as.Create(t.Context(), authtoken.CreateParams{Description: "Laptop"})
	require.NoError(t, err)
	_, _, err = as.Create(t.Context(), authtoken.CreateParams{Description: "Laptop"})
	requireFaults(t, err, "the owner has reached the limit of 1 tokens")
}
