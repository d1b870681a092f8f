package httpadapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

// Every answer of the API and every refusal of the guard forbids browsers to guess its
// type.
func TestNoSniffing(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{Logger: slog.New(slog.DiscardHandler)})
	down := newAPI(t, httpadapter.Config{Logger: slog.New(slog.DiscardHandler), Authenticate: func(*http.Request) (authtoken.Principal, error) {
		return authtoken.Principal{}, errors.New("sessions are down")
	}})
	answers := map[string]*httptest.ResponseRecorder{
		"list":          a.do(t, "alice", "GET", tokens, ""),
		"one":           a.do(t, "alice", "GET", tokens+"key-alice/", ""),
		"head":          a.do(t, "alice", "HEAD", tokens+"key-alice/", ""),
		"options":       a.do(t, "alice", "OPTIONS", tokens, ""),
		"made":          a.do(t, "alice", "POST", tokens, `{"identifier":"ci"}`),
		"faults":        a.do(t, "alice", "POST", tokens, `{}`),
		"deleted":       a.do(t, "alice", "DELETE", tokens+"ci/", ""),
		"key set":       a.do(t, "akadmin", "POST", tokens+"key-bob/set_key/", `{"key":"a-key-of-more-than-thirty-two-bytes"}`),
		"schema":        a.do(t, "", "GET", "/api/v3/schema/", ""),
		"schema method": a.do(t, "", "POST", "/api/v3/schema/", ""),
		"nobody":        a.do(t, "", "GET", tokens, ""),
		"cross-site":    a.do(t, "", "POST", tokens, "", "Sec-Fetch-Site", "cross-site"),
		"no such path":  a.do(t, "alice", "GET", "/api/v3/other/", ""),
		"no such token": a.do(t, "alice", "GET", tokens+"nothing/", ""),
		"method":        a.do(t, "alice", "BREW", tokens, ""),
		"failure":       down.do(t, "", "GET", tokens, ""),
	}
	var wait time.Duration
	users := new(flaky)
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "1"})
	require.NoError(t, err)
	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{
		Throttle: func(*http.Request) time.Duration { return wait },
		Logger:   slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	guarded := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	bearer := "Bearer " + key.Reveal()
	let := withHeaders(t, guarded, "/", "Authorization", bearer)
	require.Equal(t, http.StatusOK, let.Code)
	require.Empty(t, let.Header(), "the application's answers are its own")
	answers["guard, nobody"] = withHeaders(t, guarded, "/", "Authorization")
	answers["guard, refused"] = withHeaders(t, guarded, "/", "Authorization", "Bearer x")
	answers["guard, repeated"] = withHeaders(t, guarded, "/", "Authorization", "Bearer x", "Bearer y")
	users.down = true
	answers["guard, failure"] = withHeaders(t, guarded, "/", "Authorization", bearer)
	wait = time.Second
	answers["guard, throttled"] = withHeaders(t, guarded, "/", "Authorization", bearer)

	seen := map[int]bool{}
	for name, w := range answers {
		require.Equal(t, []string{"nosniff"}, w.Header().Values("X-Content-Type-Options"), name)
		seen[w.Code] = true
	}
	for _, status := range []int{200, 201, 204, 400, 401, 403, 404, 405, 429, 500} {
		require.True(t, seen[status], status)
	}
}

// broken is a store that fails to find anything but keys.
type broken struct{ store.Store }

func (broken) Get(context.Context, string) (store.Record, error) {
	return store.Record{}, errors.New("disk on fire")
}

func TestFailuresAreLoggedAndNotShown(t *testing.T) {
	t.Parallel()
	svc, err := authtoken.New(broken{memory.New()}, authtoken.Config{})
	require.NoError(t, err)
	var log bytes.Buffer
	h, err := httpadapter.New(svc, httpadapter.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "1"})
	require.NoError(t, err)
	a := &api{Handler: h, keys: map[string]string{"x": key.Reveal()}}
	requireAnswer(t, a.do(t, "x", "GET", tokens+"one/", ""), http.StatusInternalServerError, `{"detail":"Internal server error."}`)
	require.Contains(t, log.String(), "disk on fire")
	require.Contains(t, log.String(), "path="+tokens+"one/")
	require.NotContains(t, log.String(), key.Reveal())
}

// pieces is a ResponseWriter that records the size of each write, and then calls then, if
// it is set.
type pieces struct {
	*httptest.ResponseRecorder
	sizes []int
	then  func()
}

func (p *pieces) Write(b []byte) (int, error) {
	p.sizes = append(p.sizes, len(b))
	if p.then != nil {
		p.then()
	}
	return p.ResponseRecorder.Write(b)
}

// newLong returns a handler for a user with these attributes and n tokens. Each token takes
// at least 1,000 bytes of an answer.
func newLong(t *testing.T, attributes map[string]any, n int) http.Handler {
	t.Helper()
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	require.NoError(t, err)
	for i := range n {
		_, _, err := svc.Create(t.Context(), authtoken.CreateParams{
			Identifier: fmt.Sprintf("t%04d", i), User: "2", Description: strings.Repeat("d", 1000)})
		require.NoError(t, err)
	}
	h, err := httpadapter.New(svc, httpadapter.Config{
		Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn("2"), nil },
		Profiles:     httpadapter.ProfileList(httpadapter.Profile{ID: "2", Attributes: attributes}),
		Logger:       slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return h
}

func listAll(ctx context.Context, h http.Handler, w http.ResponseWriter) {
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, tokens+"?page_size=1000", nil))
}

func TestLongListsAreSentInPieces(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 10, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			h := newLong(t, map[string]any{"a": "é"}, n)
			w := &pieces{ResponseRecorder: httptest.NewRecorder()}
			listAll(t.Context(), h, w)
			require.Equal(t, http.StatusOK, w.Code)
			var page struct {
				Results []struct {
					Identifier, Description string
					Owner                   struct{ Attributes map[string]string } `json:"user_obj"`
				}
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
			require.Len(t, page.Results, n)
			for i, r := range page.Results {
				require.Equal(t, fmt.Sprintf("t%04d", i), r.Identifier)
				require.Len(t, r.Description, 1000)
				require.Equal(t, map[string]string{"a": "é"}, r.Owner.Attributes)
			}
			for _, size := range w.sizes {
				require.LessOrEqual(t, size, 40_000)
			}
			require.Equal(t, n < 1000, len(w.sizes) == 1)
			require.Equal(t, n == 10, w.Header().Get("Content-Length") != "")
		})
	}
}

// Half a list must not look like a whole one.
func TestLongListsAreCutOffWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	h := newLong(t, nil, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &pieces{ResponseRecorder: httptest.NewRecorder()}
	w.then = func() {
		if len(w.sizes) == 3 {
			cancel()
		}
	}
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { listAll(ctx, h, w) })
	require.Len(t, w.sizes, 3)
}

// The handler must find out that it can't encode an owner before it sends anything.
func TestLongListsOfAnOwnerWhoCannotBeShown(t *testing.T) {
	t.Parallel()
	h := newLong(t, map[string]any{"f": func() {}}, 1000)
	w := httptest.NewRecorder()
	listAll(t.Context(), h, w)
	requireAnswer(t, w, http.StatusInternalServerError, `{"detail":"Internal server error."}`)
}
