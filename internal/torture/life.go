package torture

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
)

// The life of a token. Every change is one version: it is created, renamed,
// rotated, renamed and rotated again, and then, seven out of eight, deleted. So
// the version tells all that there is to a token but its key, and that is reported.
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

// What is reported of a change, instead of its key, if it failed.
const (
	mayBeDone = "?"
	notDone   = "!"
)

// Live takes a token through its life and reports each change: which token, its
// version and its key. If one fails, it reports that, and whether it may have been
// done all the same, which inDoubt tells from the error; and the life is over.
func Live(ctx context.Context, svc *authtoken.Service, inDoubt func(error) bool, report func(string, ...any)) error {
	base, key := uuid.NewString(), authtoken.Key{}
	for version := int64(1); version < deletedAs || version == deletedAs && doomed(base); version++ {
		var err error
		switch {
		case version == 1:
			_, key, err = svc.Create(ctx, authtoken.CreateParams{
				Identifier: identifierIn(base, 1), Description: "1", User: "1", Expiring: new(false)})
		case version == deletedAs:
			err = svc.Delete(ctx, identifierIn(base, lastVersion))
		case version%2 == 0:
			_, err = svc.Update(ctx, identifierIn(base, version-1), authtoken.UpdateParams{
				Identifier: new(identifierIn(base, version)), Description: new(strconv.FormatInt(version, 10))})
		default:
			_, key, err = svc.Rotate(ctx, identifierIn(base, version-1), time.Hour)
		}
		switch {
		case err == nil:
			report("%s %d %s", base, version, key.Reveal())
			continue
		case inDoubt(err):
			report("%s %d %s", base, version, mayBeDone)
		default:
			report("%s %d %s", base, version, notDone)
		}
		return err
	}
	return nil
}

// A Ledger holds what has been reported of lives, and checks it against what
// is there.
type Ledger struct {
	Acknowledged int // changes
	InDoubt      int // changes that may have been done
	Done         int // of those, the ones that Verify has found done
	Failed       int // changes that were said not to have been done

	lives   map[string]*lived
	settled map[string]int64 // the versions of the tokens that were there at the last Verify
}

// lived is what has been reported of a token.
type lived struct {
	version int64            // acknowledged
	keys    map[int64]string // by the version that brought them
	failed  string           // how the change to the next version has, if it has
}

// Note adds a report.
func (l *Ledger) Note(t assert.TestingT, words []string) {
	if !assert.Len(t, words, 3) {
		return
	}
	base, key := words[0], words[2]
	version, err := strconv.ParseInt(words[1], 10, 64)
	assert.NoError(t, err)
	if l.lives == nil {
		l.lives = make(map[string]*lived)
	}
	if l.lives[base] == nil {
		l.lives[base] = &lived{keys: make(map[int64]string)}
	}
	life := l.lives[base]
	assert.Equal(t, life.version+1, version)
	switch key {
	case mayBeDone:
		l.InDoubt++
		life.failed = key
	case notDone:
		l.Failed++
		life.failed = key
	default:
		l.Acknowledged++
		life.version = version
		if version%2 == 1 {
			life.keys[version] = key
		}
	}
}

// Verify checks that tokens are there as they were acknowledged, or one change
// further if nobody was told that it has failed, and that those that had settled before
// have not changed. Then all have settled.
func (l *Ledger) Verify(t *testing.T, svc *authtoken.Service) {
	t.Helper()
	there := make(map[string]int64)
	for identifier, token := range AllTokens(t, svc) {
		base := identifier[:len(uuid.Nil.String())]
		require.Zero(t, there[base], "a token under two names")
		require.Equal(t, identifierIn(base, token.Version), identifier, "half a change")
		require.Equal(t, strconv.FormatInt(named(token.Version), 10), token.Description, "half a change")
		require.Equal(t, token.Version >= 3, !token.RetiredUntil.IsZero(), "half a change")
		there[base] = token.Version
	}
	for base, version := range l.settled {
		require.Equal(t, version, there[base], "a token that nobody has touched")
	}
	for base, life := range l.lives {
		possible := []int64{life.version}
		if life.failed != notDone {
			possible = append(possible, life.version+1)
		}
		version, ok := there[base]
		if !ok && life.version > 0 {
			require.True(t, doomed(base), "a token that nobody deletes is gone")
			version = deletedAs
		}
		require.True(t, slices.Contains(possible, version), "version %d, and not one of %d", version, possible)
		if life.failed == mayBeDone && version > life.version {
			l.Done++
		}
		verifyKeys(t, svc, base, version, life.keys)
	}
	clear(l.lives)
	l.settled = there
}

// Left returns how many tokens there were at the last Verify.
func (l *Ledger) Left() int { return len(l.settled) }

// verifyKeys checks that of the keys that were acknowledged the present one and
// the one before are good, and that those before are known as its former ones.
func verifyKeys(t *testing.T, svc *authtoken.Service, base string, version int64, keys map[int64]string) {
	t.Helper()
	present := version - 1 + version%2
	for since, key := range keys {
		who, err := svc.Authenticate(t.Context(), key)
		switch {
		case version == deletedAs:
			require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
			continue
		case since < present-2:
			require.ErrorIs(t, err, authtoken.ErrKeyRetired)
			continue
		}
		require.NoError(t, err, "version %d: the key of version %d", version, since)
		require.Equal(t, identifierIn(base, version), who.Token.Identifier)
	}
}

// AllTokens returns all tokens by their identifiers.
func AllTokens(t require.TestingT, svc *authtoken.Service) map[string]authtoken.Token {
	tokens := make(map[string]authtoken.Token)
	for token, err := range svc.All(context.Background(), authtoken.Filter{}) {
		require.NoError(t, err)
		_, twice := tokens[token.Identifier] // require.NotContains would go through all of them
		require.False(t, twice, token.Identifier)
		tokens[token.Identifier] = token
	}
	return tokens
}
