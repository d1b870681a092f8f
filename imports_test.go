package authtoken_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// arrows says which packages of this module each package imports, and may. A new
// package needs a line here and, as docs_test.go makes sure of, a place in the
// diagram of the architecture. Examples are left out: like any application, they
// import what they like.
var arrows = map[string][]string{
	".":               {"store"},
	"store":           nil,
	"store/memory":    {"store"},
	"store/sqlite":    {"store"},
	"store/storetest": {"store"},
	"httpadapter":     {"."},
	"tokenpage":       {"."},
	"leakreport":      {"."},
	"authtokentest":   {".", "httpadapter", "store/memory"},

	// For tests only: nothing here imports them.
	"internal/dearest": {".", "httpadapter", "store"},
	"internal/golden":  {".", "httpadapter", "store"},
	"internal/torture": {"."},
	"internal/turns":   nil,
}

// banned says what a package must not depend on, not even by way of others.
// What ends in a slash stands for everything below.
var banned = []struct {
	pkg, dependency, reason string
}{
	{".", "net/http", "tokens are managed in programs that serve no HTTP; that is for httpadapter"},
	{".", "database/sql", "the application chooses its store; the service knows the interface only"},
	{".", "github.com/jmoiron/sqlx", "whoever uses another store must not link it"},
	{".", "modernc.org/", "whoever uses another store must not link SQLite"},
	{".", "testing", "it registers flags in the program that imports it"},
	{"store", "testing", "it registers flags in the program that imports it"},
	{"store/memory", "database/sql", "it is for programs without a database"},
	{"store/memory", "github.com/jmoiron/sqlx", "it is for programs without a database"},
	{"store/memory", "modernc.org/", "it is for programs without a database"},
	{"store/memory", "testing", "it registers flags in the program that imports it"},
	{"store/sqlite", "net/http", "stores know nothing of HTTP"},
	{"store/sqlite", "testing", "it registers flags in the program that imports it"},
	{"httpadapter", "database/sql", "a handler gets a service, whatever that keeps its tokens in"},
	{"httpadapter", "modernc.org/", "a handler gets a service, whatever that keeps its tokens in"},
	{"httpadapter", "testing", "it registers flags in the program that imports it"},
	{"tokenpage", "database/sql", "a handler gets a service, whatever that keeps its tokens in"},
	{"tokenpage", "testing", "it registers flags in the program that imports it"},
	{"leakreport", "database/sql", "a handler gets a service, whatever that keeps its tokens in"},
	{"leakreport", "testing", "it registers flags in the program that imports it"},
}

func TestImports(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)
	for name, p := range packages {
		allowed, ok := arrows[name]
		if !ok {
			t.Errorf("%s has no line in the table of arrows", name)
		}
		for _, importPath := range p.Imports {
			if imported, ours := relative(importPath); ours && !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s, which the design has no arrow for", name, imported)
			}
		}
		for _, imported := range allowed {
			if !slices.Contains(p.Imports, path.Join(module, imported)) {
				t.Errorf("%s has an arrow to %s, which it does not import", name, imported)
			}
		}
	}
	for name := range arrows {
		if _, ok := packages[name]; !ok {
			t.Errorf("there is no package %s, but a line for it in the table of arrows", name)
		}
	}
	for _, b := range banned {
		for _, dependency := range packages[b.pkg].Deps {
			if dependency == b.dependency || strings.HasSuffix(b.dependency, "/") && strings.HasPrefix(dependency, b.dependency) {
				t.Errorf("%s depends on %s, but %s", b.pkg, dependency, b.reason)
			}
		}
	}
	for _, dependency := range packages["store"].Deps {
		if first, _, _ := strings.Cut(dependency, "/"); strings.Contains(first, ".") {
			t.Errorf("store depends on %s, but a store of one's own must not need more than the standard library", dependency)
		}
	}
}

type listedPackage struct {
	ImportPath string
	Imports    []string // without those of tests
	Deps       []string // imports of imports included
}

// listPackages returns the packages of this module but for examples, by their paths within it.
func listPackages(t *testing.T) map[string]listedPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())

	packages := make(map[string]listedPackage)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		name, ours := relative(p.ImportPath)
		require.True(t, ours, p.ImportPath)
		if !strings.HasPrefix(name, "examples/") {
			packages[name] = p
		}
	}
	return packages
}
