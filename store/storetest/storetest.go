package storetest

import (
	"testing"

	"github.com/authtoken/authtoken/store"
)

// Run checks that the stores that newStore makes are all that package store asks
// of a store. It calls newStore once for each case that writes and once for each
// group of cases that only read, from several goroutines at once. newStore
// returns an empty store that nobody else uses, and leaves to t.Cleanup what
// there is to clean up. Nothing in Run sleeps or reads a clock, and what is
// random is the same each time.
func Run(t *testing.T, newStore func(t *testing.T) store.Store) {
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			var shared subject
			if g.fixture != nil {
				shared = subject{t, newStore(t)}
				shared.create(g.fixture()...)
			}
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					t.Cleanup(func() {
						if t.Failed() {
							t.Logf("package store says: %s", c.rule)
						}
					})
					if g.fixture != nil {
						c.run(subject{t, shared.Store})
					} else {
						c.run(subject{t, newStore(t)})
					}
				})
			}
		})
	}
}

// group is the cases for one promise, or for one method. Those of a group with
// a fixture share a store that holds it, and only read.
type group struct {
	name    string
	fixture func() []store.Record
	cases   []testCase
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
		{"Errors", nil, errorCases},
		{"Uniqueness", nil, uniquenessCases},
		{"Visibility", nil, visibilityCases},
		{"Concurrency", nil, concurrencyCases},
		{"Contexts", nil, contextCases()},
		{"Aliasing", nil, aliasingCases},
		{"Text", nil, textCases},
		{"Users", members, userCases},
		{"UserPages", nil, userPageCases},
		{"Times", nil, timeCases},
		{"Create", nil, createCases},
		{"Limit", nil, limitCases},
		{"Bounds", nil, boundsCases},
		{"Get", nil, getCases},
		{"GetByDigest", nil, digestCases},
		{"Earlier", nil, earlierCases},
		{"Update", nil, updateCases},
		{"Delete", nil, deleteCases},
		{"List", nil, listCases},
		{"Filters", shelf, filterCases()},
		{"Words", prose, wordCases()},
		{"Order", pile, orderCases()},
		{"Pages", nil, pageCases},
		{"Count", nil, countCases},
		{"Purge", nil, purgeCases},
		{"Touch", nil, touchCases},
		{"Many", nil, manyCases},
		{"Random", nil, randomCases},
	}
}
