package httpadapter_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// FuzzQuery lists tokens with any query string. The answer is the same from every store. It
// is not a failure of the server. It has exactly the tokens that match the query.
func FuzzQuery(f *testing.F) {
	db, err := sqlite.Open(f.Context(), ":memory:", sqlite.Config{})
	require.NoError(f, err)
	f.Cleanup(func() { _ = db.Close() })
	stores := []store.Store{memory.New(), db}
	all := tokensToList(f, stores)
	users := authtokentest.Users()
	directory, err := authtoken.NewUserList(users...)
	require.NoError(f, err)
	type caller struct{}
	var handlers []http.Handler
	for _, st := range stores {
		svc, err := authtoken.New(st, authtoken.Config{Users: directory})
		require.NoError(f, err)
		h, err := httpadapter.New(svc, httpadapter.Config{Authenticate: func(r *http.Request) (authtoken.Principal, error) {
			return authtoken.SignedIn(r.Context().Value(caller{}).(authtoken.User).ID), nil
		}})
		require.NoError(f, err)
		handlers = append(handlers, h)
	}

	for _, query := range []string{
		"", "&&=&a", "page=2&page_size=3", "page=x", "page=-1", "page_size=99999999999999999999", "page=9223372036854775807&page_size=1000",
		"identifier=key-1&identifier=key-2", "identifier=%20key-1+", "identifier=%00", "identifier=%zz;%", "intent=api", "intent=nothing",
		"user__username=alice", "user__username=nobody", "description=d%C3%A9", "description=%ff", "managed=m1",
		"expires=2030-01-02T03:04:05Z", "expires=2030-01-02T03:04:05%2B00:00", "expires=x", "expiring=true", "expiring=0", "expiring=maybe",
		"search=key,1", "search=%25_", "search=%E2%84%AA", "search=" + strings.Repeat("a+", 200), "search=%00",
		"ordering=-user,identifier", "ordering=-expires,,%20managed,nothing,-expires", "ordering=user__username", "\x00", "page=%D9%A1",
	} {
		f.Add(byte(0), query)
		f.Add(byte(1), query)
	}
	f.Fuzz(func(t *testing.T, as byte, query string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + tokens + "?" + query + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil {
			return // net/http refuses it
		}
		who := users[int(as)%len(users)]
		r = r.WithContext(context.WithValue(t.Context(), caller{}, who))
		var answers [2]*httptest.ResponseRecorder
		for i, h := range handlers {
			answers[i] = httptest.NewRecorder()
			h.ServeHTTP(answers[i], r)
		}
		code, text := answers[0].Code, answers[0].Body.Bytes()
		require.Equal(t, code, answers[1].Code)
		require.Equal(t, string(text), answers[1].Body.String())
		require.Contains(t, []int{200, 400, 404}, code)
		if code != http.StatusOK {
			require.True(t, json.Valid(text))
			return
		}
		var page struct {
			Pagination struct{ Count int }
			Results    []struct{ Identifier string }
		}
		require.NoError(t, json.Unmarshal(text, &page))
		params := parameters(r.URL.RawQuery)
		fitting := make(map[string]bool)
		for _, token := range all {
			if (who.Superuser || token.User == who.ID) && fits(token, params) {
				fitting[token.Identifier] = true
			}
		}
		if params["search"] == "" && params["user__username"] == "" && strings.TrimSpace(params["expires"]) == "" {
			require.Equal(t, len(fitting), page.Pagination.Count)
		}
		require.LessOrEqual(t, page.Pagination.Count, len(fitting))
		for _, token := range page.Results {
			require.True(t, fitting[token.Identifier], token.Identifier)
			delete(fitting, token.Identifier) // each comes once
		}
	})
}

// tokensToList puts the same tokens into all stores, and returns them.
func tokensToList(tb testing.TB, stores []store.Store) []authtoken.Token {
	svc, err := authtoken.New(stores[0], authtoken.Config{})
	require.NoError(tb, err)
	var made []authtoken.Token
	for i := range 12 {
		p := authtoken.CreateParams{
			Identifier: "key-" + strconv.Itoa(i), User: strconv.Itoa(1 + i%3), Intent: authtoken.Intents()[i%4],
			Description: strings.Repeat("dé", i%3), Expiring: new(i%5 > 0), Expires: time.Unix(1893553445, int64(i%2)*1000),
		}
		if i%4 == 1 {
			p.Managed = "m" + strconv.Itoa(i)
		}
		token, _, err := svc.Create(context.Background(), p)
		require.NoError(tb, err)
		made = append(made, token)
	}
	records, err := stores[0].List(context.Background(), store.Query{})
	require.NoError(tb, err)
	for _, r := range records {
		require.NoError(tb, stores[1].Create(context.Background(), r, 0))
	}
	return made
}

// parameters reads a query the way Python does.
func parameters(query string) map[string]string {
	decode := func(s string) string {
		s = strings.ReplaceAll(s, "+", " ")
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] == '%' && i+2 < len(s) {
				if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					b.WriteByte(byte(n))
					i += 2
					continue
				}
			}
			b.WriteByte(s[i])
		}
		return strings.ToValidUTF8(b.String(), "\uFFFD")
	}
	params := make(map[string]string)
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		params[decode(name)] = decode(value)
	}
	return params
}

// fits reports whether the token matches the parameters that filter by an exact value.
func fits(token authtoken.Token, params map[string]string) bool {
	for name, value := range map[string]string{
		"identifier": token.Identifier, "intent": string(token.Intent), "description": token.Description, "managed": token.Managed,
	} {
		if want := strings.TrimSpace(params[name]); want != "" && want != value {
			return false
		}
	}
	switch strings.ToLower(params["expiring"]) {
	case "true", "1":
		return token.Expiring
	case "false", "0":
		return !token.Expiring
	}
	return true
}
