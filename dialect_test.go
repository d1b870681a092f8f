package authtoken_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dialect are the words of authentik's API that this package must not know. Whoever
// never serves that API never meets them; httpadapter alone speaks it.
var dialect = []struct{ word, pattern string }{
	// The framework, and the language it is written in.
	{"Django", `(?i)django`},
	{"REST framework", `(?i)rest[ _]framework`},
	{"serializer", `(?i)seriali[sz]er`},
	{"queryset", `(?i)query ?set`},
	{"Python", `(?i)python`},
	{"slug", `(?i)slug`},

	// What it says about faults.
	{"This field", `(?i)this field`},
	{"Ensure this", `(?i)ensure this`},
	{"valid choice", `(?i)valid choice`},
	{"object does not exist", `(?i)object does not exist`},
	{"non_field_errors", `(?i)non_?field_?errors`},

	// What it calls things in requests.
	{"PUT", `\bP(?:UT|ATCH)\b`},
	{"user__username", `__`},
	{"ordering", `(?i)ordering`},
	{"page_size", `(?i)page_?size`},
	{"view_key", `(?i)(?:view|set)_key`},

	// How it describes users. A token has a PK, a user an ID.
	{"a user's pk", `(?i)\buser(?:'s|s)?[ _]?pks?\b|\bpks?\b.{0,20}\busers?\b`},
	{"pks", `(?i)\bpks\b`},
	{"user_obj", `(?i)user_?obj`},
	{"attributes", `(?i)attributes?\b`},
	{"groups and roles", `(?i)\b(?:groups|roles|avatar)\b`},
	{"token-maximum-lifetime", `(?i)goauthentik|maximum-lifetime`},
}

// TestNoDialect looks for the dialect in the files of this package. authentik's policy,
// which may be called by its name, may be described by its words.
func TestNoDialect(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	sources := make(map[string]string)
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			sources[name] = withoutAuthentik(t, name)
		}
	}
	require.Contains(t, sources, "policy.go")
	require.NotContains(t, sources["policy.go"], "func Authentik")
	require.Contains(t, sources["policy.go"], "func (p *Policy) check()")
	for _, d := range dialect {
		t.Run(d.word, func(t *testing.T) {
			t.Parallel()
			pattern := regexp.MustCompile(d.pattern)
			for name, source := range sources {
				for i, line := range strings.Split(source, "\n") {
					if word := pattern.FindString(line); word != "" {
						t.Errorf("%s:%d speaks authentik's dialect: %q", name, i+1, word)
					}
				}
			}
		})
	}
}

// withoutAuthentik returns a file with blanks in place of the function Authentik and
// its comment.
func withoutAuthentik(t *testing.T, name string) string {
	t.Helper()
	source, err := os.ReadFile(name)
	require.NoError(t, err)
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, name, source, parser.ParseComments)
	require.NoError(t, err)
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || f.Name.Name != "Authentik" {
			continue
		}
		for i := positions.Position(f.Doc.Pos()).Offset; i < positions.Position(f.End()).Offset; i++ {
			if source[i] != '\n' {
				source[i] = ' '
			}
		}
	}
	return string(source)
}

// TestDialectIsFound holds the patterns to what they must find, and what they must not.
func TestDialectIsFound(t *testing.T) {
	t.Parallel()
	for text, word := range map[string]string{
		"words of Django REST framework":          "Django",
		"the rest_framework":                      "REST framework",
		"This field is required.":                 "This field",
		`"x" is not a valid choice.`:              "valid choice",
		`json:"non_field_errors"`:                 "non_field_errors",
		"Replace is what PUT means":               "PUT",
		"a PATCH leaves":                          "PUT",
		"user__username is exact":                 "user__username",
		"func ParseOrdering(":                     "ordering",
		"white space as Python has it":            "Python",
		"UserPK int64":                            "a user's pk",
		"the pk of a user":                        "a user's pk",
		"user_pk":                                 "a user's pk",
		"Users(ctx, pks)":                         "pks",
		"Attributes map[string]any":               "attributes",
		"goauthentik.io/user/token-maximum":       "token-maximum-lifetime",
		`Enter a valid "slug"`:                    "slug",
		"TokenSerializer":                         "serializer",
		"Groups  []Group":                         "groups and roles",
		`user_obj`:                                "user_obj",
		"PK uuid.UUID":                            "",
		`slog.String("pk", e.Token.PK.String())`:  "",
		"ties go by PK":                           "",
		"pk, err := uuid.NewV7()":                 "",
		"usernames are searched if the Directory": "",
		"Output puts things in order":             "",
		`EventKeySet EventKind = "key_set"`:       "",
		"attrs = append(attrs, slog.String(":      "",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			var found []string
			for _, d := range dialect {
				if regexp.MustCompile(d.pattern).MatchString(text) {
					found = append(found, d.word)
				}
			}
			if word == "" {
				require.Empty(t, found)
			} else {
				require.Contains(t, found, word)
			}
		})
	}
}
