//go:build !torture

package torture

// How much is done of each, so that it is enough to find what has broken and over
// in a moment.
const (
	killsByDefault = 3
	killWithin     = 80 // milliseconds
	sharedRounds   = 25 // by each of the goroutines of each of two processes
	cuts           = 12 // of a database, and of a log
	changesEach    = 15 // by each of 16 writers of one token
	callsEach      = 60 // that are cancelled, by each of 8 goroutines
	cyclesEach     = 1  // of ten requests, over each of 64 connections, between two looks
)
