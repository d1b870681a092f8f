// Package authtokentest is for tests of applications that use tokens. In one line, it makes
// a server with authentik's token API:
//
//	srv := authtokentest.NewServer(t)
//	client := myapp.NewClient(srv.URL, srv.Key)
//
// It also makes a service over the in-memory store, with a clock that the test moves:
//
//	svc, clock := authtokentest.NewService(t, authtoken.Config{})
//	clock.Advance(time.Hour)
//
// Everything stops when the test ends. If anything is wrong while it is set up, the test
// fails at once.
package authtokentest
