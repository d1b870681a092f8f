// Package authtokentest gives tests a token service over the in-memory store, or
// a whole server that speaks authentik's token API, in one line:
//
//	srv := authtokentest.NewServer(t)
//	client := myapp.NewClient(srv.URL, srv.Key)
//
// A service alone, on a clock that the test moves:
//
//	svc, clock := authtokentest.NewService(t, authtoken.Config{})
//	clock.Advance(time.Hour)
//
// Everything stops and goes away with the test, and whatever goes wrong while it
// is set up fails the test at once.
package authtokentest
