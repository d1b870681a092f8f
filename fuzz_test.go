package authtoken_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// asked is a store that notes whether it was asked for a key.
type asked struct {
	store.Store
	forKey bool
}

func (a *asked) GetByDigest(ctx context.Context, digest store.Digest) (store.Record, error) {
	a.forKey = true
	return a.Store.GetByDigest(ctx, digest)
}

var ownKey = regexp.MustCompile(`^` + strings.ReplaceAll(authtoken.KeyPattern(""), `\b`, "") + `$`)

// wrongChecksum reports whether key is of the form that services make, but for
// its checksum. It does the sum another way than the library.
func wrongChecksum(key string) bool {
	if !ownKey.MatchString(key) {
		return false
	}
	body, sum := key[:len(key)-6], key[len(key)-6:]
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	n := new(big.Int)
	for _, d := range sum {
		n.Mul(n, big.NewInt(62)).Add(n, big.NewInt(int64(strings.IndexRune(digits, d))))
	}
	return n.Cmp(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body))))) != 0
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
		st := &asked{Store: memory.New()}
		svc, err := authtoken.New(st, authtoken.Config{})
		require.NoError(t, err)
		_, first, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 1})
		require.NoError(t, err)

		_, err = svc.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, authtoken.ErrKeyUnknown)
		possible := len(key) >= 32 && len(key) <= 1024 && !wrongChecksum(key)
		require.Equal(t, possible, st.forKey, "whether the store was asked")

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

// FuzzCursor lists from any cursor in any order. Whatever is accepted gives the
// tokens of a list without a cursor from some place on, the same from every
// store, and only those that the caller may see.
func FuzzCursor(f *testing.F) {
	ctx := context.Background()
	db, err := sqlite.Open(":memory:", sqlite.Config{})
	require.NoError(f, err)
	f.Cleanup(func() { _ = db.Close() })
	inSQLite, err := authtoken.New(db, authtoken.Config{})
	require.NoError(f, err)
	tokens := memory.New()
	maker, err := authtoken.New(tokens, authtoken.Config{})
	require.NoError(f, err)
	for i := range 9 {
		_, _, err := maker.Create(ctx, authtoken.CreateParams{
			Identifier: string(rune('a' + i*5%9)), User: int64(1 + i%2), Intent: authtoken.Intents()[i%4],
			Description: strings.Repeat("d", i%3), Managed: strings.Repeat("m", i), Expiring: new(i%3 > 0),
			Expires: time.Unix(int64(i/2), 0),
		})
		require.NoError(f, err)
	}
	records, err := tokens.List(ctx, store.Query{})
	require.NoError(f, err)
	copied := memory.New()
	for _, r := range records {
		require.NoError(f, copied.Create(ctx, r, 0))
		require.NoError(f, db.Create(ctx, r, 0))
	}
	inMemory, err := authtoken.New(copied, authtoken.Config{})
	require.NoError(f, err)

	f.Add("", "identifier", 3)
	f.Add("!", "", 1)
	f.Add("e30", "", 1)
	f.Add("eyJrIjoiIn0", "", 1)
	for _, order := range []string{"", "pk", "-expires,intent", "user,-managed,description", "-last_used", "created,expiring"} {
		_, cursor, err := inMemory.List(ctx, authtoken.Filter{Order: authtoken.ParseOrder(order)}, "", 4)
		require.NoError(f, err)
		f.Add(cursor, order, 2)
		f.Add(cursor, "", 2)
		f.Add(cursor[:len(cursor)-1], order, 2)
	}
	f.Fuzz(func(t *testing.T, cursor, order string, limit int) {
		limit = 1 + int(uint(limit)%10)
		filter := authtoken.Filter{Order: authtoken.ParseOrder(order)}
		got, next, err := inMemory.List(t.Context(), filter, cursor, limit)
		again, nextAgain, errAgain := inSQLite.List(t.Context(), filter, cursor, limit)
		if err != nil {
			invalid, ok := errors.AsType[*authtoken.ValidationError](err)
			require.True(t, ok, err)
			require.Len(t, invalid.Fields, 1)
			require.Equal(t, "cursor", invalid.Fields[0].Field)
			require.Equal(t, err, errAgain)
			return
		}
		require.NoError(t, errAgain)
		require.Equal(t, got, again)
		require.Equal(t, next, nextAgain)

		all, _, err := inMemory.List(t.Context(), filter, "", 100)
		require.NoError(t, err)
		for next != "" {
			var more []authtoken.Token
			more, next, err = inMemory.List(t.Context(), filter, next, limit)
			require.NoError(t, err)
			require.NotEmpty(t, more)
			got = append(got, more...)
		}
		require.LessOrEqual(t, len(got), len(all))
		require.Equal(t, all[len(all)-len(got):], got)

		alice := authtoken.User{PK: 2, Active: true}
		visible, _, err := inSQLite.As(alice.PK).List(t.Context(), filter, cursor, limit)
		require.NoError(t, err)
		for _, token := range visible {
			require.EqualValues(t, 2, token.User)
		}
	})
}

// FuzzDecrypt opens what was not sealed, or was changed since.
func FuzzDecrypt(f *testing.F) {
	secret := bytes.Repeat([]byte{5}, 32)
	sealer, err := authtoken.NewAESSealer(secret)
	require.NoError(f, err)
	block, err := aes.NewCipher(secret)
	require.NoError(f, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(f, err)

	sealed, err := sealer.Encrypt([]byte("a key"), []byte("a pk"))
	require.NoError(f, err)
	f.Add([]byte{}, []byte{}, 0)
	f.Add(sealed, []byte("a pk"), 0)
	f.Add(sealed, []byte("another"), 5)
	f.Add(sealed[:28], []byte("a pk"), 7)
	f.Add(sealed[:11], []byte("a pk"), -1)
	f.Fuzz(func(t *testing.T, text, associated []byte, bit int) {
		got, err := sealer.Decrypt(text, associated)
		if len(text) < gcm.NonceSize() {
			require.Error(t, err)
		} else {
			want, wantErr := gcm.Open(nil, text[:gcm.NonceSize()], text[gcm.NonceSize():], associated)
			require.Equal(t, wantErr != nil, err != nil)
			require.Equal(t, want, got)
		}

		sealed, err := sealer.Encrypt(text, associated)
		require.NoError(t, err)
		opened, err := sealer.Decrypt(sealed, associated)
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, opened))
		at := int(uint(bit) % uint(8*len(sealed)))
		sealed[at/8] ^= 1 << (at % 8)
		_, err = sealer.Decrypt(sealed, associated)
		require.Error(t, err)
		_, err = sealer.Decrypt(sealed[:len(sealed)-1], associated)
		require.Error(t, err)
		sealed[at/8] ^= 1 << (at % 8)
		_, err = sealer.Decrypt(sealed, append(associated, 0))
		require.Error(t, err)
	})
}

// A key that the sealer can't open is an error, and never something else.
func TestRevealOfWhatWasNotSealed(t *testing.T) {
	t.Parallel()
	st := memory.New()
	sealer, err := authtoken.NewAESSealer(bytes.Repeat([]byte{5}, 32))
	require.NoError(t, err)
	svc, err := authtoken.New(st, authtoken.Config{Sealer: sealer})
	require.NoError(t, err)
	for _, name := range []string{"one", "two"} {
		_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: name, User: 1})
		require.NoError(t, err)
	}
	one, err := st.Get(t.Context(), "one")
	require.NoError(t, err)
	two, err := st.Get(t.Context(), "two")
	require.NoError(t, err)
	for _, sealed := range [][]byte{{1}, one.Sealed[:11], one.Sealed[:28], two.Sealed, append([]byte{0}, one.Sealed...)} {
		one.Sealed = sealed
		require.NoError(t, st.Update(t.Context(), one))
		one.Version++
		_, err := svc.Reveal(t.Context(), "one")
		require.ErrorIs(t, err, authtoken.ErrNoSealer)
	}
}
