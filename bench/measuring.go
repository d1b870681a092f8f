package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A key says what was measured.
type key struct {
	subject string
	op      string
	callers int
}

// results are what was measured: of each thing a sample for every round.
type results struct {
	samples map[key][]sample
	missing map[string]string // subjects that could not be measured, and why
}

// median returns the median of what was measured of k.
func (r *results) median(k key) (sample, bool) {
	samples := r.samples[k]
	return medians(samples), len(samples) > 0
}

// ownFault returns an error if it was this library that could not be measured.
func (r *results) ownFault() error {
	peers := []string{scsSQLite, scsMemory, dexSQLite, dexMemory, oauth2Memory, pocketBase, pocketBaseShipped}
	for subject, why := range r.missing {
		if !slices.Contains(peers, subject) {
			return fmt.Errorf("%s: %s", subject, why)
		}
	}
	return nil
}

// measuring is what is under way.
type measuring struct {
	config
	dir      string
	progress io.Writer
	results
}

// note keeps what is measured only once.
func (r *results) note(k key, value float64) {
	r.samples[k] = append(r.samples[k], sample{Value: value})
}

func newMeasuring(cfg config, dir string, progress io.Writer) *measuring {
	return &measuring{config: cfg, dir: dir, progress: progress,
		results: results{samples: make(map[key][]sample), missing: make(map[string]string)}}
}

func (m *measuring) say(format string, args ...any) {
	fmt.Fprintf(m.progress, "\r\033[K"+format, args...)
}

var callers = []int{1, 8, 64}

// compare has all contenders do the same work, in turns: each in a process of its
// own, which is idle while it is not its turn.
func (m *measuring) compare(op string) {
	children := make(map[string]*child)
	defer m.end(children)
	for round := range m.rounds {
		for _, n := range callers {
			for _, c := range contenders {
				if !slices.Contains(c.ops, op) || c.callers != nil && !slices.Contains(c.callers, n) {
					continue
				}
				m.say("%s, %s, round %d of %d: %s", op, callersOf(n), round+1, m.rounds, c.name)
				if children[c.name] == nil && !m.isMissing(c.name) {
					m.start(children, c.name, c.name, m.tokensFor(c, op))
				}
				m.measure(children, key{c.name, op, n})
				if c.keeps == memory && op == create {
					m.end(children, c.name) // millions of tokens would be in its way next time
				}
			}
		}
	}
	if op == lookUp {
		m.scaling(ownMemory)
		m.scaling(digestMap)
	}
}

// tokensFor returns how many tokens a contender has before it is measured. In
// memory, those that are looked up are more than the processor has room for close by.
func (m *measuring) tokensFor(c contender, op string) int {
	if c.keeps == memory && op != create {
		return 64 * m.tokens
	}
	return m.tokens
}

func (m *measuring) isMissing(subject string) bool { _, ok := m.missing[subject]; return ok }

// start adds a child for a subject, unless it can't be started.
func (m *measuring) start(children map[string]*child, subject, name string, tokens int) {
	c, err := startChild(name, m.dir, tokens)
	if err != nil {
		m.miss(subject, err)
		return
	}
	children[subject] = c
}

// measure has the child of a subject do what k says. If it fails, whatever else
// is known of the subject is dropped, so that the nth samples of all are of the
// same round.
func (m *measuring) measure(children map[string]*child, k key) {
	c := children[k.subject]
	if c == nil {
		return
	}
	t := task{k.op, k.callers, m.time}
	if k.subject == rawBatches {
		t.Callers = 1 // it stands for all callers by itself
	}
	s, err := c.measure(t)
	if err == nil {
		m.samples[k] = append(m.samples[k], s)
		return
	}
	delete(children, k.subject)
	m.miss(k.subject, fmt.Errorf("%s: %w%s", k.op, err, c.end()))
	for other := range m.samples {
		if other.subject == k.subject {
			delete(m.samples, other)
		}
	}
}

func (m *measuring) miss(subject string, err error) { m.missing[subject] = err.Error() }

// end ends the children of these subjects; of none, all.
func (m *measuring) end(children map[string]*child, subjects ...string) {
	if len(subjects) == 0 {
		subjects = slices.Collect(maps.Keys(children))
	}
	for _, subject := range subjects {
		c := children[subject]
		if c == nil {
			continue
		}
		delete(children, subject)
		if said := c.end(); said != "" {
			m.miss(subject, errors.New("at its end"+said))
		}
	}
}

// scaled is how many times as much is done by 64 callers as by one.
const scaled = "look-up, 64 callers over one"

func (m *measuring) scaling(subject string) {
	one, many := m.samples[key{subject, lookUp, 1}], m.samples[key{subject, lookUp, 64}]
	for i := range min(len(one), len(many)) {
		m.note(key{subject, scaled, 0}, many[i].Rate/one[i].Rate)
	}
}

// smallSize is the size of the store that has not grown.
const smallSize = 1000

// grownName is the subject that a store with n tokens is in the results.
func grownName(kind string, n int) string { return fmt.Sprintf("%s, %d tokens", kind, n) }

type work struct {
	op      string
	callers int
}

// grownWork is what is measured of a growing store.
var grownWork = map[string][]work{
	inMemory: {{lookUp, 1}, {create, 1}, {ownPage, 1}, {allPage, 1}, {firstPage, 1}, {cursorPage, 1}},
	inSQLite: {{lookUp, 1}, {create, 1}, {create, 64}, {ownPage, 1}, {allPage, 1}, {firstPage, 1}, {cursorPage, 1}},
}

// growth measures each store when it is small and when it is large, in turns.
func (m *measuring) growth() {
	for _, kind := range []string{inMemory, inSQLite} {
		children := make(map[string]*child)
		sizes := []int{smallSize, m.size}
		for _, n := range sizes {
			m.say("%s: filling with %s tokens", kind, thousands(float64(n)))
			subject := grownName(kind, n)
			m.start(children, subject, growing+kind, n)
			if c := children[subject]; c != nil {
				for figure, value := range c.figures {
					m.note(key{subject, figure, 0}, value)
				}
			}
		}
		for round := range m.rounds {
			for _, w := range grownWork[kind] {
				m.say("growth, %s, round %d of %d: %s, %s", kind, round+1, m.rounds, w.op, callersOf(w.callers))
				for _, n := range sizes {
					m.measure(children, key{grownName(kind, n), w.op, w.callers})
				}
			}
		}
		m.end(children)
	}
}

// adapter measures the HTTP adapter and a handler that moves the same bytes, in
// turns.
func (m *measuring) adapter() {
	children := make(map[string]*child)
	defer m.end(children)
	kinds := []string{bareHandler, inMemory, inSQLite, inCachedSQLite}
	for _, kind := range kinds {
		m.start(children, serving+kind, serving+kind, 0)
	}
	for round := range m.rounds {
		for _, w := range []work{{get, connections}, {put, connections}, {getCalled, 1}, {postCalled, 1}} {
			m.say("adapter, round %d of %d: %s", round+1, m.rounds, w.op)
			for _, kind := range kinds {
				m.measure(children, key{serving + kind, w.op, w.callers})
			}
		}
	}
}

// What a program links that imports this library and the memory store.
const (
	linking       = "a program with the memory store"
	databaseParts = "packages of SQLite and sqlx linked"
)

func (m *measuring) links() {
	m.say("%s", linking)
	out, err := exec.Command("go", "list", "-deps",
		"github.com/authtoken/authtoken", "github.com/authtoken/authtoken/store/memory").Output()
	n := 0
	for path := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(path, "modernc.org/") || strings.HasPrefix(path, "github.com/jmoiron/sqlx") || path == "database/sql" {
			n++
		}
	}
	if err != nil {
		m.miss(linking, fmt.Errorf("go list: %w", err))
		return
	}
	m.note(key{linking, databaseParts, 0}, float64(n))
}

// measureDisk returns how often a second 4 KiB are appended to a file and synced.
func measureDisk(dir string, d time.Duration) (perSecond float64, err error) {
	f, err := os.Create(filepath.Join(dir, "disk"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, start, page := 0, time.Now(), make([]byte, 4096)
	for n == 0 || time.Since(start) < d {
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
