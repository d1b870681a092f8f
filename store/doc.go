// Package store is the contract between authtoken and whatever keeps its
// tokens: the [Store] interface, the [Record] it keeps, the [Query] it answers
// and the errors it returns. [Copy] copies the records of one store to another,
// and [TablePrefix] and [Migrations] help stores that use SQL. The package imports
// nothing but the standard library, so that a store of your own depends on nothing
// else.
//
// A store is dumb on purpose. It has no validation and no policy, and no token
// depends on a store's clock or randomness; all of those live in the service, and
// every store behaves the same because of it. Package storetest has a case for each
// sentence below: run it against your store and believe it, not your reading.
//
// # What every store promises
//
// Errors. A method that finds nothing returns an error matching [ErrNotFound];
// a write that would break a uniqueness rule returns a [*TakenError], which
// matches [ErrTaken]; a write based on an outdated version returns an error
// matching [ErrStale]; a Create beyond its limit returns an error matching
// [ErrLimit]. Any other error means that the store itself failed.
// Callers match with errors.Is and errors.As, so wrapping is fine. When a
// method returns an error, nothing has changed.
//
// Uniqueness. No two records share a PK, an Identifier, a Digest, or a Managed
// that is not empty. Identifiers and Managed are compared byte by byte: "A" and
// "a" differ. Retired and Earlier digests need not be unique.
//
// Visibility. Once a method has returned nil, every call that starts afterwards
// sees its effect, from any goroutine. A read sees all of a write or none of it.
//
// Concurrency. All methods may be called from any number of goroutines.
//
// Contexts. If ctx is done when a method is called, the method returns an
// error that matches ctx.Err() and changes nothing. If ctx ends while the
// method runs, the method either has had no effect and returns an error that
// matches ctx.Err(), or has had its whole effect and returns nil. While List or
// Count looks for words, it looks at ctx again at least every 100 records, or
// watches ctx.Done().
//
// Aliasing. What goes in and what comes out is the caller's: changing a Record,
// its Sealed bytes, its Earlier keys, a Query or a slice after the call changes
// nothing in the store.
//
// Text. Strings come back exactly as they went in. They hold valid UTF-8
// without NUL; the service sees to it.
//
// Users. A user ID is what the application knows a user by, such as a UUID, an
// email address or a number: text of 1 to 255 characters. IDs are compared byte by
// byte: "a" and "A" are two users, and so are "7" and "07". They sort by their length
// in bytes, and those of one length byte by byte, so that numbers sort as numbers:
// "9" before "10", and "Z" before "a".
//
// Times. Times are kept to the microsecond and come back in UTC; anything finer
// may be dropped. The zero time.Time stands for "none" and comes back as such.
// Any time from the year 1 to the year 9999 can be kept.
package store
