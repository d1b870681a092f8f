package authtoken_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// Each code has words, and no fault is the words alone.
func TestFieldErrorWords(t *testing.T) {
	t.Parallel()
	latest := time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)
	cases := []struct {
		fault authtoken.FieldError
		want  string
	}{
		{authtoken.FieldError{Field: "user", Code: authtoken.CodeRequired}, "user is required"},
		{authtoken.FieldError{Field: "identifier", Code: authtoken.CodeBlank}, "identifier must not be blank"},
		{authtoken.FieldError{Field: "identifier", Code: authtoken.CodeInvalid}, "identifier is invalid"},
		{authtoken.FieldError{Field: "managed", Code: authtoken.CodeNotText}, "managed is not valid UTF-8"},
		{authtoken.FieldError{Field: "managed", Code: authtoken.CodeNullCharacter}, "managed has a null character"},
		{authtoken.FieldError{Field: "key", Code: authtoken.CodeChecksum}, "key has a wrong checksum"},
		{authtoken.FieldError{Field: "description", Code: authtoken.CodeTooLong, Limit: 9}, "description is longer than 9 characters"},
		{authtoken.FieldError{Field: "key", Code: authtoken.CodeTooShort, Limit: 32}, "key is shorter than 32 bytes"},
		{authtoken.FieldError{Field: "expires", Code: authtoken.CodeTooLate, Latest: latest},
			"expires is after the latest time allowed: 2030-01-02T03:04:05.000006Z"},
		{authtoken.FieldError{Code: authtoken.CodeTooMany, Limit: 5}, "the owner has reached the limit of 5 tokens"},
		{authtoken.FieldError{Field: "words", Code: authtoken.CodeTooMany, Limit: 8}, "words has more than 8"},
		{authtoken.FieldError{Field: "intent", Code: authtoken.CodeChoice, Value: `"`}, `intent "\"" is not one of the choices`},
		{authtoken.FieldError{Field: "intent", Code: authtoken.CodeDenied, Value: "recovery"}, "intent may not be chosen or changed by this user"},
		{authtoken.FieldError{Field: "intent", Code: authtoken.CodeBeyondKey, Value: "recovery"}, "intent is beyond the limits of the acting key"},
		{authtoken.FieldError{Field: "expires", Code: authtoken.CodeBeyondKey, Latest: latest},
			"expires is after the acting key ends: 2030-01-02T03:04:05.000006Z"},
		{authtoken.FieldError{Field: "user", Code: authtoken.CodeNotFound, Value: "9\n"}, `user "9\n" does not exist`},
		{authtoken.FieldError{Field: "identifier", Code: authtoken.CodeTaken}, "identifier is taken"},
		{authtoken.FieldError{Field: "other", Code: "of an application"}, "other is invalid"},
	}
	seen := make(map[authtoken.Code]bool)
	for _, c := range cases {
		seen[c.fault.Code] = true
		t.Run(c.want, func(t *testing.T) {
			t.Parallel()
			require.EqualError(t, c.fault, c.want)
		})
	}
	for name, code := range codes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.True(t, seen[code], "there is no case for this code")
		})
	}
}

// codes returns the codes that are declared, by their names.
func codes(t *testing.T) map[string]authtoken.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	require.NoError(t, err)
	found := make(map[string]authtoken.Code)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Code" {
				text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				require.NoError(t, err)
				found[spec.Names[0].Name] = authtoken.Code(text)
			}
		}
		return true
	})
	require.NotEmpty(t, found)
	return found
}

func TestValidationError(t *testing.T) {
	t.Parallel()
	err := error(&authtoken.ValidationError{Fields: []authtoken.FieldError{
		{Field: "identifier", Code: authtoken.CodeTooLong, Limit: 255},
		{Field: "identifier", Code: authtoken.CodeInvalid},
		{Code: authtoken.CodeTooMany, Limit: 5},
	}})
	require.EqualError(t, err, "invalid input: identifier is longer than 255 characters; identifier is invalid; "+
		"the owner has reached the limit of 5 tokens")
	v, ok := errors.AsType[*authtoken.ValidationError](err)
	require.True(t, ok)
	for _, c := range []struct {
		field string
		code  authtoken.Code
		want  bool
	}{
		{"identifier", authtoken.CodeTooLong, true},
		{"identifier", authtoken.CodeInvalid, true},
		{"", authtoken.CodeTooMany, true},
		{"identifier", authtoken.CodeTooMany, false},
		{"user", authtoken.CodeInvalid, false},
	} {
		t.Run(c.field+"/"+string(c.code), func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, v.Has(c.field, c.code))
		})
	}
}
