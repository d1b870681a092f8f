package torture

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

// TestLoad sends all kinds of requests over 64 connections at a time. Every
// answer is the right one; memory, goroutines and open files stay what
// they were after the first round, and are given back in the end.
//
// Not parallel, as it counts goroutines.
func TestLoad(t *testing.T) {
	for name, newStore := range stores {
		t.Run(name, func(t *testing.T) {
			before, filesBefore := runtime.NumGoroutine(), openFiles()
			st, closeStore := newStore(t)
			svc, err := authtoken.New(st, authtoken.Config{CacheSize: 100, TrackLastUsed: true})
			require.NoError(t, err)
			server := httptest.NewServer(routes(t, svc))
			clients := make([]*client, 64)
			for i := range clients {
				_, key, err := svc.Create(t.Context(), authtoken.CreateParams{
					Identifier: fmt.Sprint("login-", i), User: strconv.Itoa(1 + i), Expiring: new(false)})
				require.NoError(t, err)
				clients[i] = &client{t: t, url: server.URL, key: key.Reveal(), http: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}}
			}

			const rounds = 4
			var taken [rounds]resources
			start := time.Now()
			for round := range rounds {
				Together(len(clients), func(i int) {
					for n := range cyclesEach {
						clients[i].cycle(fmt.Sprint("load-", i, "-", round, "-", n))
					}
				})
				require.NoError(t, svc.FlushLastUsed(t.Context()))
				taken[round] = takenNow(t)
			}
			requests := 0
			for _, c := range clients {
				requests += c.requests
				c.http.CloseIdleConnections()
			}
			t.Logf("%d requests at %.0f a second; after each round: %v", requests, float64(requests)/time.Since(start).Seconds(), taken)
			require.Len(t, AllTokens(t, svc), len(clients))

			// The first round fills pools and caches.
			first, last := taken[1], taken[rounds-1]
			require.LessOrEqual(t, last.heap, first.heap+first.heap/4+1<<20)
			require.InDelta(t, first.goroutines, last.goroutines, 4)
			require.InDelta(t, first.files, last.files, 4)
			require.LessOrEqual(t, last.resident, first.resident+100<<20, "what SQLite may cache, and no more")

			server.Close()
			closeStore()
			requireGoroutines(t, before)
			require.Equal(t, filesBefore, openFiles())
		})
	}
}

// routes are the API and a route of the application's own.
func routes(t *testing.T, svc *authtoken.Service) http.Handler {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	h, err := httpadapter.New(svc, httpadapter.Config{Logger: log})
	require.NoError(t, err)
	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{Logger: log})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/api/v3/", h)
	mux.Handle("/guarded", guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := authtoken.PrincipalFrom(r.Context())
		fmt.Fprint(w, who.Token.Identifier)
	})))
	return mux
}

// client is a connection in the name of a user.
type client struct {
	t        *testing.T
	url, key string
	http     *http.Client
	requests int
}

// do sends a request with a key and returns the answer, which must have this status.
func (c *client) do(key, method, path, body string, status int) string {
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	require.NoError(c.t, err)
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	w, err := c.http.Do(r)
	require.NoError(c.t, err)
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, status, w.StatusCode, "%s %s: %s", method, path, text)
	c.requests++
	return string(text)
}

var keyShown = regexp.MustCompile(`"key":"([^"]+)"`)

// cycle takes a token through all that can be done with it.
func (c *client) cycle(name string) {
	t := c.t
	const tokens = "/api/v3/core/tokens/"
	item := tokens + name + "/"
	made := c.do(c.key, "POST", tokens, `{"identifier":"`+name+`"}`, 201)
	key := keyShown.FindStringSubmatch(made)[1]
	require.Equal(t, name, c.do(key, "GET", "/guarded", "", 200))
	require.Contains(t, c.do(c.key, "PATCH", item, `{"description":"patched"}`, 200), `"patched"`)
	require.Contains(t, c.do(c.key, "GET", item, "", 200), `"patched"`)
	require.Contains(t, c.do(c.key, "GET", tokens+"?ordering=-expires&search=PATCHED", "", 200), `"count":1,`)
	rotated := keyShown.FindStringSubmatch(c.do(c.key, "POST", item+"rotate/", "", 200))[1]
	c.do(key, "GET", "/guarded", "", 401)
	require.Contains(t, c.do(rotated, "PUT", item, `{"identifier":"`+name+`","description":"put"}`, 200), `"put"`)
	c.do(c.key, "DELETE", item, "", 204)
	c.do(rotated, "GET", item, "", 403)
}

// resources are what a process takes up.
type resources struct {
	heap, resident    int // bytes
	goroutines, files int
}

func (r resources) String() string {
	return fmt.Sprintf("%d KiB of heap, %d MiB resident, %d goroutines, %d files", r.heap>>10, r.resident>>20, r.goroutines, r.files)
}

func takenNow(t *testing.T) resources {
	for range 2 { // what pools keep goes with the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r := resources{heap: int(m.HeapAlloc), goroutines: runtime.NumGoroutine(), files: openFiles()}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil { // where there is such a thing
		var size, pages int
		_, err := fmt.Sscan(string(text), &size, &pages)
		require.NoError(t, err)
		r.resident = pages * os.Getpagesize()
	}
	return r
}

// openFiles returns how many files are open, or 0 where nobody says.
func openFiles() int {
	files, _ := os.ReadDir("/dev/fd")
	return len(files)
}
