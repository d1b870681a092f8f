package httpadapter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

// Profiles is asked once for an answer, about each owner once. A user that it does
// not know is shown with the ID alone.
func TestProfiles(t *testing.T) {
	t.Parallel()
	var asked [][]string
	known := httpadapter.ProfileList(
		httpadapter.Profile{ID: "1", Username: "akadmin", Name: "Ada"},
		httpadapter.Profile{ID: "2", Username: "alice", Name: "Alice Doe"},
	)
	a := newAPI(t, httpadapter.Config{Profiles: func(ctx context.Context, ids []string) (map[string]httpadapter.Profile, error) {
		asked = append(asked, ids)
		return known(ctx, ids)
	}})
	_, _, err := a.svc.Create(t.Context(), authtoken.CreateParams{Identifier: "second-alice", User: "2"})
	require.NoError(t, err)
	type token struct {
		User  int64
		Owner struct {
			PK             int64
			Username, Name string
		} `json:"user_obj"`
	}

	w := a.do(t, "akadmin", "GET", tokens, "")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Len(t, asked, 1)
	require.ElementsMatch(t, []string{"1", "2", "3"}, asked[0])
	var page struct{ Results []token }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	names := make(map[int64]string)
	for _, shown := range page.Results {
		require.Equal(t, shown.User, shown.Owner.PK)
		names[shown.User] = shown.Owner.Username + "/" + shown.Owner.Name
	}
	require.Equal(t, map[int64]string{1: "akadmin/Ada", 2: "alice/Alice Doe", 3: "/"}, names)

	for _, c := range []struct{ method, path, body string }{
		{"POST", "", `{"identifier":"new","user":3}`},
		{"GET", "new/", ""},
		{"PUT", "new/", `{"identifier":"new"}`},
		{"PATCH", "new/", `{"description":"x"}`},
		{"POST", "new/rotate/", ""},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			asked = nil
			w := a.do(t, "akadmin", c.method, tokens+c.path, c.body)
			require.Less(t, w.Code, 300, "%s %s: %s", c.method, c.path, w.Body)
			require.Equal(t, [][]string{{"3"}}, asked, "%s %s", c.method, c.path)
			var shown token
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &shown))
			require.EqualValues(t, 3, shown.User)
			require.EqualValues(t, 3, shown.Owner.PK)
			require.Empty(t, shown.Owner.Username, "nothing is taken from the directory")
		})
	}

	// What shows no user asks about none.
	for _, c := range []struct{ method, path string }{
		{"GET", "?search=nothing"}, {"GET", "new/used_by/"}, {"OPTIONS", ""}, {"GET", "nothing/"}, {"DELETE", "new/"},
	} {
		asked = nil
		a.do(t, "akadmin", c.method, tokens+c.path, "")
		require.Empty(t, asked, "%s %s", c.method, c.path)
	}
}

func TestAuthentikFieldsOnly(t *testing.T) {
	t.Parallel()
	theirs := []string{"pk", "managed", "identifier", "intent", "user", "user_obj", "description", "expires", "expiring"}
	for name, c := range map[string]struct {
		cfg  httpadapter.Config
		want []string
	}{
		"all":            {httpadapter.Config{}, append([]string{"created", "last_used", "scopes", "allowed_ips", "suspended", "locked", "metadata", "via"}, theirs...)},
		"authentik's":    {httpadapter.Config{AuthentikFieldsOnly: true}, theirs},
		"and text in ID": {httpadapter.Config{AuthentikFieldsOnly: true, TextUserIDs: true}, theirs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, c.cfg)
			fields := func(raw []byte) (names []string) {
				var object map[string]json.RawMessage
				require.NoError(t, json.Unmarshal(raw, &object), "%s", raw)
				for name := range object {
					names = append(names, name)
				}
				return names
			}
			require.ElementsMatch(t, append([]string{"key"}, c.want...),
				fields(a.do(t, "alice", "POST", tokens, `{"identifier":"new"}`).Body.Bytes()), "nothing else shows the key")
			require.ElementsMatch(t, c.want, fields(a.do(t, "alice", "GET", tokens+"new/", "").Body.Bytes()))
			var page struct{ Results []json.RawMessage }
			require.NoError(t, json.Unmarshal(a.do(t, "alice", "GET", tokens, "").Body.Bytes(), &page))
			for _, shown := range page.Results {
				require.ElementsMatch(t, c.want, fields(shown))
			}
		})
	}
}

// An attribute is read as authentik reads it. What can't be read counts as 30 minutes.
func TestMaximumLifetimeAttribute(t *testing.T) {
	t.Parallel()
	const unreadable = 30 * time.Minute
	for text, want := range map[any]time.Duration{
		"hours=2":                       2 * time.Hour,
		"hours=2;minutes=30":            150 * time.Minute,
		"Hours=1.5":                     90 * time.Minute,
		"hours=1;hours=2":               2 * time.Hour,
		"parsecs=3;seconds= 7 ":         7 * time.Second,
		"weeks=1;days=1;milliseconds=5": 8*24*time.Hour + 5*time.Millisecond,
		"microseconds=3":                3 * time.Microsecond,
		"minutes=1e1":                   10 * time.Minute,
		"minutes=-1":                    -1, // no token may live at all
		"minutes=0":                     -1,
		"microseconds=0.1":              -1,
		"weeks=1e300":                   100 * 365 * 24 * time.Hour,
		"":                              unreadable,
		"hours":                         unreadable,
		"hours=2;":                      unreadable,
		"hours=x":                       unreadable,
		"hours=inf":                     unreadable,
		"hours=nan":                     unreadable,
		"hours=0x1p2":                   unreadable,
		"hours=1=2":                     unreadable,
		"parsecs=3":                     unreadable,
		7:                               unreadable,
		true:                            unreadable,
		nil:                             unreadable,
	} {
		t.Run(fmt.Sprint(text), func(t *testing.T) {
			t.Parallel()
			p := httpadapter.Profile{ID: "7", Active: true, Attributes: map[string]any{httpadapter.AttributeMaximumLifetime: text}}
			require.Equal(t, authtoken.User{ID: "7", Active: true, MaxLifetime: want}, p.User())
		})
	}
	require.Zero(t, httpadapter.Profile{ID: "7"}.User().MaxLifetime, "without it there is no limit")
}

func TestExpiresAttribute(t *testing.T) {
	t.Parallel()
	for value, keeps := range map[any]bool{false: true, true: false, "false": false, nil: false, 0: false} {
		t.Run(fmt.Sprintf("%#v", value), func(t *testing.T) {
			t.Parallel()
			p := httpadapter.Profile{ID: "7", Attributes: map[string]any{httpadapter.AttributeExpires: value}}
			require.Equal(t, keeps, p.User().KeepsTokens)
		})
	}
}

func TestReadProfiles(t *testing.T) {
	t.Parallel()
	profiles, err := httpadapter.ReadProfiles(strings.NewReader(`[{"pk": 7, "is_active": false, "unknown": 1}, {"pk": "0b9c"}]`))
	require.NoError(t, err)
	require.Equal(t, []httpadapter.Profile{{ID: "7"}, {ID: "0b9c", Active: true}}, profiles)
	for name, text := range map[string]string{
		"nothing": "", "no list": "{}", "no pk": "[{}]", "zero": `[{"pk":0}]`, "negative": `[{"pk":-1}]`,
		"a fraction": `[{"pk":1.5}]`, "an empty pk": `[{"pk":""}]`, "another type": `[{"pk":[1]}]`, "more": `[{"pk":1}] x`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := httpadapter.ReadProfiles(strings.NewReader(text))
			require.ErrorContains(t, err, "profiles:")
		})
	}
}
