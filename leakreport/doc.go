// Package leakreport receives reports of secret scanners about leaked keys, and suspends
// the tokens of those keys.
//
// It speaks the protocol of GitHub's secret scanning partner program: see
// https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partner-program.
// To join, tell GitHub the regular expression that [authtoken.KeyPattern] returns for your
// KeyPrefix, the type of your keys, such as "shop_api_token", and the URL of the handler.
//
//	reports, err := leakreport.New(svc, leakreport.Config{
//		Keys:  leakreport.GitHubKeys(&http.Client{Timeout: 10 * time.Second}),
//		Found: tellTheOwner,
//	})
//	mux.Handle("/leaked-keys", reports)
//
// # What a report does
//
//   - If the key is the current key of a token, the token is suspended. Its owner can't
//     resume it: only trusted code and superusers can.
//   - If the key has been replaced, its own overlap ends, if it is still running. Nothing
//     else changes: the current key is another one, and stays good.
//   - If no token has the key, nothing happens.
//
// So a report does no harm that trusted code can't undo. After a false alarm, resume the
// token. After a leak, rotate its key first.
//
// # Who may report
//
// Only reports with a valid signature are read. Otherwise the answers would tell anybody
// which keys exist.
package leakreport
