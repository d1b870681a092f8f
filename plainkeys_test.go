package authtoken_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plainKeys are the fields that hold a secret as it is, and why none gets out by
// them. A new one needs a line here and, in the test of what is printed and
// stored, a value that is looked for.
var plainKeys = map[string]string{
	"authtoken.Config.KeyPrefix": "what all keys begin with is no secret",
	"authtoken.Key.secret":       "Key prints redacted, and what is around it finds a pointer",
	"torture.lived.keys":         "the keys of tokens that are gone with a test",
	"authtokentest.Server.Key":   "the key of a server that is gone with its test",
}

// TestPlainKeys finds the fields of this module's types that are named like a
// secret and are text or bytes, which print as they are.
func TestPlainKeys(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`(?i)key|secret|password|plain`)
	found := make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"examples", "bench", "compat", ".git"}, path):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			declared, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			ast.Inspect(declared, func(n ast.Node) bool {
				field, ok := n.(*ast.Field)
				if !ok {
					return true
				}
				for _, name := range field.Names {
					if named.MatchString(name.Name) && textual(field.Type) {
						found[fmt.Sprintf("%s.%s.%s", file.Name, declared.Name, name)] = true
					}
				}
				_, isFunc := field.Type.(*ast.FuncType)
				return !isFunc // parameters are no fields
			})
			return false
		})
		return nil
	})
	require.NoError(t, err)
	for name := range found {
		require.Contains(t, plainKeys, name, "a field that looks like a secret, and prints as it is")
	}
	for name := range plainKeys {
		require.Contains(t, found, name, "there is no such field any more")
	}
}

// textual reports whether a type is text or bytes, or made of such.
func textual(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "string" || e.Name == "byte" || e.Name == "any"
	case *ast.StarExpr:
		return textual(e.X)
	case *ast.ArrayType:
		return textual(e.Elt)
	case *ast.MapType:
		return textual(e.Key) || textual(e.Value)
	}
	return false
}
