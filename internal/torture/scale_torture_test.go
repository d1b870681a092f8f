//go:build torture

package torture

// How much is done of each, so that what happens rarely happens.
const (
	killsByDefault = 200
	killWithin     = 500
	sharedRounds   = 800
	cuts           = 1 << 30 // wherever there can be one
	changesEach    = 1000
	callsEach      = 4000
	cyclesEach     = 100
)
