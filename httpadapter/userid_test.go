package httpadapter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
)

const uuidUser = "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5"

// newSuperAPI returns an API that a superuser, "root", has signed in to, and the users with these IDs.
func newSuperAPI(t *testing.T, cfg httpadapter.Config, ids ...string) *api {
	t.Helper()
	users := []authtoken.User{{ID: "root", Active: true, Superuser: true}}
	for _, id := range ids {
		users = append(users, authtoken.User{ID: id, Active: true})
	}
	directory, err := authtoken.NewUserList(users...)
	require.NoError(t, err)
	svc, clock := authtokentest.NewService(t, authtoken.Config{Users: directory})
	cfg.Authenticate = func(*http.Request) (authtoken.Principal, error) { return authtoken.SignedIn("root"), nil }
	h, err := httpadapter.New(svc, cfg)
	require.NoError(t, err)
	return &api{Handler: h, svc: svc, clock: clock}
}

// shownUser returns how an answer writes the owner of a token: the same in all places.
func shownUser(t *testing.T, a *api, identifier string) string {
	t.Helper()
	type token struct {
		User  json.RawMessage
		Owner struct{ PK json.RawMessage } `json:"user_obj"`
	}
	var one token
	w := a.do(t, "", "GET", tokens+identifier+"/", "")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &one), w.Body)
	var page struct{ Results []token }
	w = a.do(t, "", "GET", tokens+"?identifier="+identifier, "")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page), w.Body)
	require.Equal(t, []token{one}, page.Results)
	require.Equal(t, string(one.User), string(one.Owner.PK))
	return string(one.User)
}

// Only a decimal that is written in the one canonical way is a number. So different
// IDs never look the same.
func TestUserIDsAsTheyAre(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"0":                   `0`,
		"7":                   `7`,
		"9223372036854775807": `9223372036854775807`,
		"9223372036854775808": `"9223372036854775808"`,
		"07":                  `"07"`,
		"+7":                  `"+7"`,
		"-1":                  `"-1"`,
		"7.0":                 `"7.0"`,
		" 7":                  `" 7"`,
		"1_0":                 `"1_0"`,
		"٧":                   `"٧"`,
		"ada@example.com":     `"ada@example.com"`,
		uuidUser:              `"` + uuidUser + `"`,
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			a := newSuperAPI(t, httpadapter.Config{}, id)
			_, _, err := a.svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: id})
			require.NoError(t, err)
			require.Equal(t, want, shownUser(t, a, "one"))

			// A request can name the users whose IDs are numbers, and no others.
			w := a.do(t, "", "POST", tokens, `{"identifier":"two","user":`+want+`}`)
			if want[0] != '"' {
				require.Equal(t, http.StatusCreated, w.Code, w.Body)
				require.Equal(t, want, shownUser(t, a, "two"))
				return
			}
			require.Equal(t, http.StatusBadRequest, w.Code, w.Body)
			_, err = a.svc.Get(t.Context(), "two")
			require.ErrorIs(t, err, authtoken.ErrNotFound)
		})
	}
}

func TestUserNumbers(t *testing.T) {
	t.Parallel()
	numbers := map[string]int64{"root": 1, uuidUser: 41, "7": 42, "lost": 44}
	a := newSuperAPI(t, httpadapter.Config{
		UserNumber: func(_ context.Context, id string) (int64, error) {
			n, ok := numbers[id]
			if !ok {
				return 0, fmt.Errorf("no number for %q", id)
			}
			return n, nil
		},
		UserID: func(_ context.Context, number int64) (string, error) {
			for id, n := range numbers {
				if n == number {
					return id, nil
				}
			}
			return "", fmt.Errorf("number %d: %w", number, authtoken.ErrUserNotFound)
		},
	}, uuidUser, "7")
	for i, c := range []struct{ sent, user, want string }{ // want is the number in the answer, or the fault
		{`41`, uuidUser, `41`},
		{`"41"`, uuidUser, `41`},
		{`41.0`, uuidUser, `41`},
		{`42`, "7", `42`},
		{`7`, "", `Invalid pk "7" - object does not exist.`},
		{`43.0`, "", `Invalid pk "43.0" - object does not exist.`},
		{`-1`, "", `Invalid pk "-1" - object does not exist.`},
		{`44`, "", `Invalid pk "44" - object does not exist.`}, // the directory does not know "lost", and the answer not its ID
		{`"` + uuidUser + `"`, "", `Incorrect type. Expected pk value, received str.`},
	} {
		t.Run(c.sent, func(t *testing.T) {
			t.Parallel()
			identifier := fmt.Sprint("t", i)
			w := a.do(t, "", "POST", tokens, `{"identifier":"`+identifier+`","user":`+c.sent+`}`)
			if c.user == "" {
				fault, err := json.Marshal(map[string][]string{"user": {c.want}})
				require.NoError(t, err)
				requireAnswer(t, w, http.StatusBadRequest, string(fault))
				return
			}
			require.Equal(t, http.StatusCreated, w.Code, w.Body)
			token, err := a.svc.Get(t.Context(), identifier)
			require.NoError(t, err)
			require.Equal(t, c.user, token.User)
			require.Equal(t, c.want, shownUser(t, a, identifier))
			w = a.do(t, "", "PATCH", tokens+identifier+"/", `{"user":`+c.sent+`}`)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			w = a.do(t, "", "PATCH", tokens+identifier+"/", `{"user":1}`)
			requireAnswer(t, w, http.StatusBadRequest, `{"user":["User cannot be changed"]}`)
		})
	}
}

// A number that can't be looked up is a failure, and says nothing about the request.
func TestUserNumbersFail(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	a := newSuperAPI(t, httpadapter.Config{
		Logger:     slog.New(slog.NewTextHandler(&log, nil)),
		UserNumber: func(context.Context, string) (int64, error) { return 1, nil },
		UserID:     func(context.Context, int64) (string, error) { return "", errors.New("numbers are down") },
	})
	w := a.do(t, "", "POST", tokens, `{"identifier":"one","user":1}`)
	requireAnswer(t, w, http.StatusInternalServerError, `{"detail":"Internal server error."}`)
	require.Contains(t, log.String(), "numbers are down")
	_, err := a.svc.Get(t.Context(), "one")
	require.ErrorIs(t, err, authtoken.ErrNotFound)
}

// With TextUserIDs an ID is exactly the string that was sent.
func TestTextUserIDs(t *testing.T) {
	t.Parallel()
	a := newSuperAPI(t, httpadapter.Config{TextUserIDs: true}, uuidUser, "7", "07", " 7 ", "ü🔑")
	wrongType := func(kind string) string { return `Incorrect type. Expected pk value, received ` + kind + `.` }
	for i, c := range []struct{ sent, user, fault string }{
		{`"` + uuidUser + `"`, uuidUser, ""},
		{`"7"`, "7", ""},
		{`"07"`, "07", ""},
		{`" 7 "`, " 7 ", ""},
		{`"\u00fc\ud83d\udd11"`, "ü🔑", ""},
		{`7`, "", wrongType("int")},
		{`7.0`, "", wrongType("float")},
		{`true`, "", wrongType("bool")},
		{`["7"]`, "", wrongType("list")},
		{`null`, "", "This field may not be null."},
		{`""`, "", "This field may not be null."},
		{`"\ud800"`, "", "Surrogate characters are not allowed: U+D800."},
		{`"+7"`, "", `Invalid pk "+7" - object does not exist.`},
		{`"7 "`, "", `Invalid pk "7 " - object does not exist.`},
	} {
		t.Run(c.sent, func(t *testing.T) {
			t.Parallel()
			identifier := fmt.Sprint("t", i)
			w := a.do(t, "", "POST", tokens, `{"identifier":"`+identifier+`","user":`+c.sent+`}`)
			if c.fault != "" {
				fault, err := json.Marshal(map[string][]string{"user": {c.fault}})
				require.NoError(t, err)
				requireAnswer(t, w, http.StatusBadRequest, string(fault))
				return
			}
			require.Equal(t, http.StatusCreated, w.Code, w.Body)
			token, err := a.svc.Get(t.Context(), identifier)
			require.NoError(t, err)
			require.Equal(t, c.user, token.User)
			var shown string
			require.NoError(t, json.Unmarshal([]byte(shownUser(t, a, identifier)), &shown))
			require.Equal(t, c.user, shown)
		})
	}
}
