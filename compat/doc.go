// Package compat shows that what package httpadapter serves is what it says it
// serves, and what existing clients expect. It is a module of its own, so that
// nobody who imports the library gets what these tests need. There is nothing
// in it to import.
//
// Its tests show that
//
//   - httpadapter's own OpenAPI document is valid, every status that it names
//     for a call does occur, and every answer to the recorded scenarios is as
//     the document says: status, headers, body, and no field besides;
//   - the Go client of authentik, goauthentik.io/api/v3, gets what it asks for
//     with each call, the refused ones included, from servers over the memory
//     and the SQLite store, and each answer is valid by the OpenAPI document in
//     the client's own module as well as by ours;
//   - the calls that authentik's Terraform provider makes for a resource of type
//     authentik_token, one after the other, leave it with the state that it
//     expects.
//
// Two versions of the client are tried. Both have the same import path, so that
// each needs a go.mod of its own. What has nothing to do with the client need not
// be tried twice:
//
//	go test -race ./...                                             # v3.2024081.1
//	go test -race -modfile=client2024062.mod -skip TestGolden ./... # v3.2024062.1
//
// The two differ in that version only, which a test sees to. After a change of
// go.mod, copy it over and tidy both:
//
//	sed 's/v3.2024081.1/v3.2024062.1/' go.mod > client2024062.mod
//	go mod tidy && go mod tidy -modfile=client2024062.mod
//
// The client is large: with -race, it takes a minute or more to compile for the
// first time.
package compat
