package storetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// untested are the sentences of the contract that ask nothing of a store, or
// nothing that a test could notice.
var untested = []string{
	"Any other error means that the store itself failed.",
	"Callers match with errors.Is and errors.As, so wrapping is fine.",
	"They hold valid UTF-8 without NUL; the service sees to it.",
	"Whether and how long a retired key is good is for the caller to decide.",
	"Query selects records.",
	"Stores written in Go can leave it all to Query.Select and Query.Matcher",
	"FieldDigest is not for ordering; the service never asks for it.",
	"Word is one word of a search.",
	"Use says that a token was used.",
	"EarlierKey is a key that a token had before its retired one.",
	"when the key stopped being good",
	"the owner's ID",
	"names, separated by a space",
	"prefixes, separated by a space",
	"of the token that it was made through; zero for none",
	"may be empty",
	"empty for none",
	"of the current key; never zero",
	"Retired is the digest of the key before the last rotation, and RetiredUntil when that key stopped, or stops, being good.",
}

// TestRules keeps the suite and the contract in step: each case is about
// something that package store says, and each thing it says has a case.
func TestRules(t *testing.T) {
	t.Parallel()
	contract := contract(t)
	rules := slices.Clone(untested)
	for _, g := range groups() {
		for _, c := range g.cases {
			rules = append(rules, c.rule)
		}
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	for _, rule := range rules {
		if !slices.ContainsFunc(contract, func(text string) bool { return strings.Contains(text, rule) }) {
			t.Errorf("package store does not say what a case is about: %s", rule)
		}
	}
	for _, text := range contract {
		for _, sentence := range regexp.MustCompile(`.*?([.;] |$)`).FindAllString(text, -1) {
			sentence = strings.TrimRight(sentence, ".; ")
			if strings.IndexByte(sentence, ' ') < 0 { // a heading
				continue
			}
			if !slices.ContainsFunc(rules, func(rule string) bool {
				return strings.Contains(sentence, rule) || strings.Contains(rule, sentence)
			}) {
				t.Errorf("no case is about this: %s", sentence)
			}
		}
	}
}

// TestNames makes sure that a failure can be told from its name.
func TestNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, g := range groups() {
		for _, c := range g.cases {
			name := g.name + "/" + c.name
			if seen[name] || !regexp.MustCompile(`^\w+/\w+$`).MatchString(name) {
				t.Errorf("%s is there twice, or is not plain", name)
			}
			seen[name] = true
		}
	}
}

// contract returns the paragraphs that package store has about stores: what they
// all promise, the methods, and what the fields of queries and records mean.
func contract(t *testing.T) []string {
	t.Helper()
	var texts []string
	add := func(groups ...*ast.CommentGroup) {
		for _, g := range groups {
			texts = append(texts, strings.Split(g.Text(), "\n\n")...)
		}
	}
	for _, name := range []string{"../doc.go", "../store.go", "../query.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if _, promises, ok := strings.Cut(file.Doc.Text(), "# What every store promises"); ok {
			texts = append(texts, strings.Split(promises, "\n\n")...)
		}
		for _, decl := range file.Decls {
			decl, ok := decl.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				continue
			}
			switch spec := decl.Specs[0].(*ast.TypeSpec); spec.Name.Name {
			case "Query", "Word", "Use", "EarlierKey":
				add(decl.Doc)
				fallthrough
			case "Record", "Store":
				ast.Inspect(spec, func(n ast.Node) bool {
					if field, ok := n.(*ast.Field); ok {
						add(field.Doc, field.Comment)
					}
					return true
				})
			}
		}
	}
	for i, text := range texts {
		texts[i] = strings.NewReplacer("[", "", "]", "").Replace(strings.Join(strings.Fields(text), " "))
	}
	return slices.DeleteFunc(texts, func(text string) bool { return text == "" })
}
