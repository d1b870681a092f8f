package torture

import (
	"context"
	"database/sql"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

var kills = flag.Int("kills", killsByDefault, "how many processes are killed")

var roles = map[string]Role{"live": live, "share": share}

func TestMain(m *testing.M) {
	Play(roles)
	os.Exit(m.Run())
}

func openStore(t require.TestingT, path string) *sqlite.Store {
	st, err := sqlite.Open(context.Background(), path, sqlite.Config{})
	require.NoError(t, err)
	return st
}

// stores are what the library is tortured with, and how each is closed.
var stores = map[string]func(t *testing.T) (st store.Store, closeStore func()){
	"memory": func(*testing.T) (store.Store, func()) { return memory.New(), func() {} },
	"SQLite": func(t *testing.T) (store.Store, func()) {
		path := filepath.Join(t.TempDir(), "tokens.db")
		st := openStore(t, path)
		return st, func() {
			require.NoError(t, st.Close())
			requireSound(t, path)
		}
	},
}

func newService(t require.TestingT, st store.Store) *authtoken.Service {
	svc, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	return svc
}

// requireSound has SQLite check a database that nobody has open.
func requireSound(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	var integrity string
	require.NoError(t, db.QueryRow("PRAGMA integrity_check").Scan(&integrity))
	require.Equal(t, "ok", integrity)
}

// requireGoroutines waits until there are no more goroutines than there were:
// some have been told to end, but nobody waits for them.
func requireGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
