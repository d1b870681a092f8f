package authtoken_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An example is copied: a server in it must not let slow clients hold on to its
// connections for ever.
func TestExampleServersHaveTimeouts(t *testing.T) {
	t.Parallel()
	servers := 0
	for name, source := range files(t, ".go") {
		if !slices.Contains(strings.Split(path.Dir(name), "/"), "examples") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if isHTTP(n, "ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS") {
					t.Errorf("%s: http.%s has no timeouts", name, n.Sel.Name)
				}
			case *ast.CompositeLit:
				if !isHTTP(n.Type, "Server") {
					break
				}
				servers++
				set := map[string]bool{}
				for _, e := range n.Elts {
					if field, ok := e.(*ast.KeyValueExpr); ok {
						set[field.Key.(*ast.Ident).Name] = true
					}
				}
				for _, timeout := range []string{"ReadHeaderTimeout", "ReadTimeout", "WriteTimeout", "IdleTimeout"} {
					if !set[timeout] {
						t.Errorf("%s: a server has no %s", name, timeout)
					}
				}
			}
			return true
		})
	}
	require.NotZero(t, servers)
}

// isHTTP reports whether e is one of these names of package net/http.
func isHTTP(e ast.Expr, names ...string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := s.X.(*ast.Ident)
	return ok && pkg.Name == "http" && slices.Contains(names, s.Sel.Name)
}
