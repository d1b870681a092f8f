package torture

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

// state is what writers see of the token that all of them change.
type state struct {
	version     int64
	description string
	expires     time.Time
	intent      authtoken.Intent
}

// A way is a way to read and to change the token. A change that demands another
// revision than the token has fails with authtoken.ErrStale.
type way struct {
	read  func() (s state, revision string)
	write func(c acknowledged) (state, error)
}

var super = authtoken.User{ID: "1", Active: true, Superuser: true}

func byService(t *testing.T, svc *authtoken.Service) way {
	caller := svc.As(super.ID)
	seen := func(token authtoken.Token) state {
		return state{token.Version, token.Description, token.Expires, token.Intent}
	}
	return way{
		read: func() (state, string) {
			token, err := caller.Get(t.Context(), "one")
			require.NoError(t, err)
			return seen(token), token.Revision()
		},
		write: func(c acknowledged) (state, error) {
			p := c.p
			if c.replace && p.Intent == nil { // as PUT has it
				p.Intent = new(authtoken.IntentAPI)
			}
			var conditions []authtoken.Condition
			if c.revision != "" {
				conditions = append(conditions, authtoken.IfRevision(c.revision))
			}
			token, err := caller.Update(t.Context(), "one", p, conditions...)
			return seen(token), err
		},
	}
}

func byHTTP(t *testing.T, svc *authtoken.Service) way {
	h, err := httpadapter.New(svc, httpadapter.Config{
		Authenticate: func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn(super.ID), nil }})
	require.NoError(t, err)
	do := func(method, condition string, body any) (s state, etag string, code int) {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		r := httptest.NewRequestWithContext(t.Context(), method, "/api/v3/core/tokens/one/", strings.NewReader(string(text)))
		r.Header.Set("Content-Type", "application/json")
		if condition != "" {
			r.Header.Set("If-Match", `"`+condition+`"`)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return s, "", w.Code
		}
		var token struct {
			Description string
			Expires     time.Time
			Intent      authtoken.Intent
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &token))
		etag = strings.Trim(w.Header().Get("ETag"), `"`)
		_, version, _ := strings.Cut(etag, ".")
		n, err := strconv.ParseInt(version, 10, 64)
		require.NoError(t, err)
		return state{n, token.Description, token.Expires, token.Intent}, etag, w.Code
	}
	return way{
		read: func() (state, string) {
			s, etag, code := do("GET", "", nil)
			require.Equal(t, http.StatusOK, code)
			return s, etag
		},
		write: func(c acknowledged) (state, error) {
			p, method, fields := c.p, "PATCH", map[string]any{}
			if c.replace {
				method = "PUT"
			}
			for name, v := range map[string]any{
				"identifier": p.Identifier, "description": p.Description, "expires": p.Expires, "intent": p.Intent,
			} {
				if !reflect.ValueOf(v).IsNil() {
					fields[name] = v
				}
			}
			s, _, code := do(method, c.revision, fields)
			switch code {
			case http.StatusOK:
				return s, nil
			case http.StatusPreconditionFailed:
				return s, authtoken.ErrStale
			}
			return s, fmt.Errorf("answered with %d", code)
		},
	}
}

// acknowledged is a change that was made, and what the token was said to be then.
type acknowledged struct {
	p        authtoken.UpdateParams
	replace  bool
	revision string // that the token must have; empty for any
	after    state
}

// randomChange returns one that a writer may ask for. What it writes is different
// every time.
func randomChange(name string) acknowledged {
	var c acknowledged
	if rand.IntN(2) == 0 {
		c.replace, c.p.Identifier = true, new("one")
	}
	if rand.IntN(2) == 0 {
		c.p.Description = &name
	}
	if rand.IntN(2) == 0 {
		c.p.Expires = new(time.UnixMicro(4e15 + rand.Int64N(1e15)).UTC())
	}
	if rand.IntN(4) == 0 {
		c.p.Intent = new(authtoken.Intents()[rand.IntN(4)])
	}
	return c
}

// TestNoUpdateIsLost has 16 writers change one token, with and without a condition.
// Each change that is acknowledged has a version of its own, and all of them
// in the order of their versions give what each was said to have given.
func TestNoUpdateIsLost(t *testing.T) {
	t.Parallel()
	for storeName, newStore := range stores {
		for wayName, newWay := range map[string]func(*testing.T, *authtoken.Service) way{"Service": byService, "HTTP": byHTTP} {
			t.Run(storeName+"/"+wayName, func(t *testing.T) {
				t.Parallel()
				st, closeStore := newStore(t)
				defer closeStore()
				users, err := authtoken.NewUserList(super)
				require.NoError(t, err)
				svc, err := authtoken.New(st, authtoken.Config{Users: users})
				require.NoError(t, err)
				_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: "1"})
				require.NoError(t, err)
				changeFrom16(t, newWay(t, svc))
			})
		}
	}
}

func changeFrom16(t *testing.T, w way) {
	const writers = 16
	var mu sync.Mutex
	var history []acknowledged
	stale := 0
	first, _ := w.read()
	Together(writers, func(i int) {
		for n := range changesEach {
			c := randomChange(fmt.Sprint(i, " ", n))
			conditional := rand.IntN(2) == 0
			for done := false; !done; {
				var was state
				if conditional {
					was, c.revision = w.read()
				}
				var err error
				c.after, err = w.write(c)
				done = err == nil
				mu.Lock()
				switch {
				case done && conditional && c.after.version != was.version+1:
					t.Errorf("a change on the condition of version %d made version %d", was.version, c.after.version)
				case done:
					history = append(history, c)
				case conditional && errors.Is(err, authtoken.ErrStale):
					stale++
				default:
					t.Error(err)
					done = true
				}
				mu.Unlock()
			}
		}
	})

	require.Len(t, history, writers*changesEach)
	slices.SortFunc(history, func(a, b acknowledged) int { return int(a.after.version - b.after.version) })
	s := first
	for _, c := range history {
		s.version++
		if c.p.Description != nil {
			s.description = *c.p.Description
		}
		if c.p.Expires != nil {
			s.expires = *c.p.Expires
		}
		switch {
		case c.p.Intent != nil:
			s.intent = *c.p.Intent
		case c.replace:
			s.intent = authtoken.IntentAPI
		}
		require.Equal(t, s, c.after)
	}
	last, _ := w.read()
	require.Equal(t, s, last)
	t.Logf("%d acknowledged changes, none lost; %d were refused as another was first", len(history), stale)
}
