package main

import (
	"fmt"
	"time"
)

// A goal is what this library is to reach, in one respect.
type goal struct {
	what    string
	a, b    key // what is measured, and against what; b is zero if against nothing
	metric  metric
	limit   float64
	atLeast bool // else at most
}

// A metric is how two samples of a round are compared.
type metric struct {
	of   func(a, b sample) float64
	show func(sample) string // how one of them is shown
	unit string
}

var (
	speed    = metric{func(a, b sample) float64 { return a.Rate / b.Rate }, showRate, "×"}
	duration = metric{func(a, b sample) float64 { return b.Rate / a.Rate }, showCost, "×"} // of one at a time
	tail     = metric{func(a, b sample) float64 { return float64(a.P99) / float64(b.P99) }, showP99, "×"}
	factor   = metric{func(a, b sample) float64 { return a.Value / b.Value }, showValue("×"), "×"}

	micros = metric{func(a, _ sample) float64 { return a.cost().Seconds() * 1e6 }, showCost, " µs"}
	millis = metric{func(a, _ sample) float64 { return a.cost().Seconds() * 1e3 }, showCost, " ms"}
	allocs = metric{func(a, _ sample) float64 { return a.Allocs }, showAllocs, ""}

	// microsMore and allocsMore are what a costs more than b.
	microsMore = metric{func(a, b sample) float64 { return (a.cost() - b.cost()).Seconds() * 1e6 }, showCost, " µs"}
	allocsMore = metric{func(a, b sample) float64 { return a.Allocs - b.Allocs }, showAllocs, ""}

	bytesOf    = valueIn(" B")
	millisOf   = valueIn(" ms")
	packagesOf = valueIn("")
)

func valueIn(unit string) metric {
	return metric{func(a, _ sample) float64 { return a.Value }, showValue(unit), unit}
}

func showRate(s sample) string   { return fmt.Sprintf("%s/s", thousands(s.Rate)) }
func showCost(s sample) string   { return showDuration(s.cost()) }
func showP99(s sample) string    { return "p99 " + showDuration(s.P99) }
func showAllocs(s sample) string { return fmt.Sprintf("%.0f allocs", s.Allocs) }

func showValue(unit string) func(sample) string {
	return func(s sample) string { return number(s.Value) + unit }
}

func showDuration(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.2f µs", d.Seconds()*1e6)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", d.Seconds()*1e6)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
}

// goals returns all goals, with growth up to size tokens.
func goals(size int) []goal {
	list := []goal{
		{"create, 64 callers", key{own, create, 64}, key{rawBatches, create, 64}, speed, 0.75, true},
		{"create, 64 callers", key{own, create, 64}, key{pocketBase, create, 64}, speed, 4, true},
		{"create, 64 callers", key{own, create, 64}, key{dexSQLite, create, 64}, speed, 2, true},
		{"create, 64 callers", key{own, create, 64}, key{scsSQLite, create, 64}, speed, 1.5, true},
		{"create, 64 callers, slowest 1 %", key{own, create, 64}, key{raw, create, 64}, tail, 1.0 / 3, false},
		{"create, 1 caller", key{own, create, 1}, key{raw, create, 1}, speed, 0.9, true},
		{"update, 1 caller", key{own, update, 1}, key{raw, update, 1}, speed, 0.7, true},
		{"update, 64 callers", key{own, update, 64}, key{raw, update, 64}, speed, 3, true},
		{"look-up, 1 caller", key{own, lookUp, 1}, key{raw, lookUp, 1}, speed, 0.85, true},
		{"look-up, 64 callers", key{own, lookUp, 64}, key{raw, lookUp, 64}, speed, 0.85, true},
		{"look-up, 1 caller", key{own, lookUp, 1}, key{scsSQLite, lookUp, 1}, speed, 1, true},
		{"look-up, 64 callers", key{own, lookUp, 64}, key{scsSQLite, lookUp, 64}, speed, 1, true},
		{"look-up, 1 caller", key{own, lookUp, 1}, key{pocketBase, lookUp, 1}, speed, 4, true},
		{"look-up, 64 callers", key{own, lookUp, 64}, key{pocketBase, lookUp, 64}, speed, 4, true},

		{"memory: look-up, 1 caller", key{ownMemory, lookUp, 1}, key{digestMap, lookUp, 1}, speed, 0.8, true},
		{"memory: look-up, 64 callers", key{ownMemory, lookUp, 64}, key{digestMap, lookUp, 64}, speed, 0.8, true},
		{"memory: look-up", key{ownMemory, lookUp, 1}, key{}, allocs, 2, false},
		{"memory: look-up, scaling with cores", key{ownMemory, scaled, 0}, key{digestMap, scaled, 0}, factor, 0.9, true},
		{"memory: look-up, 1 caller", key{ownMemory, lookUp, 1}, key{scsMemory, lookUp, 1}, speed, 1, true},
		{"memory: look-up, 64 callers", key{ownMemory, lookUp, 64}, key{scsMemory, lookUp, 64}, speed, 1, true},
		{"memory: create, 1 caller", key{ownMemory, create, 1}, key{}, micros, 3.5, false},

		{"adapter: GET, beyond the bare mux", key{serving + inMemory, getCalled, 1}, key{serving + bareHandler, getCalled, 1}, microsMore, 6, false},
		{"adapter: GET, beyond the bare mux", key{serving + inMemory, getCalled, 1}, key{serving + bareHandler, getCalled, 1}, allocsMore, 12, false},
		{"adapter: POST", key{serving + inMemory, postCalled, 1}, key{}, micros, 14, false},
		{"adapter: GET over loopback, memory", key{serving + inMemory, get, connections}, key{serving + bareHandler, get, connections}, speed, 0.85, true},
		{"adapter: GET over loopback, SQLite", key{serving + inSQLite, get, connections}, key{serving + bareHandler, get, connections}, speed, 0.6, true},
		{"adapter: GET over loopback, SQLite, cached", key{serving + inCachedSQLite, get, connections}, key{serving + bareHandler, get, connections}, speed, 0.6, true},
		{"adapter: PUT over loopback, memory", key{serving + inMemory, put, connections}, key{serving + bareHandler, put, connections}, speed, 0.6, true},
	}
	for _, kind := range []string{inMemory, inSQLite} {
		large, small := grownName(kind, size), grownName(kind, smallSize)
		for _, w := range grownWork[kind] {
			limits := map[string]float64{lookUp: 2.2, create: 2.2, ownPage: 2}
			if limit, ok := limits[w.op]; ok {
				list = append(list, goal{fmt.Sprintf("growth, %s: %s, %s", kind, w.op, callersOf(w.callers)),
					key{large, w.op, w.callers}, key{small, w.op, w.callers}, duration, limit, false})
			}
		}
		most := 520.0
		if kind == inSQLite {
			most = 420
		}
		list = append(list,
			goal{"growth, " + kind + ": " + allPage, key{large, allPage, 1}, key{}, millis, 15, false},
			goal{"growth, " + kind + ": " + cursorPage, key{large, cursorPage, 1}, key{large, firstPage, 1}, duration, 1.5, false},
			goal{"growth, " + kind + ": size of a token", key{large, bytesEach, 0}, key{}, bytesOf, most, false})
	}
	return append(list,
		goal{"growth, SQLite: opening the file", key{grownName(inSQLite, size), opening, 0}, key{}, millisOf, 50, false},
		goal{databaseParts, key{linking, databaseParts, 0}, key{}, packagesOf, 0, false})
}

// Why it can't be said whether a goal is reached.
const (
	notAsked    = "not asked for"
	notMeasured = "not measured" // and printMissing says why
)

// reach is how a goal was reached.
type reach struct {
	values
	met bool
}

// reached compares round by round. If there is nothing to compare, it says why.
func (g *goal) reached(r *results) (reach, string) {
	as, bs := r.samples[g.a], r.samples[g.b]
	for _, k := range []key{g.a, g.b} {
		if k != (key{}) && len(r.samples[k]) == 0 {
			if _, ok := r.missing[k.subject]; ok {
				return reach{}, notMeasured
			}
			return reach{}, notAsked
		}
	}
	if g.b == (key{}) {
		bs = as
	}
	var vs []float64
	for i := range min(len(as), len(bs)) {
		vs = append(vs, g.metric.of(as[i], bs[i]))
	}
	sum := summary(vs)
	if g.atLeast {
		return reach{sum, sum.median >= g.limit}, ""
	}
	return reach{sum, sum.median <= g.limit}, ""
}

func (g *goal) target() string {
	sign := "≤"
	if g.atLeast {
		sign = "≥"
	}
	return sign + " " + number(g.limit) + g.metric.unit
}
