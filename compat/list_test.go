package compat_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	api "goauthentik.io/api/v3"

	"github.com/authtoken/authtoken"
)

type listRequest = api.ApiCoreTokensListRequest

func identifiers(page *api.PaginatedTokenList) []string {
	list := make([]string, len(page.Results))
	for i, token := range page.Results {
		list[i] = token.Identifier
	}
	return list
}

func TestList(t *testing.T) {
	// The client sends times to the second only.
	early, late := time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC), time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)

	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(authtoken.Config{})
		super, _ := w.client(t, "akadmin")
		for _, p := range []api.TokenRequest{
			{Identifier: "ls-1", Intent: new(api.INTENTENUM_API), User: new(int32(1)), Description: new("Alpha build"), Expires: timeOrNull(late)},
			{Identifier: "ls-2", Intent: new(api.INTENTENUM_APP_PASSWORD), User: new(int32(2)), Description: new("100% beta_X"), Expires: timeOrNull(early), Managed: textOrNull("example.com/2")},
			{Identifier: "ls-3", Intent: new(api.INTENTENUM_RECOVERY), User: new(int32(3)), Expires: timeOrNull(early)},
			{Identifier: "ls-4", Intent: new(api.INTENTENUM_VERIFICATION), User: new(int32(1)), Description: new("ÄLPHA"), Expiring: new(false), Expires: timeOrNull(time.Time{})},
		} {
			_, _, err := super.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(p).Execute()
			require.NoError(t, err)
		}
		ls := func(r listRequest) listRequest { return r.Search("ls-") }
		for name, c := range map[string]struct {
			request func(r listRequest) listRequest
			want    string
		}{
			"all": {func(r listRequest) listRequest { return r },
				"login-akadmin login-alice login-bob login-carol ls-1 ls-2 ls-3 ls-4"},

			"description":       {func(r listRequest) listRequest { return r.Description("Alpha build") }, "ls-1"},
			"description, part": {func(r listRequest) listRequest { return r.Description("Alpha") }, ""},
			"expires":           {func(r listRequest) listRequest { return r.Expires(early) }, "ls-2 ls-3"},
			"expires, elsewhere": {func(r listRequest) listRequest {
				return r.Expires(late.In(time.FixedZone("", -3*3600)))
			}, "ls-1"},
			"expiring":          {func(r listRequest) listRequest { return ls(r).Expiring(true) }, "ls-1 ls-2 ls-3"},
			"not expiring":      {func(r listRequest) listRequest { return ls(r).Expiring(false) }, "ls-4"},
			"identifier":        {func(r listRequest) listRequest { return r.Identifier("ls-3") }, "ls-3"},
			"identifier, other": {func(r listRequest) listRequest { return r.Identifier("LS-3") }, ""},
			"intent":            {func(r listRequest) listRequest { return r.Intent("recovery") }, "ls-3"},
			"managed":           {func(r listRequest) listRequest { return r.Managed("example.com/2") }, "ls-2"},
			"username":          {func(r listRequest) listRequest { return r.UserUsername("bob") }, "login-bob ls-3"},
			"username, none":    {func(r listRequest) listRequest { return r.UserUsername("nobody") }, ""},
			"several":           {func(r listRequest) listRequest { return r.UserUsername("akadmin").Intent("api").Expires(late) }, "ls-1"},
			"several, none":     {func(r listRequest) listRequest { return r.UserUsername("akadmin").Intent("recovery") }, ""},
			"empty": {func(r listRequest) listRequest {
				return ls(r).Description("").Identifier("").Managed("").Ordering("").UserUsername("")
			}, "ls-1 ls-2 ls-3 ls-4"},

			"search":             {func(r listRequest) listRequest { return r.Search("aLPHA b") }, "ls-1"},
			"search, umlaut":     {func(r listRequest) listRequest { return r.Search("älpha") }, "ls-4"},
			"search, owner":      {func(r listRequest) listRequest { return r.Search("ls- alice") }, "ls-2"},
			"search, intent":     {func(r listRequest) listRequest { return r.Search("app_pass") }, "ls-2"},
			"search, commas":     {func(r listRequest) listRequest { return r.Search("100%,beta_x") }, "ls-2"},
			"search, no pattern": {func(r listRequest) listRequest { return r.Search("ls_") }, ""},

			"ordering, identifier": {func(r listRequest) listRequest { return ls(r).Ordering("-identifier") }, "ls-4 ls-3 ls-2 ls-1"},
			"ordering, intent":     {func(r listRequest) listRequest { return ls(r).Ordering("intent") }, "ls-1 ls-2 ls-3 ls-4"},
			"ordering, two":        {func(r listRequest) listRequest { return ls(r).Ordering("user,-intent") }, "ls-4 ls-1 ls-2 ls-3"},
			"ordering, expires":    {func(r listRequest) listRequest { return ls(r).Ordering("expires,-identifier") }, "ls-3 ls-2 ls-1 ls-4"},
			"ordering, expiring":   {func(r listRequest) listRequest { return ls(r).Ordering("expiring,identifier") }, "ls-4 ls-1 ls-2 ls-3"},
			"ordering, description": {func(r listRequest) listRequest { return ls(r).Ordering("description") },
				"ls-3 ls-2 ls-1 ls-4"},
			"ordering, managed": {func(r listRequest) listRequest { return ls(r).Ordering("managed,identifier") }, "ls-2 ls-1 ls-3 ls-4"},
			"ordering, pk":      {func(r listRequest) listRequest { return ls(r).Ordering("-pk") }, "ls-4 ls-3 ls-2 ls-1"},
			"ordering, unknown": {func(r listRequest) listRequest { return ls(r).Ordering("key,-nothing") }, "ls-1 ls-2 ls-3 ls-4"},
		} {
			page, r, err := c.request(super.CoreApi.CoreTokensList(t.Context())).Execute()
			require.NoError(t, err, name)
			require.Equal(t, http.StatusOK, r.StatusCode, name)
			require.Equal(t, strings.Fields(c.want), identifiers(page), name)
			count := float32(len(page.Results))
			start := min(1, count)
			require.Equal(t, api.Pagination{
				Count: count, Current: 1, TotalPages: 1, StartIndex: start, EndIndex: count,
			}, page.Pagination, name)
		}

		// Everything about a token, as in a list.
		page, _, err := super.CoreApi.CoreTokensList(t.Context()).Identifier("ls-2").Execute()
		require.NoError(t, err)
		require.Len(t, page.Results, 1)
		requireToken(t, api.Token{
			Managed: textOrNull("example.com/2"), Identifier: "ls-2", Intent: new(api.INTENTENUM_APP_PASSWORD),
			User: new(int32(2)), UserObj: aliceAsRead, Description: new("100% beta_X"),
			Expires: timeOrNull(early), Expiring: new(true),
		}, &page.Results[0])

		// Page by page.
		for n, want := range []struct {
			identifiers string
			pagination  api.Pagination
		}{
			{"login-akadmin login-alice login-bob", api.Pagination{Next: 2, StartIndex: 1, EndIndex: 3}},
			{"login-carol ls-1 ls-2", api.Pagination{Previous: 1, Next: 3, StartIndex: 4, EndIndex: 6}},
			{"ls-3 ls-4", api.Pagination{Previous: 2, StartIndex: 7, EndIndex: 8}},
		} {
			number := int32(n + 1)
			want.pagination.Count, want.pagination.TotalPages, want.pagination.Current = 8, 3, float32(number)
			page, _, err := super.CoreApi.CoreTokensList(t.Context()).Page(number).PageSize(3).Execute()
			require.NoError(t, err)
			require.Equal(t, strings.Fields(want.identifiers), identifiers(page))
			require.Equal(t, want.pagination, page.Pagination)
		}
		for _, number := range []int32{0, -1, 4} {
			_, r, err := super.CoreApi.CoreTokensList(t.Context()).Page(number).PageSize(3).Execute()
			refusal(t, http.StatusNotFound, "Invalid page.", r, err)
		}

		// What can't be.
		_, r, err := super.CoreApi.CoreTokensList(t.Context()).Intent("nope").Search(strings.Repeat("x", 256)).
			Identifier("a\x00").Execute()
		require.Equal(t, map[string]any{
			"identifier": []any{"Null characters are not allowed."},
			"intent":     []any{"Select a valid choice. nope is not one of the available choices."},
			"search":     []any{"Ensure this field has no more than 255 characters."},
		}, fault(t, r, err))

		// Others see their own, whatever they ask for.
		plain, _ := w.client(t, "alice")
		for _, request := range []func(r listRequest) listRequest{
			func(r listRequest) listRequest { return r },
			func(r listRequest) listRequest { return r.UserUsername("alice") },
		} {
			page, _, err = request(plain.CoreApi.CoreTokensList(t.Context())).Execute()
			require.NoError(t, err)
			require.Equal(t, []string{"login-alice", "ls-2"}, identifiers(page))
			require.EqualValues(t, 2, page.Pagination.Count)
		}
		for _, request := range []func(r listRequest) listRequest{
			func(r listRequest) listRequest { return r.UserUsername("bob") },
			func(r listRequest) listRequest { return r.Identifier("ls-1") },
			func(r listRequest) listRequest { return r.Search("akadmin") },
		} {
			page, _, err = request(plain.CoreApi.CoreTokensList(t.Context())).Execute()
			require.NoError(t, err)
			require.Empty(t, page.Results)
			require.Zero(t, page.Pagination.Count)
		}
	})
}
