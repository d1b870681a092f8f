package authtoken_test

import (
	"go/build"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// Each relative link and image in a document leads to something that is here, and
// each anchor to a heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	found := 0
	for name, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, anchored := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			found++
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			} else if anchored && !slices.Contains(anchors(t, file), anchor) {
				t.Errorf("%s: %s has no such heading", name, m[1])
			}
		}
	}
	require.NotZero(t, found)
}

// Each test, each file and each make target that a document names is there. A file
// of Go may be named without its folder.
func TestNamesInDocuments(t *testing.T) {
	t.Parallel()
	var tests []string
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	var bare []string
	for name, source := range files(t, ".go") {
		bare = append(bare, path.Base(name))
		for _, m := range declared.FindAllStringSubmatch(source, -1) {
			tests = append(tests, m[1])
		}
	}
	makefile, err := os.ReadFile("Makefile")
	require.NoError(t, err)

	named := regexp.MustCompile("`([^`\n]+)`")
	test := regexp.MustCompile(`^(?:Test|Fuzz|Example)[A-Z]\w*$`)
	file := regexp.MustCompile(`^[\w-]+(?:/[\w.-]+)+\.(?:go|md|json|sql|svg|mod|yml)$`)
	goFile := regexp.MustCompile(`^\w+\.go$`)
	found := 0
	for name, text := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			target, isTarget := strings.CutPrefix(m[1], "make ")
			switch {
			case test.MatchString(m[1]):
				found++
				if !slices.Contains(tests, m[1]) {
					t.Errorf("%s: there is no %s", name, m[1])
				}
			case file.MatchString(m[1]):
				found++
				if _, err := os.Stat(m[1]); err != nil {
					t.Errorf("%s: there is no %s", name, m[1])
				}
			case goFile.MatchString(m[1]) && m[1] != "main.go":
				found++
				if !slices.Contains(bare, m[1]) {
					t.Errorf("%s: there is no %s", name, m[1])
				}
			case isTarget:
				found++
				if !strings.Contains(string(makefile), "\n"+target+": ##") {
					t.Errorf("%s: make has no target %s", name, target)
				}
			}
		}
	}
	require.NotZero(t, found)
}

func TestKeyPatternInDocuments(t *testing.T) {
	t.Parallel()
	require.Contains(t, documents(t)["docs/operations.md"], "`"+authtoken.KeyPattern("")+"`")
}

// The diagram of the architecture has the arrows that the design has, and those
// of the store that is a module of its own, and names all modules.
func TestDiagram(t *testing.T) {
	t.Parallel()
	_, text, ok := strings.Cut(documents(t)["docs/architecture.md"], "```mermaid\n")
	require.True(t, ok, "there is no diagram")
	diagram, _, _ := strings.Cut(text, "```")

	names := make(map[string]string) // by their ids in the diagram
	var all []string
	for _, m := range regexp.MustCompile(`(\w+)\["([^"<]+)`).FindAllStringSubmatch(diagram, -1) {
		name := strings.Replace(m[2], "authtoken", ".", 1)
		if strings.HasPrefix(m[2], "authtokentest") {
			name = m[2]
		}
		names[m[1]] = name
		all = append(all, name)
	}
	drawn := make(map[string][]string)
	for _, m := range regexp.MustCompile(`(?m)^\s*(\w+) --> (\w+)$`).FindAllStringSubmatch(diagram, -1) {
		from, to := names[m[1]], names[m[2]]
		require.True(t, from != "" && to != "", m[0])
		drawn[from] = append(drawn[from], to)
	}

	want := maps.Clone(arrows)
	want["store/postgres"] = importsOf(t, "store/postgres")
	for name, imported := range want {
		if !strings.HasPrefix(name, "internal/") { // those are for tests only
			require.Contains(t, all, name)
			require.ElementsMatch(t, imported, drawn[name], "arrows from %s", name)
		}
	}
	for from := range drawn {
		require.Contains(t, want, from, "arrows from what is no package")
	}
	for name := range files(t, "go.mod") {
		require.Contains(t, all, path.Dir(name), "a module that is not in the diagram")
	}
}

// importsOf returns which packages of ours the one in a folder imports, which may be
// in another module.
func importsOf(t *testing.T, dir string) []string {
	t.Helper()
	p, err := build.ImportDir(dir, 0)
	require.NoError(t, err)
	var imports []string
	for _, imported := range p.Imports {
		if name, ours := relative(imported); ours {
			imports = append(imports, name)
		}
	}
	return imports
}

// anchors returns the anchors that GitHub gives to the headings of a document.
func anchors(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	outside := regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAll(text, nil)
	var found []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllSubmatch(outside, -1) {
		plain := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(string(m[1])), "")
		found = append(found, strings.ReplaceAll(plain, " ", "-"))
	}
	return found
}

// documents returns all documents, by their paths.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := files(t, ".md")
	require.Contains(t, found, "README.md")
	return found
}
