//go:build !torture

package torture_test

// How much is done of each, so that it is enough to find what has broken and over
// in a moment.
const (
	killsByDefault = 4
	killWithin     = 150  // milliseconds
	sharedRounds   = 12   // by each of the goroutines of each of two processes
	swept          = 300  // tokens, by both of them
	revocations    = 3    // that the other process is to notice
	copied         = 2500 // tokens, which are some pages
)
