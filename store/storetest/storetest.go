// Package storetest checks that a store keeps the promises of package store: one
// case for each sentence of the contract.
//
// A store of your own needs one test:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			s, err := mystore.Open(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { s.Close() })
//			return s
//		})
//	}
//
// Run it with -race. A case that fails ends with the sentence it is about.
package storetest

import (
	"testing"

	"github.com/authtoken/authtoken/store"
)

// Run checks that the stores that newStore makes are all that package store asks
// of a store. It calls newStore once for each case, from several goroutines at
// once; newStore returns an empty store that no other case sees, and leaves
// to t.Cleanup what there is to clean up. Nothing in Run sleeps or reads a clock,
// and what is random is the same each time.
func Run(t *testing.T, newStore func(t *testing.T) store.Store) {
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					t.Cleanup(func() {
						if t.Failed() {
							t.Logf("package store says: %s", c.rule)
						}
					})
					c.run(subject{t, newStore(t)})
				})
			}
		})
	}
}

// group is the cases for one promise, or for one method.
type group struct {
	name  string
	cases []testCase
}

type testCase struct {
	name string
	rule string // what the contract says, word for word
	run  func(s subject)
}

// groups returns the cases anew, so that no store can spoil those of another by
// changing what it is given.
func groups() []group {
	return []group{
		{"Errors", errorCases},
		{"Uniqueness", uniquenessCases},
		{"Visibility", visibilityCases},
		{"Concurrency", concurrencyCases},
		{"Contexts", contextCases()},
		{"Aliasing", aliasingCases},
		{"Text", textCases},
		{"Times", timeCases},
		{"Create", createCases},
		{"Get", getCases},
		{"GetByDigest", digestCases},
		{"Update", updateCases},
		{"Delete", deleteCases},
		{"List", listCases()},
		{"Order", orderCases()},
		{"Pages", pageCases},
		{"Words", wordCases()},
		{"Count", countCases},
		{"Purge", purgeCases},
		{"Touch", touchCases},
		{"Random", randomCases},
	}
}
