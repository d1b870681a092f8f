// Package torture has tests of what the store must survive among several
// processes, when they or the server are killed, and with a million tokens.
//
//	go test ./internal/torture                                 a little of each
//	go test -tags torture -timeout 1h -v ./internal/torture    all of it, some twenty minutes
//	go test ./internal/torture -run Killed -kills 20           as many kills as wanted
//
// With -v, the tests say how much they did.
package torture_test

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/internal/torture"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
)

var kills = flag.Int("kills", killsByDefault, "how often a process or the server is killed")

var server pgtest.Server

func TestMain(m *testing.M) {
	torture.Play(map[string]torture.Role{"live": live, "share": share, "within": within})
	os.Exit(server.Main(m))
}

// forever is as good as no end to trying again.
const forever = time.Hour

func openStore(t require.TestingT, dsn string, retryFor time.Duration) *postgres.Store {
	st, err := postgres.Open(context.Background(), dsn, postgres.Config{RetryFor: retryFor})
	require.NoError(t, err)
	return st
}

func newService(t require.TestingT, st store.Store, cfg authtoken.Config) *authtoken.Service {
	svc, err := authtoken.New(st, cfg)
	require.NoError(t, err)
	return svc
}
