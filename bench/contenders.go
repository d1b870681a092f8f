package main

import (
	"crypto/rand"
	"encoding/base64"
)

// A contender is a way to keep tokens: ours, somebody else's, or none at all,
// which shows what can be had.
type contender struct {
	name    string
	keeps   string // where, and what a write that has returned has waited for
	ops     []string
	callers []int // how many it is measured with; nil for any number
	open    func(dir string) (keeper, error)
}

// Where tokens are kept. FULL means that a write that has returned is on disk;
// NORMAL, that the system will write it to disk some time later.
const (
	full   = "SQLite, FULL"
	normal = "SQLite, NORMAL"
	memory = "memory"
)

// Names of contenders.
const (
	own       = "authtoken"
	ownNormal = "authtoken, NORMAL"
	ownMemory = "authtoken, memory"

	raw        = "prepared statements"
	rawBatches = "prepared statements, 64 rows a commit"
	digestMap  = "SHA-256 and a map"

	scsSQLite         = "scs sqlite3store"
	scsMemory         = "scs memstore"
	dexSQLite         = "dex"
	dexMemory         = "dex, memory"
	oauth2Memory      = "go-oauth2, memory"
	pocketBase        = "PocketBase, FULL"
	pocketBaseShipped = "PocketBase as shipped, NORMAL"
)

// contenders are in the order in which they take turns: those that are compared
// follow each other.
var contenders = []contender{
	{rawBatches, full, []string{create}, []int{64}, openRawBatches},
	{own, full, []string{create, update, lookUp}, nil, openOwn},
	{raw, full, []string{create, update, lookUp}, nil, openRaw},
	{scsSQLite, full, []string{create, update, lookUp}, nil, openSCS},
	{dexSQLite, full, []string{create, update, lookUp}, nil, openDex},
	{pocketBase, full, []string{create, update, lookUp}, nil, openPocketBase},
	{pocketBaseShipped, normal, []string{create, update}, nil, openPocketBaseAsShipped},
	{ownNormal, normal, []string{create, update}, nil, openOwnNormal},
	{digestMap, memory, []string{lookUp}, nil, openDigestMap},
	{ownMemory, memory, []string{create, update, lookUp}, nil, openOwnMemory},
	{scsMemory, memory, []string{create, update, lookUp}, nil, openSCSMemory},
	{dexMemory, memory, []string{create, update, lookUp}, nil, openDexMemory},
	{oauth2Memory, memory, []string{create, lookUp}, nil, openOAuth2}, // which has no update
}

func contenderNamed(name string) (contender, bool) {
	for _, c := range contenders {
		if c.name == name {
			return c, true
		}
	}
	return contender{}, false
}

// newSecret makes a secret for those that leave it to their caller.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
