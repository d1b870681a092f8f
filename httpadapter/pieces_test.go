package httpadapter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

// pieces is a ResponseWriter that notes how long what it is given at a time is, and
// calls then, if there is one, for each of it.
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

// newLong returns a handler for a user with these attributes who has so many tokens, each of which takes
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
		require.Equal(t, n == 10, w.Header().Get("Content-Length") != "", "%d tokens", n)
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

// That it can't be encoded must be known before a part of it is sent.
func TestLongListsOfAnOwnerWhoCannotBeShown(t *testing.T) {
	t.Parallel()
	h := newLong(t, map[string]any{"f": func() {}}, 1000)
	w := httptest.NewRecorder()
	listAll(t.Context(), h, w)
	requireAnswer(t, w, http.StatusInternalServerError, `{"detail":"Internal server error."}`)
}
