//go:build torture

package torture_test

// How much is done of each, so that what happens rarely happens.
const (
	killsByDefault = 60
	killWithin     = 500
	sharedRounds   = 400
	swept          = 20_000
	revocations    = 100
	copied         = 1_000_000
)
