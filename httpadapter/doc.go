// Package httpadapter serves an authtoken.Service over HTTP, under the paths
// and in the words of authentik's core/tokens API, so that authentik's own
// clients can use it:
//
//	h, err := httpadapter.New(svc, httpadapter.Config{})
//	mux.Handle("/api/v3/", h)
//
// and guards the application's own routes with keys, by [RequireToken]:
//
//	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{})
//	mux.Handle("GET /reports", guard(reports))
//
// # The API
//
// The calls, below the base path:
//
//	POST   core/tokens/                        make a token
//	GET    core/tokens/                        list: identifier, intent, user__username, description, expires,
//	                                           expiring, managed, search, ordering, page, page_size
//	GET    core/tokens/{identifier}/           read
//	PUT    core/tokens/{identifier}/           replace
//	PATCH  core/tokens/{identifier}/           change what is named
//	DELETE core/tokens/{identifier}/           revoke
//	GET    core/tokens/{identifier}/view_key/  show the key, if there is a Sealer
//	POST   core/tokens/{identifier}/set_key/   {"key": "…"}, for superusers
//	POST   core/tokens/{identifier}/rotate/    {"overlap": seconds}
//	GET    core/tokens/{identifier}/used_by/   always empty
//	GET    schema/                             the OpenAPI document of all this
//
// Paths end in a slash, as authentik's do; without it they are not found.
// http.ServeMux redirects a doubled slash before a handler sees it.
//
// Wrong fields are answered with 400, all at once, each with its messages; all else
// that goes wrong with a "detail". Answers with a single token have an ETag, and
// PUT, PATCH and DELETE honour If-Match.
//
// # Who may do what
//
// The handler decides about HTTP only: who may do what is up to the service, in
// the name of whomever the request's credentials belong to. That is whom
// [Config].Authenticate names: by default, the owner of the key that comes as a
// bearer token. If it reads a cookie, a page of another site might use it: see
// [Config].CrossOrigin.
//
// # The guard
//
// RequireToken looks for a key in the [Source] values it is given: [FromBearer],
// [FromBasic], [FromHeader], or one of the application's. Behind it, [Principal]
// has the token and its owner. Whoever is refused is told 401, and not why; the
// application is, by the service's Observer and by [GuardConfig].Refused.
package httpadapter
