package authtoken_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"log"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// The code in docs/operations.md stands in one of these files, which tests run.
func TestOperationsPieces(t *testing.T) {
	t.Parallel()
	for _, b := range blocksOf(t, "docs/operations.md") {
		if b.language == "go" {
			requireTested(t, b, "operations_test.go", "examples/uuidusers/userapp/app.go", "leakreport/example_test.go")
		}
	}
}

func TestOperationsQueue(t *testing.T) {
	t.Parallel()
	ctx, st := t.Context(), memory.New()
	seen := make(chan authtoken.EventKind, 1)
	auditLog := authtoken.ObserverFunc(func(_ context.Context, e authtoken.Event) { seen <- e.Kind })

	queue := authtoken.NewQueue(1000)
	svc, err := authtoken.New(st, authtoken.Config{Observer: queue})
	go queue.Run(ctx, auditLog) // auditLog writes to the database

	require.NoError(t, err)
	_, _, err = svc.Create(ctx, authtoken.CreateParams{Identifier: "ci", User: "7"})
	require.NoError(t, err)
	require.Equal(t, authtoken.EventCreated, <-seen)
}

func sealAnew(ctx context.Context, svc *authtoken.Service) error {
	for cursor := ""; ; {
		part, err := svc.Reseal(ctx, cursor, 1000)
		if err != nil {
			return err // go on at part.Cursor, or start again
		}
		for _, token := range part.Failed {
			log.Printf("no secret opens the key of %s", token.Identifier)
		}
		if cursor = part.Cursor; cursor == "" {
			break
		}
	}
	return nil
}

func TestOperationsReseal(t *testing.T) {
	t.Parallel()
	old, fresh := make([]byte, 32), []byte("another 32 bytes, as random too!")
	st := memory.New()
	service := func(current []byte, older ...[]byte) *authtoken.Service {
		sealer, err := authtoken.NewAESSealer(current, older...)
		require.NoError(t, err)
		svc, err := authtoken.New(st, authtoken.Config{Sealer: sealer})
		require.NoError(t, err)
		return svc
	}
	_, key, err := service(old).Create(t.Context(), authtoken.CreateParams{Identifier: "ci", User: "7"})
	require.NoError(t, err)
	require.NoError(t, sealAnew(t.Context(), service(fresh, old)))
	shown, err := service(fresh).Reveal(t.Context(), "ci")
	require.NoError(t, err)
	require.Equal(t, key.Reveal(), shown.Reveal())
}

// The query for a key that has leaked finds its token by each key that it has had.
func TestOperationsLeakedKey(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "tokens.db")
	st, err := sqlite.Open(ctx, path, sqlite.Config{})
	require.NoError(t, err)
	defer st.Close()
	svc, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	_, key, err := svc.Create(ctx, authtoken.CreateParams{Identifier: "leaked", User: "7"})
	require.NoError(t, err)
	_, _, err = svc.Create(ctx, authtoken.CreateParams{Identifier: "other", User: "7"})
	require.NoError(t, err)
	keys := []string{key.Reveal()}
	for range 3 {
		_, key, err = svc.Rotate(ctx, "leaked", time.Minute)
		require.NoError(t, err)
		keys = append(keys, key.Reveal())
	}

	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	blocks := slices.DeleteFunc(blocksOf(t, "docs/operations.md"), func(b block) bool { return b.language != "sql" })
	require.Len(t, blocks, 1)
	for i, key := range keys {
		digest := sha256.Sum256([]byte(key))
		var identifier, user string
		query := strings.ReplaceAll(blocks[0].text, "DIGEST", hex.EncodeToString(digest[:]))
		require.NoError(t, db.QueryRowContext(ctx, query).Scan(&identifier, &user), "key %d", i)
		require.Equal(t, []string{"leaked", "7"}, []string{identifier, user})
	}
}
