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

// onOne are the calls about one token.
var onOne = map[string]func(t *testing.T, c *api.APIClient, identifier string) (*http.Response, error){
	"retrieve": func(t *testing.T, c *api.APIClient, identifier string) (*http.Response, error) {
		_, r, err := c.CoreApi.CoreTokensRetrieve(t.Context(), identifier).Execute()
		return r, err
	},
	"update": func(t *testing.T, c *api.APIClient, identifier string) (*http.Response, error) {
		_, r, err := c.CoreApi.CoreTokensUpdate(t.Context(), identifier).
			TokenRequest(*api.NewTokenRequest("renamed")).Execute()
		return r, err
	},
	"partial_update": func(t *testing.T, c *api.APIClient, identifier string) (*http.Response, error) {
		_, r, err := c.CoreApi.CoreTokensPartialUpdate(t.Context(), identifier).
			PatchedTokenRequest(api.PatchedTokenRequest{Description: new("d")}).Execute()
		return r, err
	},
	"destroy": func(t *testing.T, c *api.APIClient, identifier string) (*http.Response, error) {
		return c.CoreApi.CoreTokensDestroy(t.Context(), identifier).Execute()
	},
	"view_key": func(t *testing.T, c *api.APIClient, identifier string) (*http.Response, error) {
		_, r, err := c.CoreApi.CoreTokensViewKeyRetrieve(t.Context(), identifier).Execute()
		return r, err
	},
	"set_key": func(t *testing.T, c *api.APIClient, identifier string) (*http.Response, error) {
		return c.CoreApi.CoreTokensSetKeyCreate(t.Context(), identifier).
			TokenSetKeyRequest(api.TokenSetKeyRequest{Key: strings.Repeat("k", 40)}).Execute()
	},
	"used_by": func(t *testing.T, c *api.APIClient, identifier string) (*http.Response, error) {
		_, r, err := c.CoreApi.CoreTokensUsedByList(t.Context(), identifier).Execute()
		return r, err
	},
}

func TestCredentialsRefused(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		made := func(p authtoken.CreateParams) string {
			t.Helper()
			_, key, err := w.svc.Create(t.Context(), p)
			require.NoError(t, err)
			return "Bearer " + key.Reveal()
		}
		before := w.identifiers(t)
		for authorization, detail := range map[string]string{
			"":                                       "Authentication credentials were not provided.",
			"Basic YWxpY2U6c2VjcmV0":                 "Unsupported authentication type",
			"Bearer no-key-that-was-made-by-anybody": "Token invalid/expired",
			"Bearer " + keyOf("carol"):               "Token invalid/expired",
			made(authtoken.CreateParams{Identifier: "old", User: "1", Expires: now}): "Token invalid/expired",
			made(authtoken.CreateParams{
				Identifier: "password", User: "1", Intent: authtoken.IntentAppPassword, Expires: now.Add(time.Minute),
			}): "Token invalid/expired",
		} {
			c, _ := w.clientWith(t, authorization)
			_, r, err := c.CoreApi.CoreTokensList(t.Context()).Execute()
			refusal(t, http.StatusForbidden, detail, r, err)
			_, r, err = c.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(*api.NewTokenRequest("new")).Execute()
			refusal(t, http.StatusForbidden, detail, r, err)
			for _, call := range onOne {
				for _, identifier := range []string{"login-alice", "nobody"} {
					r, err := call(t, c, identifier)
					refusal(t, http.StatusForbidden, detail, r, err)
				}
			}
		}
		require.ElementsMatch(t, append(before, "old", "password"), w.identifiers(t))
	})
}

// identifiers returns the identifiers of all tokens.
func (w *world) identifiers(t *testing.T) []string {
	t.Helper()
	var list []string
	for token, err := range w.svc.All(t.Context(), authtoken.Filter{}) {
		require.NoError(t, err)
		list = append(list, token.Identifier)
	}
	return list
}

// A missing token and the token of another user get the same answer.
func TestNotFound(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		before := w.identifiers(t)
		super, _ := w.client(t, "akadmin")
		plain, _ := w.client(t, "alice")
		for name, call := range onOne {
			t.Log(name)
			for _, c := range []*api.APIClient{super, plain} {
				for _, identifier := range []string{"nobody", "no body", "a/b", "ü", "%2F", "login-alice/view_key"} {
					r, err := call(t, c, identifier)
					refusal(t, http.StatusNotFound, "No Token matches the given query.", r, err)
				}
			}
			for _, identifier := range []string{"login-akadmin", "login-bob"} {
				r, err := call(t, plain, identifier)
				refusal(t, http.StatusNotFound, "No Token matches the given query.", r, err)
			}
		}
		require.Equal(t, before, w.identifiers(t))
	})
}

func TestFaults(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		super, _ := w.client(t, "akadmin")
		plain, _ := w.client(t, "alice")
		_, _, err := super.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(api.TokenRequest{
			Identifier: "taken", Managed: textOrNull("taken"), User: new(int32(2)),
		}).Execute()
		require.NoError(t, err)
		_, _, err = plain.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(*api.NewTokenRequest("mine")).Execute()
		require.NoError(t, err)
		before := w.identifiers(t)

		for _, c := range []struct {
			request api.TokenRequest
			want    map[string]any
		}{
			{*api.NewTokenRequest(""), map[string]any{"identifier": []any{"This field may not be blank."}}},
			{*api.NewTokenRequest("two words"), map[string]any{"identifier": []any{
				`Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.`}}},
			{*api.NewTokenRequest("taken"), map[string]any{"identifier": []any{"Token with this identifier already exists."}}},
			{api.TokenRequest{Identifier: "x", Intent: new(api.INTENTENUM_RECOVERY)},
				map[string]any{"intent": []any{"Invalid intent recovery"}}},
			{api.TokenRequest{Identifier: "x", Intent: new(api.INTENTENUM_APP_PASSWORD), Expires: timeOrNull(now.Add(time.Hour))},
				map[string]any{"expires": []any{
					"Token expires exceeds maximum lifetime (2026-03-04 05:36:07.890123+00:00 UTC)."}}},
			{api.TokenRequest{Identifier: "x", Managed: textOrNull("taken")}, map[string]any{"managed": []any{
				"Token with this Managed by authentik already exists."}}},
			// Several at once.
			{
				api.TokenRequest{
					Managed: *api.NewNullableString(new("")), Identifier: strings.Repeat("x", 256), Intent: new(api.IntentEnum("nope")),
					User: new(int32(99)), Description: new("a\x00b"),
				},
				map[string]any{
					"managed":     []any{"This field may not be blank."},
					"identifier":  []any{"Ensure this field has no more than 255 characters."},
					"intent":      []any{`"nope" is not a valid choice.`},
					"user":        []any{`Invalid pk "99" - object does not exist.`},
					"description": []any{"Null characters are not allowed."},
				},
			},
		} {
			_, r, err := plain.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(c.request).Execute()
			require.Equal(t, c.want, fault(t, r, err))
			_, r, err = plain.CoreApi.CoreTokensUpdate(t.Context(), "mine").TokenRequest(c.request).Execute()
			require.Equal(t, c.want, fault(t, r, err))
			_, r, err = plain.CoreApi.CoreTokensPartialUpdate(t.Context(), "mine").PatchedTokenRequest(api.PatchedTokenRequest{
				Managed: c.request.Managed, Identifier: &c.request.Identifier, Intent: c.request.Intent,
				User: c.request.User, Description: c.request.Description, Expires: c.request.Expires,
			}).Execute()
			require.Equal(t, c.want, fault(t, r, err))
		}

		// A token stays whose it is.
		_, r, err := super.CoreApi.CoreTokensUpdate(t.Context(), "mine").TokenRequest(api.TokenRequest{
			Identifier: "mine", User: new(int32(1)),
		}).Execute()
		require.Equal(t, map[string]any{"user": []any{"User cannot be changed"}}, fault(t, r, err))

		// Keys.
		for key, message := range map[string]string{
			"":                        "This field may not be blank.",
			"short":                   "Ensure this field has at least 32 characters.",
			strings.Repeat("x", 1025): "Ensure this field has no more than 1024 characters.",
			keyOf("alice"):            "Token with this key already exists.",
		} {
			r, err := super.CoreApi.CoreTokensSetKeyCreate(t.Context(), "mine").
				TokenSetKeyRequest(api.TokenSetKeyRequest{Key: key}).Execute()
			require.Equal(t, map[string]any{"key": []any{message}}, fault(t, r, err))
		}
		r, err = plain.CoreApi.CoreTokensSetKeyCreate(t.Context(), "mine").
			TokenSetKeyRequest(api.TokenSetKeyRequest{Key: strings.Repeat("k", 40)}).Execute()
		refusal(t, http.StatusForbidden, "You do not have permission to perform this action.", r, err)
		require.Equal(t, before, w.identifiers(t))
	})
}

// This is the only fault that is not about a field. The client has a field of its own for it.
func TestTooManyTokens(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		policy := authtoken.Authentik()
		policy.MaxTokens = 1
		plain, _ := build(sealed(t, policy)).client(t, "alice")
		_, r, err := plain.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(*api.NewTokenRequest("more")).Execute()
		fault(t, r, err)
		var e *api.GenericOpenAPIError
		require.ErrorAs(t, err, &e)
		require.Equal(t, api.ValidationError{
			NonFieldErrors: []string{"User has reached the maximum of 1 tokens."},
		}, e.Model())
	})
}

// The client does not know ETags, but it can send one in a header.
func TestIfMatch(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Authentik()))
		c, _ := w.client(t, "alice")
		_, first, err := c.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(*api.NewTokenRequest("mine")).Execute()
		require.NoError(t, err)
		_, second, err := c.CoreApi.CoreTokensPartialUpdate(t.Context(), "mine").
			PatchedTokenRequest(api.PatchedTokenRequest{Description: new("d")}).Execute()
		require.NoError(t, err)

		c.GetConfig().AddDefaultHeader("If-Match", first.Header.Get("ETag"))
		for _, name := range []string{"update", "partial_update", "destroy"} {
			r, err := onOne[name](t, c, "mine")
			refusal(t, http.StatusPreconditionFailed, "The token has changed: it has another ETag now.", r, err)
		}
		c.GetConfig().AddDefaultHeader("If-Match", second.Header.Get("ETag"))
		_, err = onOne["destroy"](t, c, "mine")
		require.NoError(t, err)
	})
}

// A key that ends creates and changes only tokens that end with it, unless the policy is
// authentik's. It reads everything that its owner may see.
func TestKeyThatEnds(t *testing.T) {
	overStores(t, func(t *testing.T, build func(cfg authtoken.Config) *world) {
		for _, policy := range []authtoken.Policy{{}, authtoken.Authentik()} {
			w := build(sealed(t, policy))
			ends := now.Add(time.Hour)
			_, key, err := w.svc.Create(t.Context(), authtoken.CreateParams{Identifier: "short", User: alice.ID, Expires: ends})
			require.NoError(t, err)
			client, _ := w.clientWith(t, "Bearer "+key.Reveal())
			tokens := client.CoreApi
			status := func(answer *http.Response, err error) int {
				t.Helper()
				require.NotNil(t, answer, err)
				return answer.StatusCode
			}
			later := timeOrNull(ends.Add(time.Second))
			want := func(free, bound int) int {
				if policy.UnboundedKeys {
					return free
				}
				return bound
			}

			_, answer, err := tokens.CoreTokensRetrieve(t.Context(), "login-alice").Execute()
			require.Equal(t, http.StatusOK, status(answer, err))
			_, answer, err = tokens.CoreTokensCreate(t.Context()).TokenRequest(api.TokenRequest{Identifier: "later", Expires: later}).Execute()
			require.Equal(t, want(http.StatusCreated, http.StatusBadRequest), status(answer, err))
			_, answer, err = tokens.CoreTokensPartialUpdate(t.Context(), "short").PatchedTokenRequest(api.PatchedTokenRequest{Expires: later}).Execute()
			require.Equal(t, want(http.StatusOK, http.StatusBadRequest), status(answer, err))
			_, answer, err = tokens.CoreTokensPartialUpdate(t.Context(), "login-alice").PatchedTokenRequest(api.PatchedTokenRequest{Description: new("x")}).Execute()
			require.Equal(t, want(http.StatusOK, http.StatusForbidden), status(answer, err))
			_, answer, err = tokens.CoreTokensViewKeyRetrieve(t.Context(), "login-alice").Execute()
			require.Equal(t, want(http.StatusOK, http.StatusForbidden), status(answer, err))
			answer, err = tokens.CoreTokensDestroy(t.Context(), "login-alice").Execute()
			require.Equal(t, want(http.StatusNoContent, http.StatusForbidden), status(answer, err))

			_, answer, err = tokens.CoreTokensCreate(t.Context()).TokenRequest(api.TokenRequest{Identifier: "same"}).Execute()
			require.Equal(t, http.StatusCreated, status(answer, err))
			answer, err = tokens.CoreTokensDestroy(t.Context(), "same").Execute()
			require.Equal(t, http.StatusNoContent, status(answer, err))
		}
	})
}
