// Package httpadapter serves an authtoken.Service over HTTP. It has the paths and the
// messages of authentik's core/tokens API, so that authentik's own clients can use it:
//
//	h, err := httpadapter.New(svc, httpadapter.Config{})
//	mux.Handle("/api/v3/", h)
//
// It also guards the application's own routes: [RequireToken] admits only requests that
// carry a valid key.
//
//	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{})
//	mux.Handle("GET /reports", guard(reports))
//
// # The API
//
// The calls, below the base path:
//
//	POST   core/tokens/                           make a token
//	GET    core/tokens/                           list: identifier, intent, user__username, description, expires,
//	                                              expiring, managed, scope, suspended, via, search, ordering,
//	                                              page, page_size
//	GET    core/tokens/{identifier}/              read
//	PUT    core/tokens/{identifier}/              change what is named; the body must have identifier
//	PATCH  core/tokens/{identifier}/              change what is named
//	DELETE core/tokens/{identifier}/              revoke
//	GET    core/tokens/{identifier}/view_key/     show the key, if there is a Sealer
//	POST   core/tokens/{identifier}/set_key/      {"key": "…"}, for superusers
//	POST   core/tokens/{identifier}/rotate/       {"overlap": seconds}
//	POST   core/tokens/{identifier}/end_overlap/  stop the previous key
//	GET    core/tokens/{identifier}/used_by/      always empty
//	GET    schema/                                the OpenAPI document of all this
//
// Paths end in a slash, as authentik's do. A path without it is not found.
// http.ServeMux redirects a doubled slash before a handler sees it.
//
// If fields are wrong, the answer is 400, with the messages about all of them. The answer
// to any other error has a "detail". An answer with a single token has an ETag. PUT,
// PATCH, DELETE, set_key/, rotate/ and end_overlap/ honour If-Match.
//
// # Who may do what
//
// The handler only knows HTTP. The service decides who may do what.
// [Config].Authenticate returns who sent a request. By default, that is the key that the
// request carries as a bearer token: see For of authtoken.Service. If Authenticate reads a cookie, pages of
// other sites could make use of it: see [Config].CrossOrigin.
//
// # The guard
//
// RequireToken looks for a key in each [Source]: [FromBearer], [FromBasic], [FromHeader],
// or one of the application's. Behind it, [authtoken.PrincipalFrom] returns the token and
// its owner. If a key is refused, the answer is 401 and does not say why. If only a scope
// is missing, it is 403 and names the scopes that are needed. The application learns the
// reason of each refusal from the service's Observer, and from [GuardConfig].Refused unless
// it is a scope.
package httpadapter
