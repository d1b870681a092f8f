// Package compat tests that package httpadapter serves what its OpenAPI document says, and
// what existing clients expect. It is a module of its own, so that applications do not get
// the dependencies of these tests. It exports nothing.
//
// The tests check three things:
//
//   - The OpenAPI document of httpadapter is valid. Every status that it names for a call
//     occurs. Every answer to the recorded scenarios matches the document: the status, the
//     headers and the body, which has no other fields.
//   - authentik's Go client, goauthentik.io/api/v3, gets the expected answer to each call
//     and to each call that is refused, over the memory store and over the SQLite store.
//     Each answer matches the OpenAPI document in the client's own module as well as ours.
//   - authentik's Terraform provider gets the expected state from the calls that it makes
//     for a resource of type authentik_token.
//
// The tests run with two versions of the client. Both versions have the same import path,
// so each needs its own go.mod. The scenarios do not use the client, and run once:
//
//	go test -race ./...                                             # v3.2024081.1
//	go test -race -modfile=client2024062.mod -skip TestGolden ./... # v3.2024062.1
//
// The two files differ only in that version, which a test checks. After a change of go.mod,
// make the other file from it, and tidy both:
//
//	sed 's/v3.2024081.1/v3.2024062.1/' go.mod > client2024062.mod
//	go mod tidy && go mod tidy -modfile=client2024062.mod
//
// The client is large: with -race, the first compilation takes a minute or more.
package compat
