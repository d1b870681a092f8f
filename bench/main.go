// Command bench measures this library against others that keep tokens, and
// against what can be had without any, and says which of its targets are met.
// The README beside it has the details.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == childFlag {
		os.Exit(runChild(os.Args[2:], os.Stdin, os.Stdout))
	}
	cfg, err := parseFlags(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // the flag package has said why
	}
	if err := run(cfg, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// Parts of the whole, for -only.
const (
	growthPart  = "growth"
	adapterPart = "adapter"
	linksPart   = "links"
)

var parts = []string{create, update, lookUp, growthPart, adapterPart, linksPart}

type config struct {
	rounds int
	time   time.Duration
	size   int // of the store that has grown
	tokens int // that contenders have when they are measured
	only   []string
	svg    string
	dir    string
}

func parseFlags(args []string, out io.Writer) (config, error) {
	cfg := config{tokens: 1024}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.IntVar(&cfg.rounds, "rounds", 11, "how often each thing is measured")
	fs.DurationVar(&cfg.time, "time", 300*time.Millisecond, "how long each time")
	fs.IntVar(&cfg.size, "size", 1_000_000, "how many tokens the store has that has grown")
	only := fs.String("only", "", "what to measure, with commas in between: some of "+strings.Join(parts, ", "))
	fs.StringVar(&cfg.svg, "svg", "results.svg", "where to draw the picture; not at all if empty, as with -only")
	fs.StringVar(&cfg.dir, "dir", ".", "where to keep databases meanwhile; must be on a disk")
	quick := fs.Bool("quick", false, "a few short rounds and a small store, unless others are asked for: -rounds 5 -time 100ms -size 50000 -svg ''")
	if err := fs.Parse(args); err != nil {
		return cfg, err
	}
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if *quick {
		for name, value := range map[string]string{"rounds": "5", "time": "100ms", "size": "50000", "svg": ""} {
			if !given[name] {
				_ = fs.Set(name, value)
			}
		}
	}
	cfg.only = parts
	if *only != "" {
		cfg.only = strings.Split(*only, ",")
		if !given["svg"] {
			cfg.svg = ""
		}
	}
	var err error
	for _, part := range cfg.only {
		if !slices.Contains(parts, part) {
			err = fmt.Errorf("-only: there is no %q", part)
		}
	}
	switch {
	case fs.NArg() > 0:
		err = fmt.Errorf("arguments that are no flags: %q", fs.Args())
	case cfg.rounds < 1 || cfg.time <= 0:
		err = errors.New("-rounds and -time must be positive")
	case cfg.size < 2*smallSize:
		err = fmt.Errorf("-size must be at least %d", 2*smallSize)
	}
	if err != nil {
		fmt.Fprintln(out, err)
	}
	return cfg, err
}

// run measures what cfg asks for and writes the tables to out, and what it is
// doing to progress.
func run(cfg config, out, progress io.Writer) (err error) {
	start := time.Now()
	parent, err := filepath.Abs(cfg.dir) // for the names of databases, which are URIs
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "data-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	m := newMeasuring(cfg, dir, progress)
	syncs, err := measureDisk(dir, cfg.time)
	if err != nil {
		return err
	}
	for _, part := range cfg.only {
		switch part {
		case growthPart:
			m.growth()
		case adapterPart:
			m.adapter()
		case linksPart:
			m.links()
		default:
			m.compare(part)
		}
	}
	fmt.Fprintln(progress)

	printMachine(out, cfg, syncs, time.Since(start))
	printGoals(out, &m.results, goals(cfg.size))
	printMissing(out, &m.results)
	printContenders(out, &m.results)
	printGrowth(out, &m.results, cfg.size)
	if cfg.svg != "" {
		if err := os.WriteFile(cfg.svg, drawing(&m.results), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(out, "The picture is in", cfg.svg)
	}
	return m.results.ownFault()
}
