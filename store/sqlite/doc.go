// Package sqlite stores tokens in a SQLite database: a file, which several processes
// may open at the same time, or memory. It is pure Go and needs no C compiler.
//
// [Open] opens a database of the store's own. [New] uses a database that the
// application has opened, and [Store.WithTx] a transaction of the application. All use
// the same tables.
//
// A write that returns without an error is on disk: it survives a crash of the process
// and a loss of power. [Config.Synchronous] or the application's handle can weaken
// this. Writes that arrive together share a commit.
//
// # The tables
//
// Open creates the tables and brings them up to date. For New the application does so,
// with [Migrate] or with a tool of its own that runs the SQL of [Migrations]. A schema
// only moves forward, and one that is newer than this release knows is refused.
// [Config.TablePrefix] lets several stores share a database.
//
// # In operation
//
// Several processes on one machine may use a file. Writes wait for each other, up to
// [Config.BusyTimeout]. In WAL mode, reads do not wait. [Store.Backup] copies the
// database while it is in use, and [Store.Ping] reports whether keys can be checked.
package sqlite
