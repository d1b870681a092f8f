// Package memory keeps tokens in memory: for tests, and for applications that
// make their tokens anew at each start.
//
// Checking a key is one look-up in a map. Lists by identifier, of everything or
// of one owner, and lists by expiry are read from indexes that are kept in order,
// so that a page takes about as long with a million tokens as with a thousand;
// other orders, and searches, look at every token that the filters leave. A
// token takes less than half a kilobyte, short texts included, and what its sealed
// key takes, if there is one. Each owner takes about a hundred bytes beside.
package memory
