package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// errNone is why there is no server.
var errNone = errors.New("no PostgreSQL: neither " + EnvDSN + " is set nor are initdb, postgres and pg_isready to be found")

// What servers are set to.
const (
	fast    = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"
	durable = ""
)

// script makes a cluster in the directory $2 with the programs in $1, starts it
// with the settings $3, says so, and cleans up when its input ends. The input is a
// pipe from the process that runs the tests, which ends with that process, however it
// ends. For each line of it, the script waits for the server to end and starts it
// again: several times if need be, as what has outlived a killed server is in the
// way of the next.
//
// Texts sort by the rules of a language unless told otherwise, so that what is not
// told otherwise shows.
const script = `
run() {
	tries=0
	until "$1/pg_isready" -q -h "$2"; do
		if [ -z "$server" ] || ! kill -0 "$server" 2>/dev/null; then
			[ "$tries" -lt 100 ] || return 1
			tries=$((tries + 1))
			"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=200 \
				-c shared_buffers=64MB -c jit=off $3 >>"$2/log" 2>&1 &
			server=$!
		fi
		sleep 0.05
	done
	echo started
}
"$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --no-sync \
	--locale=C --locale-provider=icu --icu-locale=en-US >"$2/log" 2>&1 &&
run "$@" || cat "$2/log"
while read -r _; do
	{ wait "$server"; } 2>/dev/null # which would say how it ended
	server=
	run "$@" || cat "$2/log"
done
[ -z "$server" ] || { kill -QUIT "$server" && wait "$server"; }
rm -rf "$2"
`

// A cluster is a server of the tests' own, with its data in a directory.
type cluster struct {
	dir string
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a server that listens on a socket in a temporary directory.
func start(settings string) (*cluster, error) {
	programs, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "authtoken-pg-")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("sh", "-c", script, "sh", programs, dir, settings)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := unprivileged(cmd, dir); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	c := &cluster{dir, cmd, in, bufio.NewReader(out)}
	return c, c.started()
}

func (c *cluster) dsn() string {
	if c == nil {
		return ""
	}
	return "host=" + c.dir + " user=postgres dbname=postgres sslmode=disable"
}

// started waits for the script to say that the server has started.
func (c *cluster) started() error {
	line, err := c.out.ReadString('\n')
	if line == "started\n" {
		return nil
	}
	_ = c.in.Close()
	rest, _ := io.ReadAll(c.out)
	return fmt.Errorf("PostgreSQL does not start: %s%s: %w", line, rest, errors.Join(err, c.cmd.Wait()))
}

// stop stops the server and removes all of it.
func (c *cluster) stop() error {
	_ = c.in.Close()
	_, _ = io.Copy(io.Discard, c.out)
	_ = c.cmd.Wait() // whose status is that of the last command
	if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is still there", c.dir)
	}
	return nil
}

// Killable is a server of one test's own that keeps what it has committed,
// however it ends, and that can be killed and started again.
type Killable struct {
	Server
	cluster *cluster
}

// StartKillable starts a server that is gone when the test is over. If that can't
// be done the test is skipped, as for [Server.DSN].
func StartKillable(t testing.TB) *Killable {
	t.Helper()
	c, err := start(durable)
	if err != nil {
		mustRun(t, fmt.Errorf("a server to be killed can't be one that is there: %w", err))
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
	k := &Killable{cluster: c}
	k.once.Do(func() { k.own, k.dsn = c, c.dsn() })
	return k
}

// Kill sends a signal to the server's first process: SIGKILL, which leaves its
// other processes to themselves, or SIGQUIT, which is an immediate shutdown.
func (k *Killable) Kill(t testing.TB, sig syscall.Signal) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(k.cluster.dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	signal(t, pid, sig)
}

// KillOne sends SIGKILL to the process of one connection. The server takes it for a
// crash, ends all others and starts again by itself.
func (k *Killable) KillOne(t testing.TB) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), k.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	signal(t, int(conn.PgConn().PID()), syscall.SIGKILL)
}

func signal(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Signal(sig)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Restart waits until the server that was killed has ended, and returns when the
// next one takes connections.
func (k *Killable) Restart(t testing.TB) {
	t.Helper()
	_, err := io.WriteString(k.cluster.in, "\n")
	if err == nil {
		err = k.cluster.started()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// programs returns the directory of PostgreSQL's programs. Debian has them outside
// of the path, and the latest version last.
func programs() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range slices.Backward(dirs) {
		_, initdb := os.Stat(filepath.Join(dir, "initdb"))
		_, postgres := os.Stat(filepath.Join(dir, "postgres"))
		_, ready := os.Stat(filepath.Join(dir, "pg_isready"))
		if initdb == nil && postgres == nil && ready == nil {
			return dir, nil
		}
	}
	return "", errNone
}
