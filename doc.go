// Package authtoken manages the API tokens of an application: it makes, lists, changes,
// checks, rotates, revokes and expires them. It runs in the application's process, over
// a store of the application's choice, and works without any configuration:
//
//	svc, err := authtoken.New(memory.New(), authtoken.Config{})
//	token, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "deploy", User: "7"})
//	who, err := svc.Authenticate(ctx, key.Reveal())
//
// # The words
//
//   - A token ([Token]) is the record of a permission: identifier, owner, intent, expiry.
//   - A key ([Key]) is the secret of a token, which a client sends. The store keeps only
//     its SHA-256, unless a [Sealer] encrypts it too. It prints as "[redacted]".
//   - The owner ([User]) is the user whom a token belongs to.
//   - The principal ([Principal]) is who sent a request, by a key or a session.
//   - The intent ([Intent]) is what a token is for, such as to call an API.
//   - The directory ([Directory]) looks up the users of the application.
//   - The policy ([Policy]) says what the application allows: lifetimes, intents, numbers.
//   - The scopes ([Scope]) are what a key permits. A limited key does not permit everything
//     that its owner may do, and a bounded one does not act on every token.
//   - A suspended token's key is refused for the time being. If it is locked, its owner can't
//     resume it.
//   - The revision ([Token.Revision]) tells one version of a token from the next.
//   - The actor is who calls a method of [Access]: trusted code, a person, or a key.
//   - The store ([store.Store]) keeps tokens in memory, SQLite or PostgreSQL.
//
// # What to read first
//
//  1. [New] and [Config] make a [Service]. Its methods are for trusted code.
//  2. [Access] has the methods to create, list, change and delete tokens. [Service.As] and
//     [Service.For] limit them to what a person or a key may do. Nothing else in this
//     module decides about permissions.
//  3. [Service.Check] and [Service.Authenticate] decide whether a key is accepted.
//  4. [Access.Rotate], [Access.SetKey] and [Access.Reveal] are about keys.
//  5. [Service.RunJanitor] deletes expired tokens. Nothing runs in the background unless
//     the application calls it. An [Observer] receives an [Event] for all that happens.
//  6. [Service.WithStore] works in a transaction of the application.
//
// Package httpadapter serves tokens over HTTP and guards routes with them. Package
// tokenpage is a page for people, and package authtokentest helps with tests.
//
// To read the code, start with access.go and principal.go, which say who acts. Then follow a
// create (service.go, validate.go, policy.go, and a file for each of scope, network,
// suspend and metadata), a check (authenticate.go, cache.go), and a list (list.go,
// cursor.go).
//
// # Errors
//
// A [*ValidationError] names the faults in the parameters of a call. Match other errors
// with errors.Is: [ErrNotFound], [ErrForbidden], [ErrStale], and [ErrRefused] for a key
// that is not accepted.
//
// # Time
//
// Times are in UTC and exact to the microsecond. The zero time.Time means none. Each
// decision is made at one reading of the clock.
package authtoken
