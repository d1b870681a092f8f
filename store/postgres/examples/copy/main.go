// Command copy makes one store hold the tokens of another. In the directory of
// this module:
//
//	go run ./examples/copy -from tokens.db -to postgres://app@db.example.com/app
//
// Each of the two is the path of a SQLite file or the URL of a PostgreSQL database. The
// command leaves alone what the destination has already, deletes what only the
// destination has, and compares the numbers in the end: see [store.Copy]. So it can be
// repeated, after an interruption or once the application has stopped. It reports
// progress on the standard error, and the result on the standard output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "copy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("copy", flag.ContinueOnError)
	flags.SetOutput(stderr)
	from := flags.String("from", "", "`path or URL` of the tokens")
	to := flags.String("to", "", "`path or URL` of where they are to be as well")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *from == "" || *to == "" || flags.NArg() > 0 {
		return errors.New("-from and -to are needed, and nothing else")
	}
	if !isURL(*from) { // which would be made
		if _, err := os.Stat(*from); err != nil {
			return fmt.Errorf("-from: %w", err)
		}
	}
	src, err := open(ctx, *from)
	if err != nil {
		return fmt.Errorf("-from: %w", err)
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := open(ctx, *to)
	if err != nil {
		return fmt.Errorf("-to: %w", err)
	}
	defer func() { err = errors.Join(err, dst.Close()) }()

	before := -1
	stats, err := store.Copy(ctx, dst, src, func(s store.CopyStats) {
		if percent := 100 * (s.Kept + s.Created) / max(1, s.Total); percent != before {
			before = percent
			fmt.Fprintf(stderr, "%d %%\n", percent)
		}
	})
	if err != nil {
		return fmt.Errorf("%w; so far, of %s", err, told(stats))
	}
	_, err = fmt.Fprintln(stdout, told(stats))
	return err
}

func told(s store.CopyStats) string {
	return fmt.Sprintf("%d tokens: %d were there, %d created, %d deleted", s.Total, s.Kept, s.Created, s.Deleted)
}

type closingStore interface {
	store.Store
	Close() error
}

func open(ctx context.Context, name string) (closingStore, error) {
	if !isURL(name) {
		return sqlite.Open(ctx, name, sqlite.Config{})
	}
	if !strings.Contains(name, "pool_max_conns=") {
		separator := "?"
		if strings.Contains(name, "?") {
			separator = "&"
		}
		name += separator + "pool_max_conns=32" // as Copy writes many at once
	}
	return postgres.Open(ctx, name, postgres.Config{})
}

func isURL(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}
