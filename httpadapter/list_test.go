package httpadapter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

// counting is a directory of many users that counts how often it is asked.
type counting struct{ calls int }

func (c *counting) User(_ context.Context, pk string) (authtoken.User, error) {
	if pk != "1" {
		c.calls++
	}
	return authtoken.User{ID: pk, Username: fmt.Sprint("u", pk), Active: true, Superuser: pk == "1"}, nil
}

func (c *counting) Users(_ context.Context, ids []string) (map[string]authtoken.User, error) {
	c.calls++
	found := make(map[string]authtoken.User, len(ids))
	for _, id := range ids {
		found[id] = authtoken.User{ID: id, Username: fmt.Sprint("u", id), Active: true}
	}
	return found, nil
}

// A page of tokens of as many users as there can be costs one question.
func TestListAsksForOwnersOnce(t *testing.T) {
	t.Parallel()
	users := new(counting)
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	require.NoError(t, err)
	const owners = 1000
	for i := range owners {
		_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: strconv.Itoa(i + 2)})
		require.NoError(t, err)
	}
	h, err := httpadapter.New(svc, httpadapter.Config{Authenticate: func(*http.Request) (authtoken.Principal, error) {
		return authtoken.SignedIn("1"), nil
	}})
	require.NoError(t, err)
	users.calls = 0
	w := (&api{Handler: h}).do(t, "", "GET", tokens+"?page_size=1000", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, 1, users.calls)
	var page struct {
		Results []struct {
			User    int64
			UserObj struct{ Username string } `json:"user_obj"`
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	require.Len(t, page.Results, owners)
	for _, token := range page.Results {
		require.Equal(t, fmt.Sprint("u", token.User), token.UserObj.Username)
	}
}

// The words of a search are those of search_smart_split in Django REST framework 3.15.
func TestSearchPhrases(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for identifier, description := range map[string]string{
		"one":   "the deploy bot",
		"two":   "bot, deploy",
		"three": `say "hi", it's fine`,
		"four":  `back\slash`,
	} {
		_, _, err := a.svc.Create(t.Context(), authtoken.CreateParams{Identifier: identifier, User: "2", Description: description})
		require.NoError(t, err)
	}
	for search, want := range map[string][]string{
		`deploy bot`:          {"one", "two"},
		`deploy,bot`:          {"one", "two"},
		"deploy\u00a0\x1cbot": {"one", "two"},
		`"deploy bot"`:        {"one"},
		`'deploy bot'`:        {"one"},
		`,"deploy bot",`:      {"one"},
		`"deploy bot" the`:    {"one"},
		`"bot, deploy"`:       {"two"},
		`"deploy  bot"`:       {},
		`the"deploy bot"`:     {}, // quotes within a term are part of it
		`"deploy bot`:         {}, // as is one that is not closed
		`"say \"hi\""`:        {"three"},
		`it's`:                {"three"},
		`say,"hi"`:            {"three"},
		`"back\\slash"`:       {"four"},
		`" "deploy" "`:        {}, // that is one term
		`it's "deploy ,x"`:    {},
		`bot" ,deploy"`:       {}, // the white space before a comma is not searched for, but the quotes are
		`""`:                  {"four", "key-akadmin", "key-alice", "key-bob", "one", "three", "two"},
		`"`:                   {"four", "key-akadmin", "key-alice", "key-bob", "one", "three", "two"},
		`, ,`:                 {"four", "key-akadmin", "key-alice", "key-bob", "one", "three", "two"},
	} {
		t.Run(search, func(t *testing.T) {
			t.Parallel()
			w := a.do(t, "akadmin", "GET", tokens+"?search="+url.QueryEscape(search), "")
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Equal(t, want, listed(t, w))
		})
	}
}

// listed returns the identifiers in the answer to a list.
func listed(t *testing.T, w *httptest.ResponseRecorder) []string {
	t.Helper()
	var page struct{ Results []struct{ Identifier string } }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	identifiers := []string{}
	for _, token := range page.Results {
		identifiers = append(identifiers, token.Identifier)
	}
	return identifiers
}

func TestLastPage(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for query, want := range map[string]string{
		"page=last":                          `{"next":0,"previous":0,"count":3,"current":1,"total_pages":1,"start_index":1,"end_index":3}`,
		"page=last&page_size=2":              `{"next":0,"previous":1,"count":3,"current":2,"total_pages":2,"start_index":3,"end_index":3}`,
		"page=last&page_size=1":              `{"next":0,"previous":2,"count":3,"current":3,"total_pages":3,"start_index":3,"end_index":3}`,
		"page=last&search=nothing":           `{"next":0,"previous":0,"count":0,"current":1,"total_pages":1,"start_index":0,"end_index":0}`,
		"page=%202%0a&page_size=%09+2%c2%a0": `{"next":0,"previous":1,"count":3,"current":2,"total_pages":2,"start_index":3,"end_index":3}`,
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			w := a.do(t, "akadmin", "GET", tokens+"?"+query, "")
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Contains(t, w.Body.String(), `{"pagination":`+want)
		})
	}
	for _, page := range []string{"LAST", "last ", "first"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			w := a.do(t, "akadmin", "GET", tokens+"?page="+url.QueryEscape(page), "")
			requireAnswer(t, w, http.StatusNotFound, `{"detail":"Invalid page."}`)
		})
	}
}

// White space around the value of a filter is removed, as around a field of a body. What is
// white space is Python's definition.
func TestFiltersAreTrimmed(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	_, _, err := a.svc.Create(t.Context(), authtoken.CreateParams{
		Identifier: "one", User: "3", Description: "d e", Managed: "m", Expires: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	const space = "\u00a0\x1c \x1f\u2028\v"
	for name, value := range map[string]string{
		"identifier": "one", "description": "d e", "managed": "m", "expires": "2030-01-02", "user__username": "bob",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query := url.Values{name: {space + value + space}}
			w := a.do(t, "akadmin", "GET", tokens+"?"+query.Encode(), "")
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Contains(t, w.Body.String(), `"description":"d e"`)
		})
	}
	// The first instant is a filter like any other. No token expires then.
	w := a.do(t, "akadmin", "GET", tokens+"?expires=0001-01-01", "")
	require.Equal(t, []string{}, listed(t, w))
}

func TestQueries(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for query, want := range map[string]string{
		"intent=foo":                         `{"intent":["Select a valid choice. foo is not one of the available choices."]}`,
		"expires=zzz":                        `{"expires":["Enter a valid date/time."]}`,
		"expiring=maybe":                     `{"expiring":["Must be a valid boolean."]}`,
		"identifier=%00":                     `{"identifier":["Null characters are not allowed."]}`,
		"search=" + strings.Repeat("a,", 9):  `{"search":["Search for at most 8 words."]}`,
		"search=" + strings.Repeat("a", 256): `{"search":["Ensure this field has no more than 255 characters."]}`,
		"expires=1&intent=2&expiring=3": `{"expires":["Enter a valid date/time."],"expiring":["Must be a valid boolean."],` +
			`"intent":["Select a valid choice. 2 is not one of the available choices."]}`,
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			requireAnswer(t, a.do(t, "akadmin", "GET", tokens+"?"+query, ""), http.StatusBadRequest, want)
		})
	}
	for _, page := range []string{"0", "-1", "2", "x", "1.0", "99999999999999999999"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			requireAnswer(t, a.do(t, "akadmin", "GET", tokens+"?page="+page, ""), http.StatusNotFound, `{"detail":"Invalid page."}`)
		})
	}
	for query, count := range map[string]string{
		"page=":                        `"count":3`,
		"page=1&page_size=x":           `"count":3,"current":1,"total_pages":1`,
		"page=2&page_size=2":           `{"next":0,"previous":1,"count":3,"current":2,"total_pages":2,"start_index":3,"end_index":3}`,
		"page_size=2":                  `{"next":2,"previous":0,"count":3,"current":1,"total_pages":2,"start_index":1,"end_index":2}`,
		"identifier=no&identifier=":    `"count":3`,
		"identifier=%20key-bob%20":     `"count":1`,
		"search=100%":                  `"count":0`,
		"search=key;-%zz":              `"count":0`,
		"search=key-%25%ff":            `"count":0`,
		"expiring=FALSE":               `"count":3`,
		"expires=2031-01-01T00:00:00Z": `{"next":0,"previous":0,"count":0,"current":1,"total_pages":1,"start_index":0,"end_index":0}`,
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			w := a.do(t, "akadmin", "GET", tokens+"?"+query, "")
			require.Equal(t, http.StatusOK, w.Code)
			require.Contains(t, w.Body.String(), count)
			require.Contains(t, w.Body.String(), `"autocomplete":{}`)
		})
	}
}
