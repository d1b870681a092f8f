package compat_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	api "goauthentik.io/api/v3"

	"github.com/authtoken/authtoken"
)

func messages(t *testing.T, e *api.GenericOpenAPIError) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(e.Body(), &m))
	return m
}

// Our users as the client reads them.
var (
	adminAsRead = api.User{
		Pk: 1, Username: "akadmin", Name: "Default Admin",
		IsActive: new(true), LastLogin: timeOrNull(now.Add(-time.Hour)), IsSuperuser: true,
		Groups: []string{"5b0a7a0c-6d0f-4a57-8f3b-0d4e0a8a1f10", "ce1ff6b1-0c2a-4f0e-9a56-0b6d1d9e7a22"},
		GroupsObj: []api.UserGroup{
			{
				Pk: "5b0a7a0c-6d0f-4a57-8f3b-0d4e0a8a1f10", NumPk: 41, Name: "admins", IsSuperuser: new(true),
				Parent: textOrNull("ce1ff6b1-0c2a-4f0e-9a56-0b6d1d9e7a22"), ParentName: textOrNull("everyone"),
				Attributes: map[string]any{"floor": "2"},
			},
			{
				Pk: "ce1ff6b1-0c2a-4f0e-9a56-0b6d1d9e7a22", NumPk: 42, Name: "everyone", IsSuperuser: new(false),
				Parent: textOrNull(""), ParentName: textOrNull(""), Attributes: map[string]any{},
			},
		},
		Email: new("akadmin@example.com"), Avatar: "https://example.com/a.png",
		Attributes: map[string]any{"settings": map[string]any{"locale": "en"}, "level": 3.5},
		Uid:        "f00dcafe", Path: new("users/staff"), Type: new(api.USERTYPEENUM_INTERNAL),
		Uuid: "0d9c1b5e-3c1b-4f0e-8f55-5a1f0c9e4d44",
	}
	aliceAsRead = api.User{
		Pk: 2, Username: "alice", IsActive: new(true), LastLogin: timeOrNull(time.Time{}),
		Groups: []string{}, GroupsObj: []api.UserGroup{}, Email: new(""), Attributes: map[string]any{},
		Path: new("users"), Type: new(api.USERTYPEENUM_INTERNAL), Uuid: "00000000-0000-0000-0000-000000000000",
	}
	bobAsRead = api.User{
		Pk: 3, Username: "bob", Name: "Bob", IsActive: new(true), LastLogin: timeOrNull(time.Time{}),
		Groups: []string{}, GroupsObj: []api.UserGroup{}, Email: new(""),
		Attributes: map[string]any{"goauthentik.io/user/token-maximum-lifetime": "hours=2"},
		Path:       new("users"), Type: new(api.USERTYPEENUM_SERVICE_ACCOUNT), Uuid: "00000000-0000-0000-0000-000000000000",
	}
)

func textOrNull(s string) api.NullableString {
	if s == "" {
		return *api.NewNullableString(nil)
	}
	return *api.NewNullableString(&s)
}

func timeOrNull(t time.Time) api.NullableTime {
	if t.IsZero() {
		return *api.NewNullableTime(nil)
	}
	return *api.NewNullableTime(&t)
}

// requireToken checks every field of a token that the client has read, except the pk. It
// returns the pk.
func requireToken(t *testing.T, want api.Token, got *api.Token) string {
	t.Helper()
	require.NotNil(t, got)
	id, err := uuid.Parse(got.Pk)
	require.NoError(t, err)
	require.Len(t, got.Pk, 36)
	require.EqualValues(t, 7, id.Version())
	want.Pk = got.Pk
	require.Equal(t, want, *got)
	return got.Pk
}

// requireRevision checks that the ETag of an answer has the token's version.
func requireRevision(t *testing.T, r *http.Response, pk string, version int) {
	t.Helper()
	require.Equal(t, `"`+pk+"."+strconv.Itoa(version)+`"`, r.Header.Get("ETag"))
}

func TestCreate(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		super, _ := w.client(t, "akadmin")
		create := func(c *api.APIClient, p api.TokenRequest) (*api.Token, *http.Response) {
			t.Helper()
			token, r, err := c.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(p).Execute()
			require.NoError(t, err)
			require.Equal(t, http.StatusCreated, r.StatusCode)
			return token, r
		}

		// With nothing but an identifier.
		token, r := create(super, *api.NewTokenRequest("plain"))
		pk := requireToken(t, api.Token{
			Managed: textOrNull(""), Identifier: "plain", Intent: new(api.INTENTENUM_API),
			User: new(int32(1)), UserObj: adminAsRead, Description: new(""),
			Expires: timeOrNull(now.Add(30 * time.Minute)), Expiring: new(true),
		}, token)
		requireRevision(t, r, pk, 1)

		// With everything.
		token, _ = create(super, api.TokenRequest{
			Managed: textOrNull("example.com/tests"), Identifier: "full_1-A", Intent: new(api.INTENTENUM_APP_PASSWORD),
			User: new(int32(3)), Description: new("Grüße,\n\u2028 \"Welt\""),
			Expires: timeOrNull(now.Add(119 * time.Minute)), Expiring: new(true),
		})
		requireToken(t, api.Token{
			Managed: textOrNull("example.com/tests"), Identifier: "full_1-A", Intent: new(api.INTENTENUM_APP_PASSWORD),
			User: new(int32(3)), UserObj: bobAsRead, Description: new("Grüße,\n\u2028 \"Welt\""),
			Expires: timeOrNull(now.Add(119 * time.Minute)), Expiring: new(true),
		}, token)

		// With nulls where there may be some, and for ever.
		token, _ = create(super, api.TokenRequest{
			Managed: textOrNull(""), Identifier: "nulls", Intent: new(api.INTENTENUM_APP_PASSWORD),
			User: new(int32(2)), Expires: timeOrNull(time.Time{}), Expiring: new(false),
		})
		requireToken(t, api.Token{
			Managed: textOrNull(""), Identifier: "nulls", Intent: new(api.INTENTENUM_APP_PASSWORD),
			User: new(int32(2)), UserObj: aliceAsRead, Description: new(""),
			Expires: timeOrNull(time.Time{}), Expiring: new(false),
		}, token)

		// By somebody who is no superuser, and who asks for too much.
		plain, _ := w.client(t, "alice")
		token, _ = create(plain, api.TokenRequest{Identifier: "mine", User: new(int32(1)), Expiring: new(false)})
		requireToken(t, api.Token{
			Managed: textOrNull(""), Identifier: "mine", Intent: new(api.INTENTENUM_API),
			User: new(int32(2)), UserObj: aliceAsRead, Description: new(""),
			Expires: timeOrNull(now.Add(30 * time.Minute)), Expiring: new(true),
		}, token)
	})
}

// The default policy allows all intents and keeps the expiry in a request. Without a sealer,
// only the answer that makes a token has its key.
func TestCreateByDefault(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(authtoken.Config{})
		super, seen := w.client(t, "akadmin")
		for _, intent := range api.AllowedIntentEnumEnumValues {
			token, _, err := super.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(api.TokenRequest{
				Identifier: "for-" + string(intent), Intent: &intent, Expires: timeOrNull(now.AddDate(1, 0, 0)),
			}).Execute()
			require.NoError(t, err)
			requireToken(t, api.Token{
				Managed: textOrNull(""), Identifier: "for-" + string(intent), Intent: &intent,
				User: new(int32(1)), UserObj: adminAsRead, Description: new(""),
				Expires: timeOrNull(now.AddDate(1, 0, 0)), Expiring: new(true),
			}, token)
			var made struct{ Key string }
			require.NoError(t, json.Unmarshal(seen.last, &made))
			_, err = w.svc.Authenticate(t.Context(), made.Key, authtoken.Intent(intent))
			require.NoError(t, err)

			_, _, err = super.CoreApi.CoreTokensRetrieve(t.Context(), "for-"+string(intent)).Execute()
			require.NoError(t, err)
			require.NotContains(t, string(seen.last), made.Key)
			_, r, err := super.CoreApi.CoreTokensViewKeyRetrieve(t.Context(), "for-"+string(intent)).Execute()
			refusal(t, http.StatusForbidden, "The key of this token can't be shown: only its digest is kept, or the secret it was sealed with is gone.", r, err)
		}
	})
}

func TestRetrieve(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		want := api.Token{
			Managed: textOrNull(""), Identifier: "login-alice", Intent: new(api.INTENTENUM_API),
			User: new(int32(2)), UserObj: aliceAsRead, Description: new(""),
			Expires: timeOrNull(time.Time{}), Expiring: new(false),
		}
		for _, username := range []string{"akadmin", "alice"} {
			c, _ := w.client(t, username)
			token, r, err := c.CoreApi.CoreTokensRetrieve(t.Context(), "login-alice").Execute()
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, r.StatusCode)
			requireRevision(t, r, requireToken(t, want, token), 2)
		}
	})
}

func TestUpdate(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		super, _ := w.client(t, "akadmin")
		_, _, err := super.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(api.TokenRequest{
			Managed: textOrNull("m"), Identifier: "before", Intent: new(api.INTENTENUM_APP_PASSWORD), User: new(int32(3)),
			Description: new("d"), Expires: timeOrNull(now.Add(time.Minute)),
		}).Execute()
		require.NoError(t, err)
		update := func(identifier string, p api.TokenRequest) (*api.Token, *http.Response) {
			t.Helper()
			token, r, err := super.CoreApi.CoreTokensUpdate(t.Context(), identifier).TokenRequest(p).Execute()
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, r.StatusCode)
			return token, r
		}

		// Everything that can be changed, the identifier included.
		token, r := update("before", api.TokenRequest{
			Managed: textOrNull("n"), Identifier: "after", Intent: new(api.INTENTENUM_APP_PASSWORD), User: new(int32(3)),
			Description: new("e"), Expires: timeOrNull(now.Add(time.Hour)), Expiring: new(false),
		})
		want := api.Token{
			Managed: textOrNull("n"), Identifier: "after", Intent: new(api.INTENTENUM_APP_PASSWORD),
			User: new(int32(3)), UserObj: bobAsRead, Description: new("e"),
			Expires: timeOrNull(now.Add(time.Hour)), Expiring: new(false),
		}
		requireRevision(t, r, requireToken(t, want, token), 2)
		_, r, err = super.CoreApi.CoreTokensRetrieve(t.Context(), "before").Execute()
		refusal(t, http.StatusNotFound, "No Token matches the given query.", r, err)

		// As little as can be sent: what is left out stays, but for the intent, and
		// with it the lifetime that comes with that.
		token, r = update("after", *api.NewTokenRequest("after"))
		want.Intent = new(api.INTENTENUM_API)
		want.Expires = timeOrNull(now.Add(30 * time.Minute))
		requireRevision(t, r, requireToken(t, want, token), 3)

		// Nulls take away.
		token, _ = update("after", api.TokenRequest{
			Managed: textOrNull(""), Identifier: "after", Intent: new(api.INTENTENUM_APP_PASSWORD),
			Description: new(""), Expires: timeOrNull(time.Time{}),
		})
		want.Managed, want.Intent, want.Description = textOrNull(""), new(api.INTENTENUM_APP_PASSWORD), new("")
		want.Expires = timeOrNull(time.Time{})
		requireToken(t, want, token)

		read, _, err := super.CoreApi.CoreTokensRetrieve(t.Context(), "after").Execute()
		require.NoError(t, err)
		require.Equal(t, token, read)
	})
}

func TestPartialUpdate(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		super, _ := w.client(t, "akadmin")
		_, _, err := super.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(api.TokenRequest{
			Identifier: "before", Intent: new(api.INTENTENUM_APP_PASSWORD), User: new(int32(3)),
		}).Execute()
		require.NoError(t, err)
		want := api.Token{
			Managed: textOrNull(""), Identifier: "before", Intent: new(api.INTENTENUM_APP_PASSWORD),
			User: new(int32(3)), UserObj: bobAsRead, Description: new(""),
			Expires: timeOrNull(time.Time{}), Expiring: new(true),
		}
		// Each changes one field, here and there.
		for i, change := range []func(p *api.PatchedTokenRequest){
			func(*api.PatchedTokenRequest) {},
			func(p *api.PatchedTokenRequest) { p.Managed, want.Managed = textOrNull("m"), textOrNull("m") },
			func(p *api.PatchedTokenRequest) { p.Managed, want.Managed = textOrNull(""), textOrNull("") },
			func(p *api.PatchedTokenRequest) { p.Description, want.Description = new("d"), new("d") },
			func(p *api.PatchedTokenRequest) { p.User = new(int32(3)) },
			func(p *api.PatchedTokenRequest) {
				p.Expires, want.Expires = timeOrNull(now.Add(time.Hour)), timeOrNull(now.Add(time.Hour))
			},
			func(p *api.PatchedTokenRequest) { p.Expiring, want.Expiring = new(false), new(false) },
			func(p *api.PatchedTokenRequest) {
				p.Intent, want.Intent = new(api.INTENTENUM_API), new(api.INTENTENUM_API)
				want.Expires = timeOrNull(now.Add(30 * time.Minute))
			},
			func(p *api.PatchedTokenRequest) { p.Identifier, want.Identifier = new("after"), "after" },
		} {
			var p api.PatchedTokenRequest
			identifier := want.Identifier
			change(&p)
			token, r, err := super.CoreApi.CoreTokensPartialUpdate(t.Context(), identifier).PatchedTokenRequest(p).Execute()
			require.NoError(t, err, i)
			require.Equal(t, http.StatusOK, r.StatusCode, i)
			requireRevision(t, r, requireToken(t, want, token), i+2)
		}
	})
}

func TestDestroy(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		super, _ := w.client(t, "akadmin")
		plain, _ := w.client(t, "alice")
		_, _, err := plain.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(*api.NewTokenRequest("mine")).Execute()
		require.NoError(t, err)
		r, err := plain.CoreApi.CoreTokensDestroy(t.Context(), "mine").Execute()
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, r.StatusCode)
		r, err = plain.CoreApi.CoreTokensDestroy(t.Context(), "mine").Execute()
		refusal(t, http.StatusNotFound, "No Token matches the given query.", r, err)

		// Its own key, which does not let it in any more.
		r, err = super.CoreApi.CoreTokensDestroy(t.Context(), "login-alice").Execute()
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, r.StatusCode)
		_, r, err = plain.CoreApi.CoreTokensList(t.Context()).Execute()
		refusal(t, http.StatusForbidden, "Token invalid/expired", r, err)
	})
}

func TestViewAndSetKey(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		super, seen := w.client(t, "akadmin")
		plain, _ := w.client(t, "alice")
		_, _, err := plain.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(*api.NewTokenRequest("mine")).Execute()
		require.NoError(t, err)

		// The key that was made lets in, whoever looks at it.
		first, r, err := plain.CoreApi.CoreTokensViewKeyRetrieve(t.Context(), "mine").Execute()
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, r.StatusCode)
		again, _, err := super.CoreApi.CoreTokensViewKeyRetrieve(t.Context(), "mine").Execute()
		require.NoError(t, err)
		require.Equal(t, first, again)
		before, _ := w.clientWith(t, "Bearer "+first.Key)
		_, _, err = before.CoreApi.CoreTokensRetrieve(t.Context(), "mine").Execute()
		require.NoError(t, err)

		// So does one that is set, from when on the other does not.
		set := api.TokenSetKeyRequest{Key: "made-elsewhere-by-somebody-else-~!@#$%^&*()"}
		r, err = super.CoreApi.CoreTokensSetKeyCreate(t.Context(), "mine").TokenSetKeyRequest(set).Execute()
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, r.StatusCode)
		require.Empty(t, seen.last)
		view, _, err := plain.CoreApi.CoreTokensViewKeyRetrieve(t.Context(), "mine").Execute()
		require.NoError(t, err)
		require.Equal(t, set.Key, view.Key)
		after, _ := w.clientWith(t, "Bearer "+set.Key)
		_, _, err = after.CoreApi.CoreTokensRetrieve(t.Context(), "mine").Execute()
		require.NoError(t, err)
		_, r, err = before.CoreApi.CoreTokensRetrieve(t.Context(), "mine").Execute()
		refusal(t, http.StatusForbidden, "Token invalid/expired", r, err)
	})
}

func TestUsedBy(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		c, seen := w.client(t, "alice")
		list, r, err := c.CoreApi.CoreTokensUsedByList(t.Context(), "login-alice").Execute()
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, []api.UsedBy{}, list)
		require.Equal(t, "[]", string(seen.last))
	})
}

// The address of the API is documented with a slash at the end, which the client
// doubles if it is given like that.
func TestDoubledSlash(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		c, seen := build(sealed(t, authtoken.Authentik())).client(t, "alice")
		c.GetConfig().Servers[0].URL = "/api/v3/"
		_, _, err := c.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(*api.NewTokenRequest("mine")).Execute()
		require.NoError(t, err)
		_, _, err = c.CoreApi.CoreTokensRetrieve(t.Context(), "mine").Execute()
		require.NoError(t, err)
		require.Equal(t, []string{"POST /api/v3//core/tokens/", "GET /api/v3//core/tokens/mine/"}, seen.calls)
	})
}
