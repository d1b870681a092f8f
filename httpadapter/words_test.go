package httpadapter

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// codes returns the codes that a file declares.
func codes(t *testing.T, path string) []authtoken.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	var found []authtoken.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		switch typ := spec.Type.(type) {
		case *ast.Ident:
			ok = typ.Name == "Code"
		case *ast.SelectorExpr:
			ok = typ.Sel.Name == "Code"
		default:
			ok = false
		}
		if ok {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			found = append(found, authtoken.Code(code))
		}
		return true
	})
	require.NotEmpty(t, found)
	return found
}

// A code that is added to the service needs words here.
func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	has := make(map[authtoken.Code]bool)
	for a := range sentences {
		has[a.code] = true
	}
	for _, code := range append(codes(t, "../errors.go"), codes(t, "words.go")...) {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			require.True(t, has[code])
		})
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault authtoken.FieldError
		want  string
	}{
		"a value":       {authtoken.FieldError{Field: "intent", Code: authtoken.CodeChoice, Value: "x"}, `"x" is not a valid choice.`},
		"a limit":       {authtoken.FieldError{Field: "description", Code: authtoken.CodeTooLong, Limit: 7}, "Ensure this field has no more than 7 characters."},
		"its own words": {authtoken.FieldError{Field: "identifier", Code: authtoken.CodeNotText}, invalidSlug},
		"another field": {authtoken.FieldError{Field: "description", Code: authtoken.CodeNotText}, "Not a valid string."},
		"no words":      {authtoken.FieldError{Field: "managed", Code: "unknown"}, "Enter a valid value."},

		// What was sent is not taken for a part of the sentence.
		"a hostile value": {authtoken.FieldError{Field: "user", Code: authtoken.CodeNotFound, Value: "{limit}"}, `Invalid pk "{limit}" - object does not exist.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, words(c.fault))
		})
	}
}
