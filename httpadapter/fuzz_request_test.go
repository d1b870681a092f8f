package httpadapter_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

// FuzzRequest sends whole requests, in the form that they have on the wire, as one of the
// users or as nobody. The answer is never a failure of the server. A request that is refused
// changes nothing. A request that is accepted changes one token, as the contract says. The
// test works out the change without the code of the handler.
func FuzzRequest(f *testing.F) {
	const item, asJSON = tokens + "key-alice/", "Content-Type: application/json"
	for _, seed := range []struct {
		as                           byte
		method, target, header, body string
	}{
		{1, "GET", tokens, "", ""},
		{1, "HEAD", item, "", ""},
		{0, "GET", "/api/v3/schema/", "", ""},
		{0, "GET", item, "Authorization: Bearer tok_x", ""},
		{0, "GET", item, "Authorization: Basic YTpi", ""},
		{2, "OPTIONS", "/api/v3//core/tokens/", "", ""},
		{2, "BREW", item, "", ""},
		{1, "GET", tokens + "key%2Dalice/used_by/", "", ""},
		{1, "GET", "http://other" + item + "view_key/", "", ""},
		{2, "GET", tokens + "key-bob/", "", ""},
		{1, "POST", tokens, asJSON, `{"identifier":" new ","user":3,"managed":"m","expiring":false,"intent":"recovery"}`},
		{2, "POST", tokens, asJSON, `{"identifier":"new","user":3,"expiring":false,"expires":"2030-01-02T03:04:05.1234567+02:00"}`},
		{2, "POST", tokens, asJSON + "; charset=utf-8", "{\"identifier\":\"a\",\"identifier\":\"b\",\"description\":\"\\ud83d\\udd11 \\u001f\"}"},
		{2, "POST", tokens, asJSON, `{"identifier":"a","description":"\ud800"}`},
		{2, "POST", tokens, "Content-Type: text/plain", `{"identifier":"a"}`},
		{2, "POST", tokens, asJSON, `null`},
		{2, "POST", tokens, asJSON, `{"identifier":"a","user":1e0}`},
		{1, "PUT", item, asJSON, `{"identifier":"renamed","description":"x","managed":null,"expires":null}`},
		{1, "PUT", item, asJSON + "\r\nIf-Match: *", `{"identifier":"key-bob"}`},
		{1, "PATCH", item, asJSON + "\r\nIf-Match: \"x\", \"y\"", `{"expiring":true}`},
		{2, "PATCH", item, asJSON, `{"expires":"9999-12-31T23:59:59Z","user":2,"intent":"app_password"}`},
		{2, "PATCH", item, asJSON, `{"expires":"2030-1-2 3:4","expiring":1}`},
		{1, "PATCH", item, asJSON, `{"expires":"2030-W01-1","expiring":"Off","user":"2"}`},
		{1, "PATCH", item, "Content-Type: application/*", `{"identifier":7,"description":1e-5,"managed":-0}`},
		{2, "DELETE", item + "?format=x", "", ""},
		{2, "DELETE", item, "", ""},
		{1, "DELETE", item, "If-Match: \"x\"", ""},
		{1, "POST", item + "set_key/", asJSON, `{"key":"a-key-of-more-than-thirty-two-bytes"}`},
		{2, "POST", item + "set_key/", asJSON, `{"key":"a-key-of-more-than-thirty-two-bytes"}`},
		{1, "POST", item + "set_key/", asJSON, `{"key":"a-key-of-more-than-thirty-two bytes"}`},
		{2, "POST", item + "rotate/", asJSON, `{"overlap":60}`},
		{2, "POST", item + "rotate/", "Transfer-Encoding: chunked", "0\r\n\r\n"},
	} {
		f.Add(seed.as, seed.method, seed.target, seed.header, seed.body)
	}
	f.Fuzz(func(t *testing.T, as byte, method, target, header, body string) {
		if header != "" {
			header += "\r\n"
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: x\r\n" +
			header + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)))
		if err != nil {
			return // net/http refuses it
		}
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		a := newAPI(t, httpadapter.Config{})
		x := exchange{api: a, r: r, sent: sent, as: []string{"", "akadmin", "alice", "bob"}[as%4]}
		if x.as != "" {
			r.Header.Set("Authorization", "Bearer "+a.keys[x.as])
		}
		x.before = x.all(t)
		x.answer = httptest.NewRecorder()
		a.ServeHTTP(x.answer, r)
		x.after = x.all(t)
		x.check(t)
	})
}

// exchange is a request, its answer, and the tokens there were and are.
type exchange struct {
	*api
	as            string
	r             *http.Request
	sent          []byte
	answer        *httptest.ResponseRecorder
	before, after map[uuid.UUID]authtoken.Token
}

func (x *exchange) all(t *testing.T) map[uuid.UUID]authtoken.Token {
	all := make(map[uuid.UUID]authtoken.Token)
	for token, err := range x.svc.All(t.Context(), authtoken.Filter{}) {
		require.NoError(t, err)
		all[token.PK] = token
	}
	return all
}

func (x *exchange) check(t *testing.T) {
	code, text := x.answer.Code, x.answer.Body.Bytes()
	require.Contains(t, []int{200, 201, 204, 400, 403, 404, 405, 412, 413, 415}, code)
	if code == http.StatusNoContent {
		require.Empty(t, text)
	} else {
		require.True(t, json.Valid(text), "%s", text)
	}
	if x.as == "" && !strings.HasSuffix(x.r.URL.Path, "/schema/") {
		require.Contains(t, []int{403, 404}, code)
	}

	var was, is *authtoken.Token
	for pk, token := range x.after {
		if old, ok := x.before[pk]; !ok || !reflect.DeepEqual(old, token) {
			require.Nil(t, is, "two tokens have changed")
			is = &token
		}
	}
	for pk, token := range x.before {
		if now, ok := x.after[pk]; !ok || !reflect.DeepEqual(now, token) {
			require.Nil(t, was, "two tokens have changed")
			was = &token
		}
	}
	if code >= 300 || slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, x.r.Method) {
		require.Nil(t, was)
		require.Nil(t, is)
		return
	}
	require.False(t, was == nil && is == nil, "the answer is %d, but nothing has changed", code)
	if was != nil {
		x.mayChange(t, was)
	}
	switch {
	case x.r.Method == "DELETE":
		require.Nil(t, is)
	case strings.HasSuffix(x.r.URL.Path, "/set_key/"):
		require.Equal(t, "akadmin", x.as)
		require.Equal(t, is.PK, x.tokenOf(t, x.object(t)["key"]).PK)
	case strings.HasSuffix(x.r.URL.Path, "/rotate/"):
		var shown map[string]any
		require.NoError(t, json.Unmarshal(text, &shown))
		require.Equal(t, is.PK, x.tokenOf(t, shown["key"]).PK)
	default:
		x.checkFields(t, was, is)
	}
}

// tokenOf returns the token of a key that must be good.
func (x *exchange) tokenOf(t *testing.T, key any) authtoken.Token {
	text, ok := key.(string)
	require.True(t, ok)
	who, err := x.svc.Authenticate(t.Context(), text)
	require.NoError(t, err)
	return who.Token
}

// mayChange checks that the request was about this token, and that the caller may change
// it.
func (x *exchange) mayChange(t *testing.T, was *authtoken.Token) {
	if x.as != "akadmin" {
		require.Equal(t, "key-"+x.as, was.Identifier)
	}
	rest := strings.TrimLeft(strings.TrimPrefix(x.r.URL.EscapedPath(), "/api/v3"), "/")
	name, _, _ := strings.Cut(strings.TrimPrefix(rest, "core/tokens/"), "/")
	name, err := url.PathUnescape(name)
	require.NoError(t, err)
	require.Equal(t, name, was.Identifier)
	condition := strings.Join(x.r.Header.Values("If-Match"), ",")
	if condition != "" && strings.TrimSpace(condition) != "*" && x.r.Method != "POST" {
		require.Contains(t, condition, `"`+was.Revision()+`"`)
	}
}

// object returns the body that was accepted, which must be a JSON object.
func (x *exchange) object(t *testing.T) map[string]any {
	if len(x.sent) == 0 {
		return nil
	}
	media, _, _ := strings.Cut(x.r.Header.Get("Content-Type"), ";")
	require.Contains(t, []string{"application/json", "application/*", "*/json", "*/*"}, strings.ToLower(strings.TrimSpace(media)))
	require.True(t, utf8.Valid(x.sent))
	require.LessOrEqual(t, len(x.sent), 1<<20)
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(x.sent))
	d.UseNumber()
	require.NoError(t, d.Decode(&object))
	require.NotNil(t, object)
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF)
	return object
}

var slug = regexp.MustCompile(`^[-a-zA-Z0-9_]{1,255}$`)

// checkFields checks a token after a request with fields. was is nil if the token is new.
func (x *exchange) checkFields(t *testing.T, was, is *authtoken.Token) {
	object := x.object(t)
	super := x.as == "akadmin"
	want := authtoken.Token{
		PK: is.PK, Intent: authtoken.IntentAPI, User: map[string]string{"akadmin": "1", "alice": "2", "bob": "3"}[x.as],
		Expiring: true, Created: is.Created, Version: 1,
	}
	if was != nil {
		want = *was
		want.Version++
		if x.r.Method == "PUT" {
			want.Intent = authtoken.IntentAPI
		}
	}
	named, ok := object["identifier"]
	require.True(t, ok || x.r.Method == "PATCH", "an identifier is required")
	text := func(field string, shown, into *string) {
		v, ok := object[field]
		if !ok {
			return
		}
		s, ok := v.(string)
		if n, isNumber := v.(json.Number); isNumber {
			s, ok = n.String(), true
			if f, err := n.Float64(); strings.ContainsAny(s, ".eE") || s == "-0" {
				require.True(t, math.IsInf(f, 0) || err == nil)
				was, err := strconv.ParseFloat(*shown, 64)
				require.NoError(t, err)
				require.Equal(t, f, was, "a float keeps its value")
				s = *shown
			}
		}
		require.True(t, ok, field)
		*into = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f })
	}
	text("identifier", &is.Identifier, &want.Identifier)
	require.Regexp(t, slug, want.Identifier, named)
	text("description", &is.Description, &want.Description)
	if v, ok := object["managed"]; ok && v == nil {
		want.Managed = ""
	} else if ok {
		text("managed", &is.Managed, &want.Managed)
		require.NotEmpty(t, want.Managed)
	}
	for _, v := range []string{want.Description, want.Managed} {
		require.True(t, utf8.ValidString(v))
		require.NotContains(t, v, "\x00")
		require.LessOrEqual(t, utf8.RuneCountInString(v), 1000)
	}
	if v, ok := object["intent"]; ok {
		s, ok := v.(string)
		require.True(t, ok)
		want.Intent = authtoken.Intent(s)
		allowed := []authtoken.Intent{authtoken.IntentAPI, authtoken.IntentAppPassword}
		if super {
			allowed = authtoken.Intents()
		}
		require.Contains(t, allowed, want.Intent)
	}
	if v, ok := object["user"]; ok {
		text := strings.TrimFunc(fmt.Sprint(v), unicode.IsSpace) // of a string or a number
		pk, err := strconv.ParseInt(text, 10, 64)
		if n, ok := v.(json.Number); ok && err != nil {
			f, err := n.Float64()
			require.NoError(t, err)
			pk = int64(f)
			require.Equal(t, float64(pk), f)
		} else {
			require.NoError(t, err)
		}
		require.Contains(t, []int64{1, 2, 3}, pk)
		user := strconv.FormatInt(pk, 10)
		if was == nil && super {
			want.User = user
		}
		require.True(t, was == nil || user == was.User, "a token never changes owner")
	}
	if v, ok := object["expiring"]; ok {
		b := regexp.MustCompile(`(?i)^(true|t|yes|y|on|1)$`).MatchString(fmt.Sprint(v))
		if n, ok := v.(json.Number); ok {
			f, _ := n.Float64()
			b = f == 1
			require.True(t, b || f == 0)
		} else if !b {
			require.Regexp(t, `(?i)^(false|f|no|n|off|0)$`, fmt.Sprint(v))
		}
		if super {
			want.Expiring = b
		}
	}
	x.checkExpires(t, object, is, &want)
	if was == nil {
		want.Scopes, want.Via = authtoken.ScopeAll, is.Via
	}
	for _, field := range []string{"scopes", "allowed_ips", "suspended", "metadata"} {
		if _, ok := object[field]; ok { // which is for other tests
			want.Scopes, want.Networks, want.Suspended, want.Locked, want.Metadata = is.Scopes, is.Networks, is.Suspended, is.Locked, is.Metadata
		}
	}
	require.Equal(t, want, *is)
}

// checkExpires checks when the token expires, and sets it in want.
func (x *exchange) checkExpires(t *testing.T, object map[string]any, is, want *authtoken.Token) {
	asked, ok := object["expires"]
	text, isText := asked.(string)
	require.True(t, isText || asked == nil)
	switch {
	case isText:
		require.False(t, is.Expires.IsZero())
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			want.Expires = at.UTC().Truncate(time.Microsecond)
		} else {
			require.Regexp(t, `^\d{4}(-\d|-?W\d|\d{4})`, text) // one of the other forms
			want.Expires = is.Expires
		}
	case (ok || want.Expires.IsZero()) && want.Expiring:
		var now time.Time
		for _, token := range x.before {
			now = token.Created // the clock stands still
		}
		want.Expires = now.Add(30 * time.Minute)
	case ok:
		want.Expires = time.Time{}
	}
}
