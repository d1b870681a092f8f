package main

import (
	"context"
	"strings"
	"time"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase/core"
	_ "github.com/pocketbase/pocketbase/migrations"
)

// pocket is github.com/pocketbase/pocketbase in process, without its server: a
// collection of tokens, with unique names and secrets and no other indexes.
type pocket struct {
	app    core.App
	tokens *core.Collection
}

func openPocketBaseAsShipped(dir string) (keeper, error) {
	return openPocket(dir, core.DefaultDBConnect)
}

// openPocketBase has it wait for the disk and leaves all else as it is shipped.
func openPocketBase(dir string) (keeper, error) {
	return openPocket(dir, func(path string) (*dbx.DB, error) {
		return dbx.Open("sqlite", path+"?_pragma="+strings.Join([]string{
			"busy_timeout(10000)", "journal_mode(WAL)", "journal_size_limit(200000000)", "synchronous(FULL)",
			"foreign_keys(ON)", "temp_store(MEMORY)", "cache_size(-32000)",
		}, "&_pragma="))
	})
}

func openPocket(dir string, connect core.DBConnectFunc) (keeper, error) {
	app := core.NewBaseApp(core.BaseAppConfig{DataDir: dir, DBConnect: connect})
	if err := app.Bootstrap(); err != nil {
		return nil, err
	}
	c := core.NewBaseCollection("tokens")
	c.Fields.Add(
		&core.TextField{Name: "identifier", Required: true, Max: 255, Pattern: `^[-\w]+$`},
		&core.TextField{Name: "secret", Required: true},
		&core.TextField{Name: "intent", Required: true},
		&core.NumberField{Name: "user", Required: true, OnlyInt: true},
		&core.TextField{Name: "description"},
		&core.DateField{Name: "expires"},
		&core.BoolField{Name: "expiring"},
		&core.AutodateField{Name: "created", OnCreate: true},
	)
	c.AddIndex("tokens_identifier", true, "identifier", "")
	c.AddIndex("tokens_secret", true, "secret", "")
	return pocket{app, c}, app.Save(c)
}

func (p pocket) create(_ context.Context, name, user string) (string, error) {
	secret := newSecret()
	r := core.NewRecord(p.tokens)
	r.Set("identifier", name)
	r.Set("secret", secret)
	r.Set("intent", "api")
	r.Set("user", user)
	r.Set("description", "made by the benchmark")
	r.Set("expires", time.Now().Add(30*time.Minute))
	r.Set("expiring", true)
	return secret, p.app.Save(r)
}

func (p pocket) update(_ context.Context, t token, description string) error {
	r, err := p.app.FindFirstRecordByData(p.tokens, "identifier", t.name)
	if err != nil {
		return err
	}
	r.Set("description", description)
	return p.app.Save(r)
}

func (p pocket) lookUp(_ context.Context, secret string) error {
	_, err := p.app.FindFirstRecordByData(p.tokens, "secret", secret)
	return err
}

func (p pocket) close() error { return p.app.ResetBootstrapState() }
