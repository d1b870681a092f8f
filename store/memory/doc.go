// Package memory stores tokens in memory: for tests, and for applications that create
// their tokens anew at each start.
//
// The check of a key is one look-up in a map. Lists of everything or of one owner by
// identifier, and lists by expiry, are read from sorted indexes: a page takes about as
// long with a million tokens as with a thousand. Other orders, and searches, look at
// every token that the filters leave. A token takes less than half a kilobyte, short
// texts included, plus its sealed key, if it has one. Each owner takes about a hundred
// bytes more.
package memory
