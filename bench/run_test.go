package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRun does nearly all that the command does, as quickly as can be. The
// directory is a relative one, as is the default.
func TestRun(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	require.NoError(t, err)
	dir, err := filepath.Rel(here, t.TempDir())
	require.NoError(t, err)
	picture := filepath.Join(dir, "results.svg")
	cfg, err := parseFlags([]string{
		"-only", "look-up,growth,adapter,links", "-rounds", "2", "-time", "1ms", "-size", "2000", "-dir", dir, "-svg", picture}, io.Discard)
	require.NoError(t, err)
	cfg.tokens = 64

	var out bytes.Buffer
	require.NoError(t, run(cfg, &out, io.Discard))
	for _, g := range goals(cfg.size) {
		if g.a.op != create && g.a.op != update || strings.HasPrefix(g.what, "growth") {
			require.Contains(t, out.String(), "| "+g.what)
		}
	}
	if withC {
		require.NotContains(t, strings.ToLower(out.String()), "not measured")
	} else {
		require.Equal(t, 1, strings.Count(out.String(), "Not measured: "), "dex alone needs C")
	}
	drawn, err := os.ReadFile(picture)
	require.NoError(t, err)
	require.Contains(t, string(drawn), "Keys checked per second")

	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "all but the picture is cleaned up")
}

func TestParseFlags(t *testing.T) {
	t.Parallel()
	cfg, err := parseFlags([]string{"-quick", "-rounds", "1"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 1, cfg.rounds)
	require.Equal(t, 100*time.Millisecond, cfg.time)
	require.Empty(t, cfg.svg)
	require.Equal(t, parts, cfg.only)

	for _, args := range [][]string{
		{"-rounds", "0"}, {"-time", "0"}, {"-size", "1000"}, {"-only", "create,song"}, {"create"}, {"-nothing"},
	} {
		var said strings.Builder
		_, err := parseFlags(args, &said)
		require.Error(t, err, args)
		require.NotEmpty(t, said.String(), args)
	}
}

// TestGoals sees to it that what a goal is about is measured.
func TestGoals(t *testing.T) {
	t.Parallel()
	for _, g := range goals(2000) {
		for _, k := range []key{g.a, g.b} {
			c, ok := contenderNamed(k.subject)
			if !ok || k.op == scaled {
				continue // the others are in the output of TestRun
			}
			require.Contains(t, c.ops, k.op, g.what)
			require.Contains(t, callers, k.callers, g.what)
			require.True(t, c.callers == nil || slices.Contains(c.callers, k.callers), g.what)
		}
	}
}

// TestBareHandler sees to it that the adapter is compared with something that moves
// the same bytes.
func TestBareHandler(t *testing.T) {
	t.Parallel()
	answers := make(map[string][]*httptest.ResponseRecorder)
	for _, kind := range []string{inMemory, bareHandler} {
		subject, err := openServing(kind, t.TempDir())
		require.NoError(t, err)
		s := subject.(*served)
		for _, op := range []string{getCalled, put} {
			r, body := s.request(op)
			r.Body = io.NopCloser(strings.NewReader(body))
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			require.Equal(t, http.StatusOK, w.Code)
			answers[op] = append(answers[op], w)
		}
		require.NoError(t, s.close())
	}
	for op, both := range answers {
		require.ElementsMatch(t, slices.Collect(maps.Keys(both[0].Header())), slices.Collect(maps.Keys(both[1].Header())), op)
		require.InDelta(t, both[0].Body.Len(), both[1].Body.Len(), 6, op) // zeros at the end of a time are left out
		require.Greater(t, both[0].Body.Len(), 600, op)
	}
}

func TestReached(t *testing.T) {
	t.Parallel()
	a, b := key{own, create, 1}, key{raw, create, 1}
	r := &results{missing: map[string]string{}, samples: map[key][]sample{
		a: {{Rate: 100}, {Rate: 300}, {Rate: 90}},
		b: {{Rate: 100}, {Rate: 100}, {Rate: 100}},
	}}
	g := goal{"", a, b, speed, 1, true}
	got, why := g.reached(r)
	require.Empty(t, why)
	require.Equal(t, reach{values{0.9, 1, 3}, true}, got)

	g = goal{"", a, b, duration, 0.9, false}
	got, _ = g.reached(r)
	require.False(t, got.met)
	require.Equal(t, "≤ 0.90×", g.target())

	delete(r.samples, b)
	_, why = g.reached(r)
	require.Equal(t, notAsked, why)
	r.missing[raw] = "the disk is full"
	_, why = g.reached(r)
	require.Equal(t, "not measured", why)

	require.ErrorContains(t, r.ownFault(), "the disk is full")
	require.NoError(t, (&results{missing: map[string]string{dexSQLite: "no compiler"}}).ownFault())
}

func TestStats(t *testing.T) {
	t.Parallel()
	require.Equal(t, values{}, summary(nil))
	require.Equal(t, values{2, 2, 2}, summary([]float64{2}))
	require.Equal(t, values{1, 2.5, 9}, summary([]float64{9, 1, 3, 2}))
	require.Equal(t, values{1, 3, 9}, summary([]float64{9, 1, 3}))

	require.Zero(t, percentile(nil, 50))
	var took []time.Duration
	for i := range 101 {
		took = append(took, time.Duration((i*37)%101))
	}
	require.Equal(t, time.Duration(50), percentile(took, 50))
	require.Equal(t, time.Duration(99), percentile(took, 99))
	require.Equal(t, time.Duration(100), percentile(took, 100))

	m := medians([]sample{{Rate: 1, P99: 30, Allocs: 2}, {Rate: 3, P99: 10, Allocs: 2}, {Rate: 2, P99: 20, Allocs: 2}})
	require.Equal(t, sample{Rate: 2, P99: 20, Allocs: 2}, m)
}

func TestSpread(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	var p keeping
	_, err := p.measure(task{"sing", 1, 1})
	require.Error(t, err)
	_, err = newKeeping(failing{failed}, 1, 64)
	require.ErrorIs(t, err, failed)
	_, err = (&keeping{keeper: failing{failed}, every: 1}).measure(task{create, 4, time.Minute})
	require.ErrorIs(t, err, failed, "and at once")
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 2: "2", 0.853: "0.85", 12.34: "12.3", 420.4: "420"} {
		require.Equal(t, want, number(v))
	}
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.8: "1,234,568"} {
		require.Equal(t, want, thousands(v))
	}
	for d, want := range map[time.Duration]string{
		1500: "1.50 µs", 15 * time.Microsecond: "15 µs", 1500 * time.Microsecond: "1.50 ms", 15 * time.Millisecond: "15 ms"} {
		require.Equal(t, want, showDuration(d))
	}
}

func TestDrawing(t *testing.T) {
	t.Parallel()
	r := &results{samples: map[key][]sample{
		{own, create, 64}:        {{Rate: 10_000}, {Rate: 12_000}, {Rate: 11_000}},
		{pocketBase, create, 64}: {{Rate: 1_100}},
		{digestMap, lookUp, 64}:  {{Rate: 0.1}},
	}}
	drawn := string(drawing(r))
	for dec := xml.NewDecoder(strings.NewReader(drawn)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok {
			require.Contains(t, []string{"svg", "title", "style", "rect", "text"}, start.Name.Local)
		}
	}
	require.Contains(t, drawn, `<rect class="own" x="240" y="43" width="390"`)
	require.Contains(t, drawn, `<rect class="other" x="240" y="67" width="39"`)
	require.Contains(t, drawn, ">11,000</text>")
	require.NotContains(t, drawn, "Keys checked per second, 64 callers, on disk", "nothing was measured")
	require.Equal(t, "a &lt;b&gt; &amp; c", escape("a <b> & c"))
}
