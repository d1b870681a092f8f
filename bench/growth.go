package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	memorystore "github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// growing is what the names of subjects begin with that are filled with many
// tokens; what follows is the store.
const growing = "growing "

const (
	inMemory = "memory"
	inSQLite = "SQLite"
)

// The work that is done with many tokens, besides create and lookUp.
const (
	ownPage    = "a plain user's first page"
	allPage    = "a superuser's first page, with the count"
	firstPage  = "the first page by cursor"
	cursorPage = "any page by cursor"
)

// Figures of a store with many tokens.
const (
	bytesEach = "bytes a token" // in the file, or in memory
	opening   = "opening, ms"
)

const (
	pageSize       = 20
	tokensPerOwner = 20
)

// grown is a service over a store with many tokens.
type grown struct {
	service
	store   store.Store
	n       int
	secrets []string // of some of the tokens
	cursors []string // to places all over the list
	made    int
	figure  map[string]float64
}

func openGrowing(kind, dir string, n int) (_ subject, err error) {
	g := &grown{n: n, figure: make(map[string]float64)}
	switch kind {
	case inMemory:
		err = g.fillMemory()
	case inSQLite:
		err = g.fillSQLite(filepath.Join(dir, "tokens.db"))
	default:
		err = fmt.Errorf("there is no store %q", kind)
	}
	if err != nil {
		return nil, err
	}
	for range min(n, 200_000) {
		g.secrets = append(g.secrets, grownSecret(rand.IntN(n)))
	}
	return g, g.findCursors()
}

func (g *grown) fillMemory() error {
	st := memorystore.New()
	before := heap()
	if err := g.fill(st, 1); err != nil {
		return err
	}
	g.figure[bytesEach] = float64(heap()-before) / float64(g.n)
	return g.serve(st, func() error { return nil })
}

// heap returns how much of the heap is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first has finalized
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// fillSQLite fills a file without waiting for the disk, and opens it anew.
func (g *grown) fillSQLite(path string) error {
	st, err := sqlite.Open(context.Background(), path, sqlite.Config{Synchronous: sqlite.Normal})
	if err != nil {
		return err
	}
	if err := g.fill(st, 64); err != nil {
		return err
	}
	if err := st.Close(); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	g.figure[bytesEach] = float64(info.Size()) / float64(g.n)

	var took []float64
	for range 5 {
		start := time.Now()
		if st, err = sqlite.Open(context.Background(), path, sqlite.Config{}); err != nil {
			return err
		}
		took = append(took, time.Since(start).Seconds()*1000)
		if err := st.Close(); err != nil {
			return err
		}
	}
	g.figure[opening] = summary(took).median
	if st, err = sqlite.Open(context.Background(), path, sqlite.Config{}); err != nil {
		return err
	}
	return g.serve(st, st.Close)
}

func (g *grown) fill(st store.Store, callers int) error {
	err := together(callers, g.n, func(ctx context.Context, i int) error { return st.Create(ctx, grownRecord(i, g.n), 0) })
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

func (g *grown) serve(st store.Store, closeStore func() error) error {
	k, err := newService(st, closeStore)
	if err != nil {
		return err
	}
	g.service, g.store = k.(service), st
	return nil
}

// grownRecord returns the ith of n tokens: a minute after the one before, with a
// random name, and an owner that has few others, far apart.
func grownRecord(i, n int) store.Record {
	random := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	created := time.Now().UTC().Truncate(time.Microsecond)
	return store.Record{
		PK:          uuid.Must(uuid.NewV7()),
		Identifier:  "service-" + hex.EncodeToString(random[:8]),
		Intent:      "api",
		User:        grownOwner(i, n),
		Description: "deploys service " + strconv.Itoa(i),
		Expires:     created.Add(time.Hour + time.Duration(random[8])*time.Hour),
		Expiring:    true,
		Scopes:      "*",
		Networks:    "*",
		State:       store.StateActive,
		Digest:      sha256.Sum256([]byte(grownSecret(i))),
		Created:     created,
		Version:     1,
	}
}

func grownOwner(i, n int) string { return strconv.Itoa(i*7919%max(1, n/tokensPerOwner) + 1) }

func grownSecret(i int) string {
	random := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("secret"), uint64(i)))
	return hex.EncodeToString(random[:])
}

// findCursors goes through the whole list to learn cursors to a hundred places in it.
func (g *grown) findCursors() error {
	cursor := ""
	for {
		_, next, err := g.List(context.Background(), authtoken.Filter{}, cursor, max(pageSize, g.n/100))
		if err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		g.cursors = append(g.cursors, next)
		cursor = next
	}
}

func (g *grown) measure(t task) (sample, error) {
	superuser := g.As("1")
	page := func(ctx context.Context, by *authtoken.Access) error {
		p, err := by.Page(ctx, authtoken.Filter{}, 1, pageSize)
		return enough(len(p.Tokens), err)
	}
	list := func(ctx context.Context, cursor string) error {
		tokens, _, err := g.List(ctx, authtoken.Filter{}, cursor, pageSize)
		return enough(len(tokens), err)
	}
	switch t.Op {
	case create:
		return g.measureCreate(t)
	case lookUp:
		return spread(t, 1, func(ctx context.Context, i int) error {
			return g.lookUp(ctx, g.secrets[i%len(g.secrets)])
		})
	case ownPage:
		return spread(t, 1, func(ctx context.Context, _ int) error {
			return page(ctx, g.As(grownOwner(rand.IntN(g.n), g.n)))
		})
	case allPage:
		return spread(t, 1, func(ctx context.Context, _ int) error { return page(ctx, superuser) })
	case firstPage:
		return spread(t, 1, func(ctx context.Context, _ int) error { return list(ctx, "") })
	case cursorPage:
		return spread(t, 1, func(ctx context.Context, _ int) error {
			return list(ctx, g.cursors[rand.IntN(len(g.cursors)-1)]) // the last page may be a short one
		})
	}
	return sample{}, fmt.Errorf("nobody knows how to %q", t.Op)
}

func enough(n int, err error) error {
	if err == nil && n < pageSize {
		err = fmt.Errorf("%d tokens on a page of %d", n, pageSize)
	}
	return err
}

// measureCreate makes tokens and takes them away again, so that there are always as
// many, and counts only the time of making them.
func (g *grown) measureCreate(t task) (sample, error) {
	const batch = 512
	var elapsed time.Duration
	n := 0
	for start := time.Now(); n == 0 || time.Since(start) < t.Time; n += batch {
		began := time.Now()
		err := together(t.Callers, batch, func(ctx context.Context, i int) error {
			_, err := g.create(ctx, nameOf(g.made+i), grownOwner(g.made+i, g.n))
			return err
		})
		elapsed += time.Since(began)
		if err == nil {
			err = together(64, batch, func(ctx context.Context, i int) error { return g.Delete(ctx, nameOf(g.made+i)) })
		}
		if err != nil {
			return sample{}, err
		}
		g.made += batch
	}
	return sample{Rate: float64(n) / elapsed.Seconds()}, nil
}

func (g *grown) figures() map[string]float64 { return g.figure }
