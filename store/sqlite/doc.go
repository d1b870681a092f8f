// Package sqlite keeps tokens in a SQLite database: a file, which several
// processes may have open at a time, or memory. It is written in Go throughout
// and needs no C compiler.
//
// [Open] is for a database of its own, [New] for one that the application has
// opened, with [Store.WithTx] for its transactions. Both keep the same tables.
//
// A write that has returned without an error is on disk, unless
// [Config.Synchronous], or the application's handle, says otherwise: it is there
// after a crash of the process and after a loss of power. Writes that arrive
// together share a commit.
//
// # The tables
//
// Open makes them and brings them up to date. For New the application does, by
// [Migrate], or by a tool of its own that runs what [Migrations] returns. A schema
// goes forward only, and one that is newer than this release knows is refused.
// [Config.TablePrefix] keeps apart several stores in one database.
//
// # At work
//
// Several processes of one machine may use a file. Writes wait for each other, for
// as long as [Config.BusyTimeout] says; reads don't wait, in WAL mode.
// [Store.Backup] copies the database meanwhile, and [Store.Check] tells a health
// endpoint whether keys can be checked.
package sqlite
