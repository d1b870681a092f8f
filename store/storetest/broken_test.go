package storetest_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/storetest"
)

// broken is a store that breaks one rule.
type broken struct {
	name string
	// fails are the cases that must fail because of it. Others of the same
	// groups must pass, but for those here that end in "?", which may do either.
	fails string
	store func(n *naive) patch
}

// patch is the naive store with other methods in place of some of its own.
type patch struct {
	*naive
	create      func(context.Context, store.Record, int) error
	get         func(context.Context, string) (store.Record, error)
	getByDigest func(context.Context, store.Digest) (store.Record, error)
	update      func(context.Context, store.Record) error
	delete      func(context.Context, store.PK, int64) error
	list        func(context.Context, store.Query) ([]store.Record, error)
	count       func(context.Context, store.Query) (int, error)
	purge       func(context.Context, store.Query) ([]store.Record, error)
	touch       func(context.Context, []store.Use) error
}

func (p patch) Create(ctx context.Context, r store.Record, limit int) error {
	if p.create != nil {
		return p.create(ctx, r, limit)
	}
	return p.naive.Create(ctx, r, limit)
}

func (p patch) Get(ctx context.Context, identifier string) (store.Record, error) {
	if p.get != nil {
		return p.get(ctx, identifier)
	}
	return p.naive.Get(ctx, identifier)
}

func (p patch) GetByDigest(ctx context.Context, digest store.Digest) (store.Record, error) {
	if p.getByDigest != nil {
		return p.getByDigest(ctx, digest)
	}
	return p.naive.GetByDigest(ctx, digest)
}

func (p patch) Update(ctx context.Context, r store.Record) error {
	if p.update != nil {
		return p.update(ctx, r)
	}
	return p.naive.Update(ctx, r)
}

func (p patch) Delete(ctx context.Context, pk store.PK, version int64) error {
	if p.delete != nil {
		return p.delete(ctx, pk, version)
	}
	return p.naive.Delete(ctx, pk, version)
}

func (p patch) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	if p.list != nil {
		return p.list(ctx, q)
	}
	return p.naive.List(ctx, q)
}

func (p patch) Count(ctx context.Context, q store.Query) (int, error) {
	if p.count != nil {
		return p.count(ctx, q)
	}
	return p.naive.Count(ctx, q)
}

func (p patch) Purge(ctx context.Context, q store.Query) ([]store.Record, error) {
	if p.purge != nil {
		return p.purge(ctx, q)
	}
	return p.naive.Purge(ctx, q)
}

func (p patch) Touch(ctx context.Context, uses []store.Use) error {
	if p.touch != nil {
		return p.touch(ctx, uses)
	}
	return p.naive.Touch(ctx, uses)
}

// child, if set, makes TestBroken run the suite against broken stores, and fail.
const child = "STORETEST_BROKEN"

// TestBroken shows that the suite finds each of the broken stores, and by the
// cases that are meant to. As the suite's failures must not be this test's, it
// runs in processes of its own, one for stores that fail the same groups.
func TestBroken(t *testing.T) {
	stores := slices.Concat(brokenWrites, brokenLimits, brokenEarlier, brokenTouches, brokenReads, brokenLists, brokenWords, brokenUsers, brokenCalls, brokenBounds)
	if os.Getenv(child) != "" {
		for _, b := range stores {
			t.Run(b.name, func(t *testing.T) {
				storetest.Run(t, func(*testing.T) store.Store { return b.store(new(naive)) })
			})
		}
		return
	}
	t.Parallel()
	byGroups := map[string][]broken{}
	for _, b := range stores {
		byGroups[b.groups()] = append(byGroups[b.groups()], b)
	}
	for groups, stores := range byGroups {
		t.Run(groups, func(t *testing.T) {
			t.Parallel()
			failed := failures(t, groups, stores)
			for _, b := range stores {
				t.Run(b.name, func(t *testing.T) { b.check(t, failed[b.name]) })
			}
		})
	}
}

// groups returns the groups that the store fails cases of, as a pattern.
func (b broken) groups() string {
	var groups []string
	for _, name := range strings.Fields(b.fails) {
		group, _, _ := strings.Cut(name, "/")
		groups = append(groups, group)
	}
	slices.Sort(groups)
	return strings.Join(slices.Compact(groups), "|")
}

// failures runs groups of cases against stores in a child process and returns,
// by store, the cases that fail.
func failures(t *testing.T, groups string, stores []broken) map[string][]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range stores {
		names = append(names, b.name)
	}
	pattern := fmt.Sprintf("^TestBroken$/^(%s)$/^(%s)$", strings.Join(names, "|"), groups)
	cmd := exec.CommandContext(t.Context(), self, "-test.count=1", "-test.run="+pattern)
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("the suite passes every broken store")
	}
	failed := map[string][]string{}
	for _, m := range regexp.MustCompile(`--- FAIL: TestBroken/([^/\s]+)/(\w+/\w+) `).FindAllStringSubmatch(string(out), -1) {
		failed[m[1]] = append(failed[m[1]], m[2])
	}
	if len(failed) == 0 || strings.Contains(string(out), "panic: ") {
		t.Fatalf("%v:\n%s", err, out)
	}
	return failed
}

// check checks that the cases that failed are those that were meant to.
func (b broken) check(t *testing.T, failed []string) {
	must, may := map[string]bool{}, map[string]bool{}
	for _, name := range strings.Fields(b.fails) {
		if name, ok := strings.CutSuffix(name, "?"); ok {
			may[name] = true
		} else {
			must[name] = true
		}
	}
	if len(must) == 0 {
		t.Error("there is no case that must fail")
	}
	for _, name := range failed {
		group, _, _ := strings.Cut(name, "/")
		if !must[name] && !may[name] && !may[group+"/*"] {
			t.Errorf("%s fails, which is not about this", name)
		}
		delete(must, name)
	}
	for _, name := range slices.Sorted(maps.Keys(must)) {
		t.Errorf("%s passes, but the store breaks its rule", name)
	}
}
