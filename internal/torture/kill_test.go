package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// The life of a token in the test below. Every change is one version: it is
// created, renamed, rotated, renamed and rotated again, and then, seven out of
// eight, deleted. So the version tells all that there is to a token but its key,
// and that is reported.
const (
	lastVersion = 5
	deletedAs   = lastVersion + 1
)

// named returns the number that the name and the description of a token end
// with in this version: of the version that renamed it last.
func named(version int64) int64 {
	if version == 1 {
		return 1
	}
	return version &^ 1
}

func identifierIn(base string, version int64) string { return fmt.Sprint(base, "-", named(version)) }

// doomed reports whether a token is one of those that are deleted in the end.
func doomed(base string) bool { return base[len(base)-1]%8 != 0 }

// live takes tokens through their lives in 16 goroutines, until it is killed.
func live(path string, report func(string, ...any)) {
	st := openStore(inChild{}, path)
	svc := newService(inChild{}, st)
	t := inChild{}
	ctx := context.Background()
	together(16, func(int) {
		for {
			base := uuid.NewString()
			_, key, err := svc.Create(ctx, authtoken.CreateParams{
				Identifier: identifierIn(base, 1), Description: "1", User: 1, Expiring: new(false)})
			require.NoError(t, err)
			report("%s 1 %s", base, key.Reveal())
			for version := int64(2); version <= lastVersion; version++ {
				name := identifierIn(base, version-1)
				if version%2 == 0 {
					_, err := svc.Update(ctx, name, authtoken.UpdateParams{
						Identifier: new(identifierIn(base, version)), Description: new(strconv.FormatInt(version, 10))})
					require.NoError(t, err)
				} else {
					_, key, err = svc.Rotate(ctx, name, time.Hour)
					require.NoError(t, err)
				}
				report("%s %d %s", base, version, key.Reveal())
			}
			if doomed(base) {
				require.NoError(t, svc.Delete(ctx, identifierIn(base, lastVersion)))
				report("%s %d -", base, deletedAs)
			}
		}
	})
}

// lived is what has been acknowledged of a token.
type lived struct {
	version int64
	keys    map[int64]string // by the version that brought them
}

// TestKilledProcessLosesNothing kills processes at any moment: while they open
// the database, write to it or write the log back. What they were told is done
// is there afterwards, as a whole, whether another process had the
// database open meanwhile or not.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.db")
	acknowledged, longest := 0, int64(0)
	settled := make(map[string]int64) // the versions of the tokens of those killed before
	for n := range *kills {
		var witness *authtoken.Service
		if n%2 == 1 {
			st := openStore(t, path)
			witness = newService(t, st)
			t.Cleanup(func() { _ = st.Close() })
			tokens := liveAndDie(t, path, n)
			acknowledged += count(tokens)
			verify(t, witness, tokens, settled)
			require.NoError(t, st.Close())
		} else {
			tokens := liveAndDie(t, path, n)
			acknowledged += count(tokens)
			if info, err := os.Stat(path + "-wal"); err == nil {
				longest = max(longest, info.Size())
			}
			st := openStore(t, path)
			verify(t, newService(t, st), tokens, settled)
			require.NoError(t, st.Close())
		}
		requireSound(t, path)
	}
	require.Positive(t, acknowledged)
	t.Logf("%d kills, %d acknowledged changes, none lost; %d tokens left; the longest log left behind had %d bytes",
		*kills, acknowledged, len(settled), longest)
}

func count(tokens map[string]*lived) int {
	n := 0
	for _, l := range tokens {
		n += int(l.version)
	}
	return n
}

// liveAndDie has a process live until it is killed, the nth, and returns what was
// acknowledged to it.
func liveAndDie(t *testing.T, path string, n int) map[string]*lived {
	t.Helper()
	c := start(t, "live", path)
	c.letGo(t)
	killSoon := func(within time.Duration) { time.AfterFunc(rand.N(within), func() { _ = c.cmd.Process.Kill() }) }
	early := n%8 == 7 // while it opens the database
	if early {
		killSoon(40 * time.Millisecond)
	}
	tokens := make(map[string]*lived)
	for first := true; c.reports.Scan(); first = false {
		if first && !early {
			killSoon(killWithin * time.Millisecond)
		}
		fields := strings.Fields(c.reports.Text())
		version, err := strconv.ParseInt(fields[1], 10, 64)
		require.NoError(t, err)
		if version == 1 {
			tokens[fields[0]] = &lived{keys: make(map[int64]string)}
		}
		l := tokens[fields[0]]
		l.version = version
		if version%2 == 1 {
			l.keys[version] = fields[2]
		}
	}
	require.ErrorContains(t, c.cmd.Wait(), "killed")
	return tokens
}

// verify checks that tokens are there as they were acknowledged, or one change
// further, and that those that had settled before have not changed. Then all have
// settled.
func verify(t *testing.T, svc *authtoken.Service, tokens map[string]*lived, settled map[string]int64) {
	t.Helper()
	there := make(map[string]int64)
	for identifier, token := range all(t, svc) {
		base := identifier[:len(uuid.Nil.String())]
		require.Zero(t, there[base], "a token under two names")
		require.Equal(t, identifierIn(base, token.Version), identifier, "half a change")
		require.Equal(t, strconv.FormatInt(named(token.Version), 10), token.Description, "half a change")
		require.Equal(t, token.Version >= 3, !token.RetiredUntil.IsZero(), "half a change")
		there[base] = token.Version
	}
	for base, version := range settled {
		require.Equal(t, version, there[base], "a token that nobody has touched")
	}
	for base, l := range tokens {
		version, ok := there[base]
		if !ok {
			require.True(t, doomed(base), "a token that nobody deletes is gone")
			version = deletedAs
		}
		require.Contains(t, []int64{l.version, l.version + 1}, version)
		verifyKeys(t, svc, base, version, l.keys)
	}
	clear(settled)
	for base, version := range there {
		settled[base] = version
	}
}

// verifyKeys checks that of the keys that were acknowledged the present one and
// the one before are good, and no other.
func verifyKeys(t *testing.T, svc *authtoken.Service, base string, version int64, keys map[int64]string) {
	t.Helper()
	present := version - 1 + version%2
	for since, key := range keys {
		who, err := svc.Authenticate(t.Context(), key)
		if version == deletedAs || since < present-2 {
			require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
			continue
		}
		require.NoError(t, err, "version %d: the key of version %d", version, since)
		require.Equal(t, identifierIn(base, version), who.Token.Identifier)
	}
}
