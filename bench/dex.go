package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/dexidp/dex/storage"
	dexmemory "github.com/dexidp/dex/storage/memory"
)

// dex keeps refresh tokens in a storage of github.com/dexidp/dex.
type dex struct{ storage.Storage }

var noLog = slog.New(slog.DiscardHandler)

func openDexMemory(string) (keeper, error) { return dex{dexmemory.New(noLog)}, nil }

func (d dex) create(ctx context.Context, name, _ string) (string, error) {
	now := time.Now()
	r := storage.RefreshToken{
		ID: storage.NewID(), Token: newSecret(), CreatedAt: now, LastUsed: now,
		ClientID: "client", ConnectorID: "local", Nonce: "made by the benchmark", Scopes: []string{"openid"},
		Claims: storage.Claims{UserID: "7", Username: name},
	}
	return r.ID, d.CreateRefresh(ctx, r)
}

func (d dex) update(ctx context.Context, t token, description string) error {
	return d.UpdateRefreshToken(ctx, t.secret, func(r storage.RefreshToken) (storage.RefreshToken, error) {
		r.Nonce = description
		return r, nil
	})
}

func (d dex) lookUp(ctx context.Context, secret string) error {
	_, err := d.GetRefresh(ctx, secret)
	return err
}

func (d dex) close() error { return d.Close() }
