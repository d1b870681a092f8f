package storetest

import (
	"fmt"
	"strings"

	"github.com/authtoken/authtoken/store"
)

const (
	allWords  = "Words must all occur in a record."
	occurs    = "It occurs in a record if Text does, case aside, in the Identifier, Intent or Description, or if User is one of Users."
	caseAside = "Case aside means: A to Z equal a to z, and any other letter equals the one that unicode.ToLower makes of it, unless that is a letter from a to z."
	examples  = `So "É" equals "é", and the Kelvin sign does not equal "k".`
	nothing   = `Nothing else is special: "%", "_" and "*" stand for themselves.`
)

// prose returns records to search in, in order of their identifiers.
func prose() []store.Record {
	put := func(n int, identifier, intent, description string) store.Record {
		r := bare(n, identifier)
		r.Intent, r.User, r.Description = intent, fmt.Sprint(n), description
		r.Managed, r.LastUsedFrom = identifier+" managed-only", "remote-only"
		return r
	}
	return []store.Record{
		put(1, "Alpha-One", "api", "The quick brown fox"),
		put(8, "aaab", "api", ""),
		put(2, "beta", "recovery", `100% sure, 50_50 \ back*slash`),
		put(4, "delta", "app_password", "Kelvin \u212a, \u212bngström, İstanbul, ſecret"),
		put(3, "gamma", "api", "Élan vital, ÉTÉ à Ärmel"),
		put(6, "omega", "api", "a 'quoted' \"word\" in\ntwo lines"),
		put(7, "tab", "cd", "ef 😀👍🏽"),
		put(5, "ΟΔΟΣ", "verification", "straße naïve"),
	}
}

// searches returns queries of words and the records of the prose that they match.
func searches() []filter {
	all := []string{"Alpha-One", "aaab", "beta", "delta", "gamma", "omega", "tab", "ΟΔΟΣ"}
	text := func(name, rule, text string, want ...string) filter {
		return filter{name, rule, store.Query{Words: []store.Word{{Text: text}}}, want}
	}
	words := func(name, rule string, words []store.Word, want ...string) filter {
		return filter{name, rule, store.Query{Words: words}, want}
	}
	return []filter{
		text("Identifier", occurs, "eta", "beta"),
		text("Intent", occurs, "assword", "delta"),
		text("Description", occurs, "quick b", "Alpha-One"),
		text("WholeField", occurs, "beta", "beta"),
		text("OtherFields", occurs, "only"),
		text("AcrossFields", occurs, "bc"),
		text("AcrossFieldsSpaced", occurs, "tab cd"),
		text("Nowhere", occurs, "zzz"),
		text("Overlap", occurs, "aab", "aaab"),
		text("Spaces", occurs, "brown  fox"),
		text("SpaceBefore", occurs, " FOX", "Alpha-One"),
		text("SpaceBeforeNothing", occurs, " alpha"),
		text("SpaceAfterNothing", occurs, "beta "),
		text("Newline", occurs, "in\ntwo", "omega"),
		text("Long", occurs, strings.Repeat("x", 5000)),
		words("Users", occurs, []store.Word{{Text: "zzz", Users: []string{"5", "2", "2"}}}, "beta", "ΟΔΟΣ"),
		words("TextOrUsers", occurs, []store.Word{{Text: "alpha", Users: []string{"2"}}}, "Alpha-One", "beta"),
		words("NoUsers", occurs, []store.Word{{Text: "zzz", Users: []string{}}}),
		words("OtherUsers", occurs, []store.Word{{Text: "zzz", Users: []string{"-1", "99"}}}),

		words("NilWords", allWords, nil, all...),
		words("NoWords", allWords, []store.Word{}, all...),
		words("EmptyText", allWords, []store.Word{{}}, all...),
		words("EmptyTextAndUsers", allWords, []store.Word{{Users: []string{"1"}}}, all...),
		words("TwoWords", allWords, []store.Word{{Text: "fox"}, {Text: "brown"}}, "Alpha-One"),
		words("TwoFields", allWords, []store.Word{{Text: "API"}, {Text: "alpha"}}, "Alpha-One"),
		words("OneOfTwo", allWords, []store.Word{{Text: "alpha"}, {Text: "beta"}}),
		words("SameWordTwice", allWords, []store.Word{{Text: "beta"}, {Text: "BETA"}}, "beta"),
		words("OverlappingWords", allWords, []store.Word{{Text: "aaa"}, {Text: "aab"}}, "aaab"),
		words("WordAndUsers", allWords, []store.Word{{Text: "api"}, {Text: "zzz", Users: []string{"1", "2", "3"}}}, "Alpha-One", "gamma"),
		words("WordAndEmpty", allWords, []store.Word{{Text: "tab"}, {}}, "tab"),

		text("UpperCase", caseAside, "ALPHA-one", "Alpha-One"),
		text("LowerCase", caseAside, "the QUICK", "Alpha-One"),
		text("LowerAccent", examples, "élan", "gamma"),
		text("UpperAccent", examples, "ÉLAN VITAL", "gamma"),
		text("MixedAccents", examples, "étÉ À äRmEl", "gamma"),
		text("NoAccent", examples, "elan"),
		text("KelvinAsK", examples, "kelvin k"),
		text("Kelvin", examples, "KELVIN \u212a", "delta"),
		text("Angstrom", caseAside, "ångSTRÖM", "delta"), // the sign's lower case is the letter
		text("DottedI", caseAside, "İSTANBUL", "delta"),
		text("DottedIAsI", caseAside, "istanbul"), // its lower case is i
		text("LongS", caseAside, "ſECRET", "delta"),
		text("LongSAsS", caseAside, "secret"), // it is the S of the old, not a capital
		text("Sigma", caseAside, "οδοσ", "ΟΔΟΣ"),
		text("FinalSigma", caseAside, "οδος"), // another letter, and no capital
		text("SharpS", caseAside, "STRAẞE", "ΟΔΟΣ"),
		text("SharpSAsSS", caseAside, "STRASSE"),
		text("Composed", caseAside, "NAÏVE", "ΟΔΟΣ"),
		text("Decomposed", caseAside, "nai\u0308ve"),
		text("Emoji", caseAside, "😀", "tab"),
		text("EmojiWithoutTone", caseAside, "👍", "tab"),

		text("Percent", nothing, "%", "beta"),
		text("PercentInText", nothing, "100% S", "beta"),
		text("PercentAsWildcard", nothing, "q%k"),
		text("Underscore", nothing, "_", "beta", "delta"),
		text("UnderscoreInText", nothing, "0_5", "beta"),
		text("UnderscoreAsWildcard", nothing, "b_ta"),
		text("Asterisk", nothing, "*", "beta"),
		text("AsteriskInText", nothing, "K*S", "beta"),
		text("AsteriskAsWildcard", nothing, "b*a"),
		text("Backslash", nothing, `\`, "beta"),
		text("BackslashInText", nothing, `50 \ b`, "beta"),
		text("BackslashAsEscape", nothing, `\%`),
		text("QuestionMark", nothing, "b?ta"),
		text("Brackets", nothing, "[b]eta"),
		text("Dot", nothing, "b.ta"),
		text("Quote", nothing, "'quoted'", "omega"),
		text("DoubleQuote", nothing, `"WORD"`, "omega"),
		text("Statement", nothing, `' OR 1=1 --`),
	}
}

func wordCases() []testCase {
	var cases []testCase
	for _, f := range searches() {
		cases = append(cases, testCase{f.name, f.rule, func(s subject) {
			s.identifiers("List("+describe(f.q)+")", s.list(f.q), f.want...)
		}})
	}
	return cases
}
