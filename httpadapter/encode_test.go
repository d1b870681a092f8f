package httpadapter

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store/memory"
)

// TestEncode compares the encoder with encoding/json: ReadProfiles must read the profile
// that it writes.
func TestEncode(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)
	full := Profile{
		ID: "7", Username: `a"\b`, Name: "Ünï <&> \u2028 🔑", Email: "a@example.com",
		Active: true, Superuser: true,
		Attributes: map[string]any{"a": []any{1.5, "x", nil}, "b": map[string]any{"c": true}},
		Groups: []Group{
			{PK: uuid.New(), NumPK: 1, Name: "g", Superuser: true, Attributes: map[string]any{"k": "v"}},
			{PK: uuid.New(), NumPK: -2, Name: "", Parent: uuid.New(), ParentName: "g", Attributes: map[string]any{}},
		},
		Roles: []Role{{PK: uuid.New(), Name: "r"}},
		UUID:  uuid.New(), UID: "u", Avatar: "https://example.com/a", Path: "users/x", Type: "external",
		DateJoined: at, LastLogin: at.Truncate(time.Second), LastUpdated: at, PasswordChangeDate: at,
	}
	token := authtoken.Token{
		PK: uuid.New(), Identifier: "one", Intent: authtoken.IntentAPI, User: "7",
		Description: "tab\tnul\x00\x1f\x7f\r\n", Managed: "m", Expires: at, Expiring: true,
	}
	h, err := New(newBareService(t), Config{})
	require.NoError(t, err)
	encode := func(token *authtoken.Token, p *Profile) ([]byte, error) {
		b, err := h.appendOwner(t.Context(), appendBeforeOwner(nil, token), p)
		return h.appendAfterOwner(b, token, authtoken.Key{}), err
	}
	b, err := encode(&token, &full)
	require.NoError(t, err)
	var got struct {
		PK          uuid.UUID
		Managed     *string
		Identifier  string
		Intent      string
		User        int64
		UserObj     json.RawMessage `json:"user_obj"`
		Description string
		Expires     *time.Time
		Expiring    bool
		Key         *string
	}
	require.NoError(t, json.Unmarshal(b, &got))
	require.Equal(t, token.PK, got.PK)
	require.Equal(t, "m", *got.Managed)
	require.Equal(t, "one", got.Identifier)
	require.Equal(t, "api", got.Intent)
	require.EqualValues(t, 7, got.User)
	require.Equal(t, token.Description, got.Description)
	require.True(t, at.Equal(*got.Expires))
	require.True(t, got.Expiring)
	require.Nil(t, got.Key)
	profiles, err := ReadProfiles(strings.NewReader("[" + string(got.UserObj) + "]"))
	require.NoError(t, err)
	require.Equal(t, []Profile{full}, profiles)
	require.Contains(t, string(got.UserObj), `"last_login":"2024-02-29T23:59:59Z"`)
	require.Contains(t, string(got.UserObj), `"groups":["`+full.Groups[0].PK.String()+`","`+full.Groups[1].PK.String()+`"]`)
	require.Contains(t, string(got.UserObj), `"roles":["`+full.Roles[0].PK.String()+`"]`)

	// A missing value is null where clients accept null. Elsewhere it is a value that they
	// accept.
	b, err = encode(&authtoken.Token{}, &Profile{})
	require.NoError(t, err)
	for _, want := range []string{
		`"managed":null`, `"expires":null`, `"last_login":null`, `"groups":[]`, `"groups_obj":[]`, `"attributes":{}`,
		`"path":"users"`, `"type":"internal"`, `"date_joined":"1970-01-01T00:00:00Z"`,
	} {
		require.Contains(t, string(b), want)
	}
	full.Attributes["bad"] = func() {}
	_, err = encode(&token, &full)
	require.Error(t, err)
}

func newBareService(t *testing.T) *authtoken.Service {
	t.Helper()
	svc, err := authtoken.New(memory.New(), authtoken.Config{})
	require.NoError(t, err)
	return svc
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\t\x00\x1f\x7f", "ü\u2028🔑", "\xff\xc3", "a\xe2\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(appendString(nil, "", s), &got); err != nil {
			t.Fatal(err)
		}
		if got != string([]rune(s)) {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}
