package main

import (
	"context"
	"errors"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/models"
	oauth2store "github.com/go-oauth2/oauth2/v4/store"
)

// oauth is the memory store of github.com/go-oauth2/oauth2, which keeps JSON in a
// tree of github.com/tidwall/buntdb.
type oauth struct{ oauth2.TokenStore }

func openOAuth2(string) (keeper, error) {
	st, err := oauth2store.NewMemoryTokenStore()
	return oauth{st}, err
}

func (o oauth) create(ctx context.Context, name, _ string) (string, error) {
	secret := newSecret()
	return secret, o.Create(ctx, &models.Token{
		ClientID: "client", UserID: name, Scope: "made by the benchmark",
		Access: secret, AccessCreateAt: time.Now(), AccessExpiresIn: 30 * time.Minute,
	})
}

func (o oauth) update(context.Context, token, string) error { return errors.ErrUnsupported }

func (o oauth) lookUp(ctx context.Context, secret string) error {
	t, err := o.GetByAccess(ctx, secret)
	if err == nil && t == nil {
		err = errNotFound
	}
	return err
}

func (o oauth) close() error { return nil }
