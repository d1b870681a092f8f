package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// What is measured is measured in a process of its own, with files of its own: so
// that nobody inherits another's heap, and because two builds of SQLite in
// one process that open the same file lose each other's locks. The process is this
// program with other arguments. It reads tasks and writes outcomes, as
// lines of JSON, until there are no more tasks.

// A subject is what a child has to measure.
type subject interface {
	measure(task) (sample, error)
	figures() map[string]float64 // what there is to say before the first task
	close() error
}

// openSubject opens what a child is asked for: a contender with n tokens in it,
// a growing store with n tokens in it, or a handler.
func openSubject(name, dir string, n int) (subject, error) {
	if kind, ok := strings.CutPrefix(name, growing); ok {
		return openGrowing(kind, dir, n)
	}
	if kind, ok := strings.CutPrefix(name, serving); ok {
		return openServing(kind, dir)
	}
	c, ok := contenderNamed(name)
	if !ok {
		return nil, fmt.Errorf("there is no %q", name)
	}
	k, err := c.open(dir)
	if err != nil {
		return nil, err
	}
	every := 1
	if c.keeps == memory {
		every = 64 // the clock would take longer than what it measures
	}
	return newKeeping(k, every, n)
}

// An outcome is what a child says: of itself first, and then of each task.
type outcome struct {
	Error   string
	Figures map[string]float64 `json:",omitempty"`
	Sample  sample
}

// childFlag is the first argument of a child; the others are the subject, the
// directory and the number of tokens.
const childFlag = "-child"

// runChild is the whole of a child. It returns its exit code.
func runChild(args []string, in io.Reader, out io.Writer) int {
	enc := json.NewEncoder(out)
	say := func(o outcome, err error) bool {
		if err != nil {
			o.Error = err.Error()
		}
		return enc.Encode(o) == nil && err == nil
	}
	if len(args) != 3 {
		say(outcome{}, fmt.Errorf("%d arguments where there should be 3", len(args)))
		return 2
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		say(outcome{}, err)
		return 2
	}
	s, err := openSubject(args[0], args[1], n)
	if err != nil {
		say(outcome{}, err)
		return 1
	}
	if !say(outcome{Figures: s.figures()}, nil) {
		return 1
	}
	for dec := json.NewDecoder(in); ; {
		var t task
		if err := dec.Decode(&t); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			say(outcome{}, err)
			return 1
		}
		got, err := s.measure(t)
		if !say(outcome{Sample: got}, err) {
			return 1
		}
	}
	if err := s.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A child is a process that measures.
type child struct {
	cmd     *exec.Cmd
	dir     string
	in      io.WriteCloser
	enc     *json.Encoder
	dec     *json.Decoder
	stderr  bytes.Buffer
	figures map[string]float64
}

// startChild starts a child, with a directory of its own below dir, and waits
// until it is ready.
func startChild(name, dir string, n int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := new(child)
	if c.dir, err = os.MkdirTemp(dir, "child-"); err != nil {
		return nil, err
	}
	c.cmd = exec.Command(self, childFlag, name, c.dir, strconv.Itoa(n))
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		c.in, err = c.cmd.StdinPipe()
	}
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	c.enc, c.dec = json.NewEncoder(c.in), json.NewDecoder(out)
	o, err := c.listen()
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, c.end())
	}
	c.figures = o.Figures
	return c, nil
}

func (c *child) measure(t task) (sample, error) {
	if err := c.enc.Encode(t); err != nil {
		return sample{}, err
	}
	o, err := c.listen()
	return o.Sample, err
}

func (c *child) listen() (outcome, error) {
	var o outcome
	if err := c.dec.Decode(&o); err != nil {
		return o, fmt.Errorf("the process said nothing: %w", err)
	}
	if o.Error != "" {
		return o, errors.New(o.Error)
	}
	return o, nil
}

// end ends the child and returns what it had to say about that, if anything.
func (c *child) end() string {
	_ = c.in.Close()
	err := c.cmd.Wait()
	if removed := os.RemoveAll(c.dir); err == nil {
		err = removed
	}
	if err != nil {
		return fmt.Sprintf(" (%v) %s", err, bytes.TrimSpace(c.stderr.Bytes()))
	}
	return ""
}
