package httpadapter_test

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

func TestBodies(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{MaxBodyBytes: 100})
	type answer struct {
		status int
		body   string
	}
	parse := func(why string) answer {
		return answer{400, `{"detail":"JSON parse error - ` + why + `"}`}
	}
	tooLarge := answer{413, `{"detail":"Request body exceeds the limit of 100 bytes."}`}
	for body, want := range map[string]answer{
		`{"identifier":"` + strings.Repeat("a", 200) + `"}`: tooLarge,
		"{\"identifier\":\"\xff\"}":                         parse("invalid UTF-8"),
		`{"identifier":"a"`:                                 parse("unexpected end of JSON input"),
		`{"identifier":"a\ud800"}`:                          {400, `{"identifier":["Surrogate characters are not allowed: U+D800."]}`},
		`{"identifier":"a\udc00"}`:                          {400, `{"identifier":["Surrogate characters are not allowed: U+DC00."]}`},
		`{"identifier":"\ud83d\ud83d"}`:                     {400, `{"identifier":["Surrogate characters are not allowed: U+D83D."]}`},
		`{"identifier":"\ud83d\udd11"}`:                     {400, `{"identifier":["Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens."]}`},
		`{"identifier":"\\ud800"}`:                          {400, `{"identifier":["Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens."]}`},
		`{"identifier":"a","intent":5}`:                     {400, `{"intent":["\"5\" is not a valid choice."]}`},
		`{"identifier":"a","intent":["api"]}`:               {400, `{"intent":["\"[\"api\"]\" is not a valid choice."]}`},
		`{"identifier":"a","user":18446744073709551617}`:    {400, `{"user":["Invalid pk \"18446744073709551617\" - object does not exist."]}`},
		`{"identifier":"a","expires":"10000-01-01T00:00Z"}`: {400, `{"expires":["Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."]}`},
		`true`: {400, `{"non_field_errors":["Invalid data. Expected a dictionary, but got bool."]}`},
		`1e3`:  {400, `{"non_field_errors":["Invalid data. Expected a dictionary, but got float."]}`},
	} {
		t.Run(body, func(t *testing.T) {
			w := a.do(t, "alice", "POST", tokens, body)
			requireAnswer(t, w, want.status, want.body)
		})
	}
	page, err := a.svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
	require.NoError(t, err)
	require.Equal(t, 3, page.Count, "nothing was stored")

	// A length that is not announced is found out all the same.
	r := httptest.NewRequestWithContext(t.Context(), "POST", tokens, io.MultiReader(strings.NewReader(strings.Repeat(" ", 200))))
	r.Header.Set("Authorization", "Bearer "+a.keys["alice"])
	r.ContentLength = -1
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	requireAnswer(t, w, tooLarge.status, tooLarge.body)
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for contentType, status := range map[string]int{
		"application/json": 400, "application/json; charset=utf-8": 400, "Application/JSON;x=y": 400,
		"*/*": 400, "application/*": 400, "*/json;q=1": 400, "text/*": 415, "*": 415, "application/": 415,
		"": 415, "text/json": 415, "application/json, text/plain": 415, "application": 415,
	} {
		t.Run(contentType, func(t *testing.T) {
			t.Parallel()
			w := a.do(t, "alice", "POST", tokens, `{}`, "Content-Type", contentType)
			require.Equal(t, status, w.Code)
			w = a.do(t, "alice", "PATCH", tokens+"nothing/", `{}`, "Content-Type", contentType)
			require.Equal(t, http.StatusNotFound, w.Code, "what is not there comes first")
		})
	}
	w := a.do(t, "alice", "POST", tokens, ``, "Content-Type", "text/plain")
	requireAnswer(t, w, http.StatusBadRequest, `{"identifier":["This field is required."]}`)
}

func TestLimitsOfBodies(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{MaxBodyBytes: math.MaxInt64})
	require.Equal(t, http.StatusCreated, a.do(t, "alice", "POST", tokens, `{"identifier":"x"}`).Code)
	r, err := http.NewRequestWithContext(t.Context(), "POST", tokens, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+a.keys["alice"])
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	requireAnswer(t, w, http.StatusBadRequest, `{"identifier":["This field is required."]}`)
	w = a.do(t, "alice", "POST", tokens, `{"identifier":"y","description":"`+strings.Repeat("ä", 1001)+`"}`)
	requireAnswer(t, w, http.StatusBadRequest, `{"description":["Ensure this field has no more than 1000 characters."]}`)
	w = a.do(t, "alice", "GET", tokens+"?ordering="+strings.Repeat("user,", 10_000)+"-identifier", "")
	require.Equal(t, http.StatusOK, w.Code)
}
