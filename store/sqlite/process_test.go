package sqlite_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// The tests here run two processes on one file: this test binary, started again
// with a variable that has TestMain take a role instead of running tests.
const roleVariable = "AUTHTOKEN_SQLITE_TEST_ROLE"

// A role is what a child process does. It reports how often each thing happened.
type role func(ctx context.Context, path string, report func(string)) error

var roles = map[string]role{
	"create":    createSame,
	"increment": incrementOne,
	"churn":     churn,
}

func TestMain(m *testing.M) {
	name := os.Getenv(roleVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until all are
	var mu sync.Mutex
	counts := make(map[string]int)
	err := roles[name](context.Background(), os.Args[1], func(what string) {
		mu.Lock()
		defer mu.Unlock()
		counts[what]++
	})
	if err != nil {
		counts[err.Error()]++
	}
	_ = json.NewEncoder(os.Stdout).Encode(counts)
}

// play starts n processes in a role, lets them go at once and returns their reports.
func play(t *testing.T, n int, name, path string) []map[string]int {
	t.Helper()
	type child struct {
		in  io.WriteCloser
		out *bufio.Reader
		cmd *exec.Cmd
	}
	children := make([]child, n)
	for i := range children {
		cmd := exec.CommandContext(t.Context(), os.Args[0], path)
		cmd.Env = append(os.Environ(), roleVariable+"="+name)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		children[i] = child{in, bufio.NewReader(out), cmd}
	}
	for _, c := range children {
		line, err := c.out.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "ready\n", line)
	}
	for _, c := range children {
		_, err := io.WriteString(c.in, "go\n")
		require.NoError(t, err)
	}
	reports := make([]map[string]int, n)
	for i, c := range children {
		require.NoError(t, json.NewDecoder(c.out).Decode(&reports[i]))
		require.NoError(t, c.cmd.Wait())
	}
	return reports
}

const sameIdentifiers = 40

// createSame creates the same identifiers from 8 goroutines, in a file that
// isn't there yet.
func createSame(ctx context.Context, path string, report func(string)) error {
	s, err := sqlite.Open(path, sqlite.Config{})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range sameIdentifiers {
				r := token(i)
				r.PK, r.Digest = uuid.New(), [32]byte{}
				copy(r.Digest[:], r.PK[:])
				var taken *store.TakenError
				err := s.Create(ctx, r)
				switch {
				case err == nil:
					report("created " + r.Identifier)
				case errors.As(err, &taken):
					report("taken " + string(taken.Field))
				default:
					report(err.Error())
				}
			}
		})
	}
	wg.Wait()
	return s.Close()
}

func TestTwoProcessesCreateTheSame(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	total := make(map[string]int)
	for _, report := range play(t, 2, "create", path) {
		for what, n := range report {
			total[what] += n
		}
	}
	want := map[string]int{"taken identifier": (2*8 - 1) * sameIdentifiers}
	for i := range sameIdentifiers {
		want["created "+token(i).Identifier] = 1
	}
	require.Equal(t, want, total)
}

const increments = 10

// incrementOne adds one to the number in a token's description, from 8 goroutines.
func incrementOne(ctx context.Context, path string, report func(string)) error {
	s, err := sqlite.Open(path, sqlite.Config{})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for done := 0; done < increments; {
				r, err := s.Get(ctx, "counter")
				if err == nil {
					n, _ := strconv.Atoi(r.Description)
					r.Description = strconv.Itoa(n + 1)
					err = s.Update(ctx, r)
				}
				switch {
				case err == nil:
					done++
					report("updated")
				case !errors.Is(err, store.ErrStale):
					report(err.Error())
					return
				}
			}
		})
	}
	wg.Wait()
	return s.Close()
}

func TestTwoProcessesUpdateOneToken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	s, err := sqlite.Open(path, sqlite.Config{})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Create(t.Context(), store.Record{Identifier: "counter", Description: "0", Digest: store.Digest{1}}))

	for _, report := range play(t, 2, "increment", path) {
		require.Equal(t, map[string]int{"updated": 8 * increments}, report)
	}
	r, err := s.Get(t.Context(), "counter")
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(2*8*increments), r.Description)
	require.EqualValues(t, 2*8*increments, r.Version)
}

const churns = 8

// churn writes as much as it can from 64 goroutines, so that the file is locked
// nearly all the time.
func churn(ctx context.Context, path string, report func(string)) error {
	s, err := sqlite.Open(path, sqlite.Config{})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range churns {
				id := uuid.New()
				r := store.Record{PK: id, Identifier: id.String(), Digest: store.Digest(append(id[:], id[:]...))}
				err := s.Create(ctx, r)
				if err == nil {
					_, err = s.GetByDigest(ctx, r.Digest)
				}
				if err == nil {
					err = s.Touch(ctx, []store.Use{{PK: id, At: token(0).Created}})
				}
				if err == nil {
					err = s.Delete(ctx, id, 0)
				}
				if err != nil {
					report(err.Error())
					continue
				}
				report("done")
			}
		})
	}
	wg.Wait()
	return s.Close()
}

func TestTwoProcessesNeverFindTheFileLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	for _, report := range play(t, 2, "churn", path) {
		require.Equal(t, map[string]int{"done": 64 * churns}, report)
	}
}
