package authtoken_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// number reads base62 digits the slow way.
func number(digits string) *big.Int {
	n := new(big.Int)
	for _, c := range digits {
		n.Mul(n, big.NewInt(62))
		n.Add(n, big.NewInt(int64(strings.IndexRune(base62, c))))
	}
	return n
}

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

// counting counts how often the store is asked for a key.
type counting struct {
	store.Store
	asked int
}

func (c *counting) GetByDigest(ctx context.Context, d store.Digest) (store.Record, error) {
	c.asked++
	return c.Store.GetByDigest(ctx, d)
}

func TestGarbageIsRefusedBeforeTheStoreIsAsked(t *testing.T) {
	t.Parallel()
	st := &counting{Store: memory.New()}
	svc, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	_, key := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	slip := func(i int) string { // puts another digit at i
		return key[:i] + string(base62[(strings.IndexByte(base62, key[i])+1)%62]) + key[i+1:]
	}
	for _, garbage := range []string{
		"", "x", strings.Repeat("x", 31), strings.Repeat("x", 1025), strings.Repeat("x", 1<<20),
		slip(4), slip(10), slip(46), slip(47), slip(52),
	} {
		_, err := svc.Authenticate(t.Context(), garbage)
		require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
		require.ErrorIs(t, err, authtoken.ErrRefused)
	}
	require.Zero(t, st.asked)
	_, err = svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	for _, imported := range []string{strings.Repeat("x", 32), key[:20] + "-" + key[21:], key + "x"} {
		_, err = svc.Authenticate(t.Context(), imported)
		require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
	}
	require.Equal(t, 4, st.asked, "keys of any other form are looked up")
}

func TestSetKey(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	_, own := create(t, svc, authtoken.CreateParams{Identifier: "one"})
	_, taken := create(t, svc, authtoken.CreateParams{Identifier: "two"})
	wrongSum := own[:52] + string(base62[(strings.IndexByte(base62, own[52])+1)%62])

	for key, want := range map[string]string{
		"":                               "key: This field may not be blank.",
		strings.Repeat("k", 31):          "key: Ensure this field has at least 32 characters.",
		strings.Repeat("k", 1025):        "key: Ensure this field has no more than 1024 characters.",
		strings.Repeat("k", 32) + " k":   "key: Ensure this field has no spaces and no control characters.",
		strings.Repeat("k", 32) + "\x7f": "key: Ensure this field has no spaces and no control characters.",
		strings.Repeat("k", 32) + "\xff": "key: Ensure this field has no spaces and no control characters.",
		wrongSum:                         "key: The checksum of this key is wrong.",
		taken:                            "key: Token with this key already exists.",
	} {
		requireFaults(t, svc.SetKey(t.Context(), "one", key), want)
	}
	_, err := svc.Authenticate(t.Context(), own)
	require.NoError(t, err, "nothing has changed so far")

	key := strings.Repeat("ü", 16)
	require.NoError(t, svc.SetKey(t.Context(), "one", key))
	p, err := svc.Authenticate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, "one", p.Token.Identifier)
	_, err = svc.Authenticate(t.Context(), own)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	require.NoError(t, svc.SetKey(t.Context(), "one", key), "setting it again is no conflict")
	require.ErrorIs(t, svc.SetKey(t.Context(), "none", key), authtoken.ErrNotFound)
}

func TestMinKeyLength(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{MinKeyLength: 8})
	create(t, svc, authtoken.CreateParams{Identifier: "one"})
	require.NoError(t, svc.SetKey(t.Context(), "one", "12345678"))
	_, err := svc.Authenticate(t.Context(), "12345678")
	require.NoError(t, err)
}

func TestReveal(t *testing.T) {
	t.Parallel()
	sealer, err := authtoken.NewAESSealer(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	st := memory.New()
	sealing, err := authtoken.New(st, authtoken.Config{Sealer: sealer})
	require.NoError(t, err)
	plain, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	require.True(t, sealing.Reveals())
	require.False(t, plain.Reveals())

	_, key := create(t, sealing, authtoken.CreateParams{Identifier: "sealed"})
	_, _ = create(t, plain, authtoken.CreateParams{Identifier: "digest"})
	got, err := sealing.Reveal(t.Context(), "sealed")
	require.NoError(t, err)
	require.Equal(t, key, got.Reveal())
	_, err = sealing.Reveal(t.Context(), "digest")
	require.ErrorIs(t, err, authtoken.ErrNoSealer)
	_, err = plain.Reveal(t.Context(), "sealed")
	require.ErrorIs(t, err, authtoken.ErrNoSealer)
	_, err = sealing.Reveal(t.Context(), "none")
	require.ErrorIs(t, err, authtoken.ErrNotFound)

	// A sealed key moved to another row does not open.
	from, err := st.Get(t.Context(), "sealed")
	require.NoError(t, err)
	to, err := st.Get(t.Context(), "digest")
	require.NoError(t, err)
	to.Sealed = from.Sealed
	require.NoError(t, st.Update(t.Context(), to))
	_, err = sealing.Reveal(t.Context(), "digest")
	require.ErrorIs(t, err, authtoken.ErrNoSealer)
}

func TestKeyPrintsRedacted(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	token, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 1})
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
