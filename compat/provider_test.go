package compat_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	api "goauthentik.io/api/v3"

	"github.com/authtoken/authtoken"
)

// resource is a Terraform resource of type authentik_token. It makes the calls of authentik's
// provider in the same order, and keeps the same parts of the answers.
type resource struct {
	c *api.APIClient

	// The block in the configuration.
	config struct {
		identifier, description, intent, expires string
		user                                     int32
		expiring, retrieveKey                    bool
	}

	// The state. If the id is empty, the resource does not exist.
	id                              string
	identifier, description, intent string
	user                            int32
	expiresIn                       float64
	key                             string
}

// wanted is the body that the provider sends to create and to update.
func (r *resource) wanted() (api.TokenRequest, error) {
	p := api.TokenRequest{
		Identifier:  r.config.identifier,
		User:        &r.config.user,
		Intent:      new(api.IntentEnum(r.config.intent)),
		Description: &r.config.description,
		Expiring:    &r.config.expiring,
	}
	if r.config.expires != "" {
		at, err := time.Parse(time.RFC3339, r.config.expires)
		if err != nil {
			return p, err
		}
		p.Expires.Set(&at)
	}
	return p, nil
}

// failed handles the error of a call. If the token does not exist any more, the resource
// leaves the state. Any other error is shown to the user.
func (r *resource) failed(answer *http.Response, err error) error {
	if answer != nil && answer.StatusCode == http.StatusNotFound {
		r.id = ""
		return nil
	}
	return err
}

func (r *resource) create(t *testing.T) error {
	p, err := r.wanted()
	require.NoError(t, err)
	token, answer, err := r.c.CoreApi.CoreTokensCreate(t.Context()).TokenRequest(p).Execute()
	if err != nil {
		return r.failed(answer, err)
	}
	r.id = token.Identifier
	return r.read(t)
}

func (r *resource) read(t *testing.T) error {
	token, answer, err := r.c.CoreApi.CoreTokensRetrieve(t.Context(), r.id).Execute()
	if err != nil {
		return r.failed(answer, err)
	}
	// The provider does not check whether the answer has these.
	r.identifier, r.user, r.description = token.Identifier, *token.User, *token.Description
	r.intent = string(*token.Intent)
	if token.Expires.IsSet() && token.Expires.Get() != nil {
		r.expiresIn = token.Expires.Get().Sub(now).Seconds()
	}
	if r.config.retrieveKey {
		view, answer, err := r.c.CoreApi.CoreTokensViewKeyRetrieve(t.Context(), r.id).Execute()
		if err != nil {
			return r.failed(answer, err)
		}
		r.key = view.Key
	}
	return nil
}

func (r *resource) update(t *testing.T) error {
	p, err := r.wanted()
	require.NoError(t, err)
	token, answer, err := r.c.CoreApi.CoreTokensUpdate(t.Context(), r.id).TokenRequest(p).Execute()
	if err != nil {
		return r.failed(answer, err)
	}
	r.id = token.Identifier
	return r.read(t)
}

func (r *resource) delete(t *testing.T) error {
	answer, err := r.c.CoreApi.CoreTokensDestroy(t.Context(), r.id).Execute()
	if err != nil {
		return r.failed(answer, err)
	}
	return nil
}

// settled checks that Terraform would change nothing.
func (r *resource) settled(t *testing.T) {
	t.Helper()
	require.NoError(t, r.read(t))
	require.Equal(t,
		fmt.Sprint(r.config.identifier, r.config.identifier, r.config.user, r.config.description, r.config.intent),
		fmt.Sprint(r.id, r.identifier, r.user, r.description, r.intent))
}

// configure makes the first call of the provider, which asks how to report errors. Only
// authentik serves it. The provider goes on without an answer, if the refusal is one that it
// understands.
func configure(t *testing.T, c *api.APIClient) {
	t.Helper()
	_, answer, err := c.RootApi.RootConfigRetrieve(t.Context()).Execute()
	refusal(t, http.StatusNotFound, "Not found.", answer, err)
}

func TestTerraform(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		for name, policy := range map[string]authtoken.Policy{"authentik": authtoken.Authentik(), "default": {}} {
			t.Run(name, func(t *testing.T) {
				w := build(sealed(t, policy))
				c, seen := w.client(t, "akadmin")
				configure(t, c)

				// A token for somebody, which expires in half an hour.
				r := &resource{c: c}
				r.config.identifier, r.config.user, r.config.intent = "tf", 2, "api"
				r.config.description, r.config.expiring, r.config.retrieveKey = "made by Terraform", true, true
				r.config.expires = now.Add(30 * time.Minute).Format(time.RFC3339)
				require.NoError(t, r.create(t))
				r.settled(t)
				require.InDelta(t, 1800, r.expiresIn, 1)
				p, err := w.svc.Authenticate(t.Context(), r.key, authtoken.IntentAPI)
				require.NoError(t, err)
				require.Equal(t, "2", p.User.ID)

				// Another description, and another identifier, which is the id.
				r.config.identifier, r.config.description = "tf-renamed", ""
				key := r.key
				require.NoError(t, r.update(t))
				r.settled(t)
				require.Equal(t, key, r.key)

				// Another intent, and no expiry any more.
				r.config.intent, r.config.expiring, r.config.expires = "app_password", false, ""
				require.NoError(t, r.update(t))
				r.settled(t)
				token, err := w.svc.Get(t.Context(), "tf-renamed")
				require.NoError(t, err)
				require.False(t, token.Expiring)

				// Imported by its id into another state.
				imported := &resource{c: c, config: r.config, id: "tf-renamed"}
				imported.settled(t)
				require.Equal(t, key, imported.key)

				// To give it to somebody else is refused rather than passed over.
				r.config.user = 3
				require.Error(t, r.update(t))
				require.Equal(t, "tf-renamed", r.id)
				r.config.user = 2

				// Gone behind Terraform's back, it leaves the state and is made again.
				require.NoError(t, w.svc.Delete(t.Context(), "tf-renamed"))
				require.NoError(t, r.read(t))
				require.Empty(t, r.id)
				require.NoError(t, r.create(t))
				r.settled(t)
				require.NotEqual(t, key, r.key)

				// And taken away for good, be it gone already or not.
				require.NoError(t, r.delete(t))
				require.NoError(t, r.delete(t))
				require.Empty(t, r.id)
				_, err = w.svc.Get(t.Context(), "tf-renamed")
				require.ErrorIs(t, err, authtoken.ErrNotFound)

				require.Equal(t, []string{
					"GET /api/v3/root/config/",
					"POST /api/v3/core/tokens/",
					"GET /api/v3/core/tokens/tf/", "GET /api/v3/core/tokens/tf/view_key/",
				}, seen.calls[:4])
			})
		}
	})
}

// A plain user can also manage their own tokens with Terraform. They can't choose the expiry.
// The provider does not check it.
func TestTerraformAsPlainUser(t *testing.T) {
	overStores(t, func(t *testing.T, build func(authtoken.Config) *world) {
		w := build(sealed(t, authtoken.Policy{}))
		c, _ := w.client(t, "alice")
		configure(t, c)
		r := &resource{c: c}
		r.config.identifier, r.config.user, r.config.intent = "tf", 2, "app_password"
		require.NoError(t, r.create(t))
		r.settled(t)
		r.config.description = "d"
		require.NoError(t, r.update(t))
		r.settled(t)

		// What is refused says why, which is what Terraform shows.
		r.config.intent = "recovery"
		var e *api.GenericOpenAPIError
		require.ErrorAs(t, r.update(t), &e)
		require.JSONEq(t, `{"intent": ["Invalid intent recovery"]}`, string(e.Body()))
	})
}
