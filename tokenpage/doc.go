// Package tokenpage is a page on which people manage their own tokens. They can list, make, limit,
// rename, rotate, suspend and revoke them, and see when each token expires and was last used.
// Superusers manage everybody's tokens.
//
// People name a token in their own words, such as "Müller's laptop". The name is the
// token's description. Any number of tokens can have the same name. Beside it, the page
// shows the token's identifier in small letters, and never changes it: see
// [authtoken.CreateParams]. If a token has no description, its identifier is its name.
//
//	page, err := tokenpage.New(svc, tokenpage.Config{Authenticate: signedIn})
//	mux.Handle("/account/tokens", page)
//
// # Where to mount it
//
// Mount it anywhere, on one path. All of its links, forms and redirects are queries such
// as "?do=edit&token=deploy", which browsers resolve against the present path. So there is
// no prefix to strip or to configure, and a proxy may rename the path.
//
// # What the application provides
//
// [Config].Authenticate returns who is signed in. If nobody is, the answer is a plain 403.
// To send people to a sign-in page instead, guard the path like any other.
//
// The application's session cookie should be SameSite=Lax or Strict, and the site should
// use HTTPS. Without HTTPS, browsers say less about the origin of a request. Then a proxy
// must pass on the Host header that it got.
//
// # What it takes care of
//
//   - The service decides what the user who is signed in may do.
//   - A request that changes something is refused if a browser says that it comes from
//     another origin.
//   - A form changes nothing if the token has changed since the form was shown.
//   - After a change, a cookie named "tokenpage-done" tells the list what was done. The
//     list says it once. The cookie lasts at most a minute.
//   - Only the answer to the request that made a key shows it. Browsers and proxies must
//     not store that answer.
//   - The page works without JavaScript.
//   - Its Content-Security-Policy allows only its own scripts, styles and images, and no
//     frame around it.
package tokenpage
