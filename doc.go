// Package authtoken gives an application its own tokens: made, changed,
// checked, revoked and expired in process, over a store of the application's
// choice, with the rules of authentik's core/tokens API.
//
// A [Service] does the work. It needs a [store.Store] to keep tokens in, and
// works without any configuration:
//
//	svc, err := authtoken.New(memory.New(), authtoken.Config{})
//	token, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "deploy", User: "7"})
//	who, err := svc.Authenticate(ctx, key.Reveal())
//
// There are stores in memory, in SQLite and in PostgreSQL. Package httpadapter
// serves tokens over HTTP and guards routes with them, package tokenpage is a page
// for people, and package authtokentest helps with tests.
//
// # Who may do what
//
// The methods of a Service are for trusted code: they see every token and may
// do what the [Policy] allows at all. [Service.As] narrows them to what one
// user may see and do; whoever acts for a user, such as an HTTP handler, calls
// those. Nothing else in this module decides about permissions.
//
// # Keys
//
// The key of a token is returned once, when it is made. What is stored is its
// SHA-256, from which the key can't be recovered; random keys of 256 bits need
// no slower hash. With a [Sealer] configured, the key is also kept encrypted
// and can be shown again. A [Key] prints as "[redacted]" wherever it ends up.
//
// # The life of a token
//
// A token lives for as long as was asked for, within the Policy; 30 minutes if
// nothing was. From the instant at which it expires its key is refused.
// [Service.Rotate] gives it a new key, and [Service.Delete] and [Service.Revoke]
// end it at once. [Service.RunJanitor] deletes what has been expired for a while, and
// writes down when tokens were last used; nothing here runs in the background
// unless the application calls it. An [Observer] is told of all that happens.
//
// Changes are made in a transaction of the application's by [Service.WithStore].
//
// # Errors
//
// Faults in what a caller asked for come as one [*ValidationError] that names
// every wrong field. Everything else is matched with errors.Is: [ErrNotFound],
// [ErrForbidden], [ErrStale], and for keys that are not accepted [ErrRefused]
// or one of the more precise errors that match it.
//
// # Time
//
// Times are UTC and exact to the microsecond. The zero time.Time is "none".
// Each operation looks at the clock once.
package authtoken
