package httpadapter_test

import (
	"encoding/json"
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
		w := a.do(t, "alice", "POST", tokens, body)
		requireAnswer(t, w, want.status, want.body)
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
		w := a.do(t, "alice", "POST", tokens, `{}`, "Content-Type", contentType)
		require.Equal(t, status, w.Code, contentType)
		w = a.do(t, "alice", "PATCH", tokens+"nothing/", `{}`, "Content-Type", contentType)
		require.Equal(t, http.StatusNotFound, w.Code, "what is not there comes first")
	}
	w := a.do(t, "alice", "POST", tokens, ``, "Content-Type", "text/plain")
	requireAnswer(t, w, http.StatusBadRequest, `{"identifier":["This field is required."]}`)
}

func TestSetKeyOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for body, want := range map[string]string{
		`{}`:                              `{"key":["This field is required."]}`,
		``:                                `{"key":["This field is required."]}`,
		`{"key":null}`:                    `{"key":["This field may not be null."]}`,
		`{"key":""}`:                      `{"key":["This field may not be blank."]}`,
		`{"key":1}`:                       `{"key":["Ensure this field has at least 32 characters."]}`,
		`{"key":true}`:                    `{"key":["Not a valid string."]}`,
		`{"key":"x"}`:                     `{"key":["Ensure this field has at least 32 characters."]}`,
		`[]`:                              `{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}`,
		`{`:                               `{"detail":"JSON parse error - unexpected end of JSON input"}`,
		`{"key":"` + a.keys["bob"] + `"}`: `{"key":["Token with this key already exists."]}`,
	} {
		requireAnswer(t, a.do(t, "akadmin", "POST", tokens+"key-alice/set_key/", body), http.StatusBadRequest, want)
		require.Equal(t, http.StatusForbidden, a.do(t, "alice", "POST", tokens+"key-alice/set_key/", body).Code, body)
		require.Equal(t, http.StatusNotFound, a.do(t, "bob", "POST", tokens+"key-alice/set_key/", body).Code, body)
	}
	w := a.do(t, "akadmin", "POST", tokens+"key-alice/set_key/", `{"key":"a-key-of-more-than-thirty-two-bytes"}`)
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Equal(t, http.StatusForbidden, a.do(t, "alice", "GET", tokens, "").Code, "the old key is refused")
	a.keys["alice"] = "a-key-of-more-than-thirty-two-bytes"
	require.Equal(t, http.StatusOK, a.do(t, "alice", "GET", tokens, "").Code)
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
		requireAnswer(t, a.do(t, "akadmin", "GET", tokens+"?"+query, ""), http.StatusBadRequest, want)
	}
	for _, page := range []string{"0", "-1", "2", "x", "1.0", "99999999999999999999"} {
		requireAnswer(t, a.do(t, "akadmin", "GET", tokens+"?page="+page, ""), http.StatusNotFound, `{"detail":"Invalid page."}`)
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
		w := a.do(t, "akadmin", "GET", tokens+"?"+query, "")
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Body.String(), count, query)
		require.Contains(t, w.Body.String(), `"autocomplete":{}`)
	}
}

func TestRotateOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	const path = tokens + "key-alice/rotate/"
	for _, body := range []string{`{"overlap":-1}`, `{"overlap":"1"}`, `{"overlap":1.5}`, `{"overlap":315360001}`, `{"overlap":99999999999999999999}`} {
		requireAnswer(t, a.do(t, "alice", "POST", path, body), http.StatusBadRequest,
			`{"overlap":["A whole number of seconds from 0 to 315360000 is required."]}`)
	}
	require.Equal(t, http.StatusNotFound, a.do(t, "bob", "POST", path, `{"overlap":-1}`).Code)
	require.Equal(t, http.StatusMethodNotAllowed, a.do(t, "alice", "GET", path, "").Code)

	w := a.do(t, "alice", "POST", path, `{"overlap":60}`)
	require.Equal(t, http.StatusOK, w.Code)
	var rotated struct{ Identifier, Key string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &rotated))
	require.Equal(t, "key-alice", rotated.Identifier)
	require.Equal(t, http.StatusOK, a.do(t, "alice", "GET", tokens, "").Code, "the old key, in the overlap")
	old := a.keys["alice"]
	a.keys["alice"] = rotated.Key
	w = a.do(t, "akadmin", "POST", path, "")
	require.Equal(t, http.StatusOK, w.Code, "superusers too")
	a.keys["alice"] = old
	require.Equal(t, http.StatusForbidden, a.do(t, "alice", "GET", tokens, "").Code, "two keys at the most")
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
