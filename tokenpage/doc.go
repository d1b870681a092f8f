// Package tokenpage is a page on which people manage their own tokens: they list,
// make, rename, rotate and revoke them, and see when each expires and was last
// used. Superusers do so with everybody's.
//
// People name a token in their own words, such as "Müller's laptop". The name is the
// token's description, and any number of tokens can have the same one. The page
// shows the token's identifier small beside it, and never changes it: see
// [authtoken.CreateParams]. A token without a description is called by its identifier.
//
//	page, err := tokenpage.New(svc, tokenpage.Config{Authenticate: signedIn})
//	mux.Handle("/account/tokens", page)
//
// # Where to mount it
//
// Anywhere, on one path. All of its links, forms and redirects are queries such as
// "?do=edit&token=deploy", which a browser takes to be about the path it is at; so
// there is no prefix to strip or to configure, and a proxy may rename the path.
//
// # What the application provides
//
// Config.Authenticate says who is signed in. Whoever is not gets a plain 403:
// to send people to a sign-in page instead, guard the path as any other. The
// application's session cookie should be SameSite=Lax or Strict, and the site be
// served over HTTPS. Without it, browsers say less about where a request comes
// from, so that a proxy must then pass on the Host that it was asked for.
//
// # What it takes care of
//
// Who may do what is up to the service, in the name of whoever is signed in.
// Requests that change something are refused if a browser says that they come
// from another origin, and do nothing if the token was changed since the form
// was shown. After a change, a cookie named "tokenpage-done" tells the list what to
// say was done, once and for a minute at most. The key of a token is in the one
// answer to the request that made it, which must not be stored, and nowhere else. The
// page works without JavaScript.
//
// Its Content-Security-Policy allows no script, style or image but its own, and no
// frame around it.
package tokenpage
