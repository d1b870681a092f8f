package sqlite_test

import (
	"bufio"
	"context"
	"crypto/sha256"
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

// The tests here have several processes use one file: this test binary, started
// again with a variable that has TestMain play a role instead of running tests.
const roleVariable = "AUTHTOKEN_SQLITE_TEST_ROLE"

// A role is what a child process does. What it reports is known to its parent
// when report returns.
type role func(ctx context.Context, s *sqlite.Store, report func(string))

var roles = map[string]role{
	"create":    createSame,
	"within":    createWithin,
	"increment": incrementOne,
	"churn":     churn,
}

func TestMain(m *testing.M) {
	name := os.Getenv(roleVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	report := func(what string) { _, _ = os.Stdout.WriteString(what + "\n") }
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until all are ready
	if name == "migrate" {
		migrate(os.Args[1], report)
		return
	}
	s, err := sqlite.Open(context.Background(), os.Args[1], sqlite.Config{})
	if err == nil {
		roles[name](context.Background(), s, report)
		err = s.Close()
	}
	if err != nil {
		report(err.Error())
	}
}

// A child is a process in a role.
type child struct {
	cmd     *exec.Cmd
	in      io.Writer
	reports *bufio.Scanner
}

func start(t *testing.T, name, path string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], path)
	cmd.Env = append(os.Environ(), roleVariable+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return &child{cmd, in, bufio.NewScanner(out)}
}

func (c *child) letGo(t *testing.T) {
	t.Helper()
	_, err := io.WriteString(c.in, "\n")
	require.NoError(t, err)
}

// play has two processes play a role at once and returns how often each reported
// what.
func play(t *testing.T, name, path string) [2]map[string]int {
	t.Helper()
	children := [2]*child{start(t, name, path), start(t, name, path)}
	var counts [2]map[string]int
	var wg sync.WaitGroup
	for i, c := range children {
		counts[i] = make(map[string]int)
		c.letGo(t)
		wg.Go(func() {
			for c.reports.Scan() {
				counts[i][c.reports.Text()]++
			}
		})
	}
	wg.Wait()
	for _, c := range children {
		require.NoError(t, c.cmd.Wait())
	}
	return counts
}

// together has n goroutines do f.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

const sameIdentifiers = 40

// createSame creates the same identifiers from 8 goroutines.
func createSame(ctx context.Context, s *sqlite.Store, report func(string)) {
	together(8, func(int) {
		for i := range sameIdentifiers {
			id := uuid.New()
			r := store.Record{PK: id, Identifier: fmt.Sprint(i), Digest: sha256.Sum256(id[:])}
			err := s.Create(ctx, r, 0)
			if err == nil {
				report("created " + r.Identifier)
				continue
			}
			report(err.Error())
		}
	})
}

func TestTwoProcessesCreateTheSame(t *testing.T) {
	t.Parallel()
	total := make(map[string]int)
	for _, counts := range play(t, "create", filepath.Join(t.TempDir(), "new.db")) {
		for what, n := range counts {
			total[what] += n
		}
	}
	want := map[string]int{(&store.TakenError{Field: store.FieldIdentifier}).Error(): (2*8 - 1) * sameIdentifiers}
	for i := range sameIdentifiers {
		want["created "+strconv.Itoa(i)] = 1
	}
	require.Equal(t, want, total)
}

const attempts, ownersLimit = 50, 10

// createWithin tries to create tokens of one owner within a limit, from 5
// goroutines.
func createWithin(ctx context.Context, s *sqlite.Store, report func(string)) {
	together(5, func(int) {
		for range attempts / 5 {
			id := uuid.New()
			r := store.Record{PK: id, Identifier: id.String(), User: "7", Digest: sha256.Sum256(id[:])}
			err := s.Create(ctx, r, ownersLimit)
			if err == nil {
				report("created")
				continue
			}
			report(err.Error())
		}
	})
}

func TestTwoProcessesCreateWithinALimit(t *testing.T) {
	t.Parallel()
	for range 5 {
		path := filepath.Join(t.TempDir(), "new.db")
		total := make(map[string]int)
		for _, counts := range play(t, "within", path) {
			for what, n := range counts {
				total[what] += n
			}
		}
		require.Equal(t, map[string]int{"created": ownersLimit, store.ErrLimit.Error(): 2*attempts - ownersLimit}, total)
		s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
		require.NoError(t, err)
		n, err := s.Count(t.Context(), store.Query{})
		require.NoError(t, err)
		require.Equal(t, ownersLimit, n)
		require.NoError(t, s.Close())
	}
}

const increments = 10

// incrementOne adds to the number in a token's description, from 8 goroutines.
func incrementOne(ctx context.Context, s *sqlite.Store, report func(string)) {
	together(8, func(int) {
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

func TestTwoProcessesUpdateOneToken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Config{})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Create(t.Context(), store.Record{Identifier: "counter", Description: "0", Digest: store.Digest{1}}, 0))

	for _, counts := range play(t, "increment", path) {
		require.Equal(t, map[string]int{"updated": 8 * increments}, counts)
	}
	r, err := s.Get(t.Context(), "counter")
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(2*8*increments), r.Description)
	require.EqualValues(t, 2*8*increments, r.Version)
}

const churns = 8

// churn writes as much as it can from 64 goroutines, so that the file is locked
// nearly all the time.
func churn(ctx context.Context, s *sqlite.Store, report func(string)) {
	together(64, func(int) {
		for range churns {
			id := uuid.New()
			r := store.Record{PK: id, Identifier: id.String(), Digest: sha256.Sum256(id[:])}
			err := s.Create(ctx, r, 0)
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

func TestTwoProcessesNeverFindTheFileLocked(t *testing.T) {
	t.Parallel()
	for _, counts := range play(t, "churn", filepath.Join(t.TempDir(), "new.db")) {
		require.Equal(t, map[string]int{"done": 64 * churns}, counts)
	}
}
