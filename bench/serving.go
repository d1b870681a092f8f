package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
	memorystore "github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// serving is what the names of subjects begin with that answer requests; what
// follows is where their tokens are, or bareHandler.
const serving = "serving "

// bareHandler reads what the adapter reads and answers with its bytes, and does
// nothing else.
const bareHandler = "nothing"

// inCachedSQLite is SQLite behind the service's cache, so that of the two looks
// into the store that a GET takes, one is left.
const inCachedSQLite = "SQLite, cached"

// The work of a handler. Over loopback, it is done through a socket, with a
// connection for each caller; in process, by a call of ServeHTTP.
const (
	get        = "GET"
	put        = "PUT"
	getCalled  = "GET, in process"
	postCalled = "POST, in process"
)

const connections = 64

// A served is a handler, and what to ask of it: each caller has a token of its own
// to read and to write.
type served struct {
	handler http.Handler
	keys    []string
	stop    func() error
	posted  int
}

func openServing(kind, dir string) (subject, error) {
	s := &served{stop: func() error { return nil }}
	var st store.Store = memorystore.New()
	var cfg authtoken.Config
	if kind == inCachedSQLite {
		cfg.CacheSize = 2 * connections
	}
	if kind == inSQLite || kind == inCachedSQLite {
		db, err := sqlite.Open(context.Background(), filepath.Join(dir, "tokens.db"), sqlite.Config{})
		if err != nil {
			return nil, err
		}
		st, s.stop = db, db.Close
	}
	alice := httpadapter.Profile{ID: "2", Username: "alice", Name: "Alice Doe", Email: "alice@example.com", Active: true}
	users, err := authtoken.NewUserList(alice.User())
	if err != nil {
		return nil, err
	}
	cfg.Users = users
	svc, err := authtoken.New(st, cfg)
	if err != nil {
		return nil, err
	}
	for i := range connections {
		_, key, err := svc.Create(context.Background(), authtoken.CreateParams{
			Identifier: nameOf(i), User: "2", Expiring: new(false), Description: "made by the benchmark"})
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, key.Reveal())
	}
	adapter, err := httpadapter.New(svc, httpadapter.Config{Profiles: httpadapter.ProfileList(alice)})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v3/", adapter)
	if kind == bareHandler {
		bare := http.NewServeMux()
		bare.Handle("/api/v3/", s.replay(mux))
		mux = bare
	}
	s.handler = mux
	return s, nil
}

// replay returns a handler that gives the answers of h to requests of
// the same method without asking h again.
func (s *served) replay(h http.Handler) http.Handler {
	answers := make(map[string]*httptest.ResponseRecorder)
	for _, op := range []string{getCalled, put, postCalled} {
		r, body := s.request(op)
		r.Body = io.NopCloser(strings.NewReader(body))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		answers[r.Method] = w
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer := answers[r.Method]
		header := w.Header()
		for name, value := range answer.Header() {
			header[name] = value
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

func itemPath(i int) string { return "/api/v3/core/tokens/" + nameOf(i) + "/" }

func putBody(i int) string {
	return `{"identifier":"` + nameOf(i) + `","intent":"api","description":"changed by the benchmark"}`
}

func (s *served) postBody() string {
	s.posted++
	return `{"identifier":"posted-` + strconv.Itoa(s.posted) + `","intent":"api","user":2,"description":"made by the benchmark","expiring":true}`
}

// request returns a request to call the handler with, and its body.
func (s *served) request(op string) (r *http.Request, body string) {
	switch op {
	case getCalled:
		r = httptest.NewRequest(http.MethodGet, itemPath(0), nil)
	case put:
		r, body = httptest.NewRequest(http.MethodPut, itemPath(0), nil), putBody(0)
	default:
		r, body = httptest.NewRequest(http.MethodPost, "/api/v3/core/tokens/", nil), s.postBody()
	}
	r.Header.Set("Authorization", "Bearer "+s.keys[0])
	r.Header.Set("Content-Type", "application/json")
	return r, body
}

func (s *served) measure(t task) (sample, error) {
	switch t.Op {
	case getCalled, postCalled:
		return s.call(t)
	case get, put:
		return s.overLoopback(t)
	}
	return sample{}, fmt.Errorf("nobody knows how to %q", t.Op)
}

// noWriter is a ResponseWriter that keeps nothing but the status.
type noWriter struct {
	header http.Header
	status int
}

func (w *noWriter) Header() http.Header         { return w.header }
func (w *noWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *noWriter) WriteHeader(status int)      { w.status = status }

// call has one caller call the handler again and again with the same request, so
// that nothing but the handler is measured.
func (s *served) call(t task) (sample, error) {
	w := &noWriter{header: http.Header{}}
	r, _ := s.request(t.Op)
	return spread(t, 64, func(context.Context, int) error {
		if t.Op == postCalled {
			body := s.postBody()
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
		clear(w.header)
		s.handler.ServeHTTP(w, r)
		if w.status/100 != 2 {
			return fmt.Errorf("status %d", w.status)
		}
		return nil
	})
}

// overLoopback asks through sockets. The client is as simple as can be, so
// that most of the time is the server's.
func (s *served) overLoopback(t task) (_ sample, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return sample{}, err
	}
	server := http.Server{Handler: s.handler, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() { err = errors.Join(err, server.Close(), notClosed(<-served)) }()

	clients := make([]*client, t.Callers)
	for i := range clients {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return sample{}, err
		}
		defer conn.Close()
		body := ""
		if t.Op == put {
			body = putBody(i)
		}
		clients[i] = &client{conn, bufio.NewReader(conn), fmt.Appendf(nil,
			"%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			t.Op, itemPath(i), s.keys[i], len(body), body)}
	}
	return spread(t, 1, func(_ context.Context, i int) error { return clients[i%len(clients)].ask() })
}

func notClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// A client sends the same request again and again.
type client struct {
	conn    net.Conn
	r       *bufio.Reader
	request []byte
}

// ask sends the request and reads the answer, which must have a Content-Length.
func (c *client) ask() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answered with %q", line)
	}
	length := 0
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if length == 0 {
		return errors.New("an answer of unknown length")
	}
	_, err = c.r.Discard(length)
	return err
}

func (s *served) figures() map[string]float64 { return nil }
func (s *served) close() error                { return s.stop() }
