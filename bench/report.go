package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// printMachine says what was measured with.
func printMachine(out io.Writer, cfg config, syncs float64, took time.Duration) {
	fmt.Fprintf(out, "%s, %s/%s, %d cores; %s; %d rounds of %v, taken in turns; %v altogether.\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0),
		thousands(syncs)+" appends of 4 KiB with fsync a second", cfg.rounds, cfg.time, took.Round(time.Second))
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	var versions []string
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/alexedwards/scs/v2", "github.com/alexedwards/scs/sqlite3store", "github.com/dexidp/dex", "github.com/mattn/go-sqlite3",
			"github.com/go-oauth2/oauth2/v4", "github.com/pocketbase/pocketbase", "modernc.org/sqlite":
			versions = append(versions, dep.Path+" "+dep.Version)
		}
	}
	fmt.Fprintf(out, "With %s.\n", strings.Join(versions, ", "))
}

// printGoals prints the table of what is to be reached.
func printGoals(out io.Writer, r *results, list []goal) {
	rows := [][]string{{"what", "this library", "against", "result", "lowest to highest", "target", "met"}}
	for _, g := range list {
		reached, why := g.reached(r)
		if why == notAsked {
			continue
		}
		if why != "" {
			rows = append(rows, []string{g.what, "", g.b.subject, "", "", g.target(), why})
			continue
		}
		a, _ := r.median(g.a)
		against := ""
		if b, ok := r.median(g.b); ok {
			against = strings.TrimPrefix(g.b.subject, serving)
			if g.b.op != g.a.op {
				against = g.b.op
			}
			against += ": " + g.metric.show(b)
		}
		met := "no"
		if reached.met {
			met = "yes"
		}
		rows = append(rows, []string{g.what, g.metric.show(a), against, number(reached.median) + g.metric.unit,
			number(reached.low) + " to " + number(reached.high), g.target(), met})
	}
	fmt.Fprintf(out, "\n## What is to be reached\n\nOn disk, durable (SQLite, synchronous=FULL), unless it says otherwise. Results are medians of the rounds.\n\n")
	printTable(out, rows)
}

// printMissing says what could not be measured, and why.
func printMissing(out io.Writer, r *results) {
	for _, subject := range slices.Sorted(maps.Keys(r.missing)) {
		fmt.Fprintf(out, "\nNot measured: %s, because %s\n", subject, r.missing[subject])
	}
}

// printContenders prints the tables of what everybody does.
func printContenders(out io.Writer, r *results) {
	for _, op := range []string{create, update, lookUp} {
		rows := [][]string{{op + ", per second", "kept in", "1 caller", "8 callers", "64 callers", "p50 and p99 at 1", "at 64"}}
		for _, c := range contenders {
			if !slices.Contains(c.ops, op) {
				continue
			}
			row := []string{c.name, c.keeps}
			_, measured := r.missing[c.name] // then it has a line all the same
			for _, n := range callers {
				s, ok := r.median(key{c.name, op, n})
				measured = measured || ok
				row = append(row, orDash(thousands(s.Rate), ok))
			}
			for _, n := range []int{1, 64} {
				s, ok := r.median(key{c.name, op, n})
				row = append(row, orDash(showDuration(s.P50)+", "+showDuration(s.P99), ok))
			}
			if measured {
				rows = append(rows, row)
			}
		}
		if len(rows) > 1 {
			fmt.Fprintf(out, "\n## %s\n\n", strings.ToUpper(op[:1])+op[1:])
			printTable(out, rows)
		}
	}
}

// printGrowth prints what a store costs when it is small and when it is large.
func printGrowth(out io.Writer, r *results, size int) {
	sizes := []int{smallSize, size}
	rows := [][]string{{"growth"}}
	for _, kind := range []string{inMemory, inSQLite} {
		for _, n := range sizes {
			rows[0] = append(rows[0], kind+", "+thousands(float64(n)))
		}
	}
	figures := []work{{lookUp, 1}, {create, 1}, {create, 64}, {ownPage, 1}, {allPage, 1}, {firstPage, 1}, {cursorPage, 1}, {bytesEach, 0}, {opening, 0}}
	found := false
	for _, w := range figures {
		row := []string{w.op}
		if w.callers > 0 {
			row[0] += ", " + callersOf(w.callers)
		}
		for _, kind := range []string{inMemory, inSQLite} {
			for _, n := range sizes {
				s, ok := r.median(key{grownName(kind, n), w.op, w.callers})
				found = found || ok
				text := number(s.Value)
				if w.callers > 0 {
					text = showCost(s)
				}
				row = append(row, orDash(text, ok))
			}
		}
		rows = append(rows, row)
	}
	if found {
		fmt.Fprintf(out, "\n## Growth\n\nTime for each, counted over all callers.\n\n")
		printTable(out, rows)
	}
}

func orDash(text string, ok bool) string {
	if !ok {
		return "–"
	}
	return text
}

// printTable prints rows, the first of which is the heading, as a table of Markdown
// that can be read as it is, too.
func printTable(out io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprint(out, "| ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)), " ")
		}
		fmt.Fprintln(out, "|")
		if n == 0 {
			for _, width := range widths {
				fmt.Fprint(out, "| ", strings.Repeat("-", width), " ")
			}
			fmt.Fprintln(out, "|")
		}
	}
}

// number writes v with as many digits as are worth reading.
func number(v float64) string {
	switch {
	case v == float64(int64(v)) || v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// thousands writes v without digits after the point, and with commas.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func callersOf(n int) string {
	if n == 1 {
		return "1 caller"
	}
	return fmt.Sprintf("%d callers", n)
}
