package authtoken_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store/memory"
)

func TestKeyFormat(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{KeyPrefix: "acme"})
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	high := 0
	for i := range 200 {
		_, key := create(t, svc, authtoken.CreateParams{Identifier: fmt.Sprint("k", i)})
		require.Regexp(t, `^acme_[0-9A-Za-z]{49}$`, key)
		random := number(key[5:48])
		require.Negative(t, random.Cmp(limit), "32 bytes")
		high += int(random.Bit(255))
		require.EqualValues(t, crc32.ChecksumIEEE([]byte(key[:48])), number(key[48:]).Int64(), "checksum")
	}
	require.InDelta(t, 100, high, 60, "the highest bit is random too")
}

func TestGarbageIsRefusedBeforeTheStoreIsAsked(t *testing.T) {
	t.Parallel()
	slip := func(key string, i int) string { // puts another digit at i
		return key[:i] + string(base62[(strings.IndexByte(base62, key[i])+1)%62]) + key[i+1:]
	}
	for name, c := range map[string]struct {
		spoil func(key string) string
		asked int
	}{
		"nothing":             {func(string) string { return "" }, 0},
		"a letter":            {func(string) string { return "x" }, 0},
		"too short":           {func(string) string { return strings.Repeat("x", 31) }, 0},
		"too long":            {func(string) string { return strings.Repeat("x", 1025) }, 0},
		"far too long":        {func(string) string { return strings.Repeat("x", 1<<20) }, 0},
		"slip at the start":   {func(key string) string { return slip(key, 4) }, 0},
		"slip":                {func(key string) string { return slip(key, 10) }, 0},
		"slip before the sum": {func(key string) string { return slip(key, 46) }, 0},
		"slip in the sum":     {func(key string) string { return slip(key, 47) }, 0},
		"slip at the end":     {func(key string) string { return slip(key, 52) }, 0},

		// Keys of any other form are looked up.
		"just long enough": {func(string) string { return strings.Repeat("x", 32) }, 1},
		"with a hyphen":    {func(key string) string { return key[:20] + "-" + key[21:] }, 1},
		"longer than ours": {func(key string) string { return key + "x" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := &counting{Store: memory.New()}
			svc, err := authtoken.New(st, authtoken.Config{})
			require.NoError(t, err)
			_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
			_, err = svc.Authenticate(t.Context(), c.spoil(key))
			require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
			require.ErrorIs(t, err, authtoken.ErrRefused)
			require.Equal(t, c.asked, st.asked)
			check(t, svc, key)
		})
	}
}

func TestKeyPrintsRedacted(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	token, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "1"})
	require.NoError(t, err)
	type around struct {
		Exported   authtoken.Key
		unexported authtoken.Key
		Pointer    *authtoken.Key
	}
	var printed bytes.Buffer
	for _, v := range []any{key, &key, around{key, key, &key}, &around{key, key, &key}, []any{key}, map[string]any{"k": key}, token, svc} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err == nil {
			printed.Write(text)
		}
		slog.New(slog.NewTextHandler(&printed, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&printed, nil)).Info("m", "v", v)
	}
	secret := key.Reveal()
	require.NotContains(t, printed.String(), secret)
	require.NotContains(t, printed.String(), fmt.Sprintf("%x", secret))
	require.Contains(t, printed.String(), "[redacted]")
	require.Empty(t, authtoken.Key{}.Reveal())
}

var ownKey = regexp.MustCompile(`^` + strings.ReplaceAll(authtoken.KeyPattern(""), `\b`, "") + `$`)

// wrongChecksum reports whether key is of the form that services make, but for
// its checksum. It does the sum another way than the library.
func wrongChecksum(key string) bool {
	if !ownKey.MatchString(key) {
		return false
	}
	body, sum := key[:len(key)-6], key[len(key)-6:]
	return number(sum).Cmp(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body))))) != 0
}

// FuzzKey presents keys and sets them: what can't be a key never reaches the
// store, what may be one does, and what may be set is good afterwards.
func FuzzKey(f *testing.F) {
	const own = "tok_2s4vG2cJjUhcUsJ8ZvgdoeAZZTUSaGzjtQgCWtYhVkG1VLvZ8"
	for _, key := range []string{
		"", "tok_", own, own[:len(own)-1] + "9", own[:len(own)-1], own + "0", strings.Replace(own, "s", "-", 1),
		strings.Repeat("k", 31), strings.Repeat("k", 32), strings.Repeat("k", 1024), strings.Repeat("k", 1025),
		strings.Repeat("ü", 16), strings.Repeat("k", 31) + " ", strings.Repeat("k", 31) + "\x00", strings.Repeat("k", 31) + "\xff",
		strings.Repeat("\u2028", 11), strings.Repeat("k", 31) + "\u0085", "\ufeff" + own,
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		st := &counting{Store: memory.New()}
		svc, err := authtoken.New(st, authtoken.Config{})
		require.NoError(t, err)
		_, first, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "1"})
		require.NoError(t, err)

		_, err = svc.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
		possible := len(key) >= 32 && len(key) <= 1024 && !wrongChecksum(key)
		require.Equal(t, possible, st.asked > 0, "whether the store was asked")

		sendable := utf8.ValidString(key) && !strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
		err = svc.SetKey(t.Context(), "one", key)
		if possible && sendable {
			require.NoError(t, err)
			who, err := svc.Authenticate(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, "one", who.Token.Identifier)
			_, err = svc.Authenticate(t.Context(), first.Reveal())
			require.ErrorIs(t, err, authtoken.ErrKeyRetired)
			return
		}
		invalid, ok := errors.AsType[*authtoken.ValidationError](err)
		require.True(t, ok, err)
		for _, fault := range invalid.Fields {
			require.Equal(t, "key", fault.Field)
		}
		_, err = svc.Authenticate(t.Context(), first.Reveal())
		require.NoError(t, err, "nothing was set")
	})
}
