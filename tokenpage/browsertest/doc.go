// Package browsertest tries package tokenpage in a real browser. It is a module of
// its own, so that nobody who imports the library gets what this needs. There is
// nothing in it to import.
//
// Its tests need Chromium (Debian has it as chromium), which they look for in the
// PATH, and axe-core, the accessibility checker, which they get from npm, in one
// version whose hash stands here. Where either can't be had, the tests that need it
// are skipped, unless AUTHTOKEN_BROWSER_REQUIRED=1 is set: then they fail.
//
//	AUTHTOKEN_BROWSER_REQUIRED=1 go test ./...
//
// This draws the pictures of the page that the documents show:
//
//	go test -run TestPictures -pictures ../../docs/images .
package browsertest
