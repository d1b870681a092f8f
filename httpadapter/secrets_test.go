package httpadapter_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/sqlite"
)

// TestNoKeyGetsOut uses every call there is, rightly and wrongly, and then
// looks for the keys in all that was logged, printed, answered and stored.
func TestNoKeyGetsOut(t *testing.T) {
	t.Parallel()
	for _, sealed := range []bool{false, true} {
		t.Run(fmt.Sprint("sealed=", sealed), func(t *testing.T) {
			t.Parallel()
			noKeyGetsOut(t, sealed)
		})
	}
}

func noKeyGetsOut(t *testing.T, sealed bool) {
	dir := t.TempDir()
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "tokens.db"), sqlite.Config{})
	require.NoError(t, err)
	defer st.Close()

	var out bytes.Buffer // all that is printed
	logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	show := func(vs ...any) {
		for _, v := range vs {
			fmt.Fprintf(&out, "%v %+v %#v %s %q %x %d %p %t\n", v, v, v, v, v, v, v, v, v)
			text, err := json.Marshal(v)
			if err == nil {
				out.Write(text)
			}
			_ = gob.NewEncoder(&out).Encode(v) // fails for most
			logger.Info("shown", "value", v)
		}
	}
	const sealing = "32-bytes-that-keys-are-sealed-by"
	cfg := authtoken.Config{
		TrackLastUsed: true, CacheSize: 10,
		Observer: authtoken.ObserverFunc(func(ctx context.Context, e authtoken.Event) {
			authtoken.LogObserver(logger).Observe(ctx, e)
			show(e)
		}),
	}
	users, err := authtoken.NewUserList(authtokentest.Users()...)
	require.NoError(t, err)
	cfg.Users = users
	if sealed {
		cfg.Sealer, err = authtoken.NewAESSealer([]byte(sealing))
		require.NoError(t, err)
		show(cfg.Sealer, *cfg.Sealer.(*authtoken.AESSealer))
	}
	svc, err := authtoken.New(st, cfg)
	require.NoError(t, err)
	h, err := httpadapter.New(svc, httpadapter.Config{Logger: logger})
	require.NoError(t, err)
	super := svc.As("1")

	secrets := []string{sealing}
	keep := func(token authtoken.Token, key authtoken.Key, err error) string {
		t.Helper()
		require.NoError(t, err)
		show(token, key, &key, struct{ K authtoken.Key }{key})
		secrets = append(secrets, key.Reveal())
		return key.Reveal()
	}
	ctx := t.Context()
	first := keep(super.Create(ctx, authtoken.CreateParams{Identifier: "one"}))
	other := keep(super.Create(ctx, authtoken.CreateParams{Identifier: "two", User: "2"}))
	second := keep(super.Rotate(ctx, "one", 0))
	const imported = "an-imported-key-of-some-forty-characters"
	secrets = append(secrets, imported, "wrong-"+imported)
	require.NoError(t, super.SetKey(ctx, "two", imported))
	errs := []error{
		super.SetKey(ctx, "one", imported),
		super.SetKey(ctx, "one", imported+" "),
		super.SetKey(ctx, "none", imported),
	}
	for _, key := range []string{first, second, other, imported, "wrong-" + imported, second[:len(second)-1] + "!"} {
		presented := authtoken.Credentials{Key: authtoken.KeyOf(key), From: "192.0.2.1"}
		p, err := svc.Check(ctx, presented, authtoken.IntentAPI)
		show(p, presented, &presented, []authtoken.Credentials{presented}, map[string]any{"presented": presented})
		errs = append(errs, err)
		_, err = svc.Check(ctx, authtoken.Credentials{Key: authtoken.KeyOf(key), Username: new("nobody")}, authtoken.IntentRecovery)
		errs = append(errs, err)
	}
	key, err := super.Reveal(ctx, "two")
	show(key)
	errs = append(errs, err)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = svc.Authenticate(cancelled, imported)
	errs = append(errs, err)
	for _, err := range errs {
		show(err)
	}
	show(svc, super, h, cfg, authtoken.Authentik())
	require.NoError(t, svc.FlushLastUsed(ctx))

	// Over HTTP; the answers that are for showing a key are left out.
	for _, c := range [][3]string{
		{"GET", "", ""}, {"GET", "one/", ""}, {"PUT", "one/", `{"identifier":"one","key":"` + imported + `"}`},
		{"PATCH", "one/", `{"description":7}`}, {"POST", "", `{"identifier":"one"}`}, {"POST", "", `{`},
		{"POST", "one/set_key/", `{"key":"` + imported + `"}`}, {"POST", "one/set_key/", `{"key":"` + imported + `\u0000"}`},
		{"POST", "none/set_key/", `{"key":"` + imported + `"}`}, {"GET", "?search=" + imported, ""},
		{"GET", "two/used_by/", ""}, {"OPTIONS", "two/", ""}, {"BREW", "two/", ""},
	} {
		for _, key := range []string{second, imported, "wrong-" + imported} {
			r := httptest.NewRequestWithContext(ctx, c[0], tokens+c[1], strings.NewReader(c[2]))
			r.Header.Set("Authorization", "Bearer "+key)
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			out.WriteString(w.Body.String())
			show(w.Header())
		}
	}
	guard, err := httpadapter.RequireToken(svc, httpadapter.GuardConfig{Logger: logger})
	require.NoError(t, err)
	guarded := guard(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { show(authtoken.PrincipalFrom(r.Context())) }))
	for _, key := range secrets {
		r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		out.WriteString(w.Body.String())
		show(w.Header())
	}

	places := map[string][]byte{"output": out.Bytes()}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 2, "the database and its log")
	for _, name := range files {
		places[filepath.Base(name)], err = os.ReadFile(name)
		require.NoError(t, err)
	}
	require.Contains(t, string(places["output"]), "[redacted]")
	for name, text := range places {
		for i, secret := range secrets {
			for form, written := range map[string]string{
				"plain": secret, "hex": hex.EncodeToString([]byte(secret)),
				"HEX":    strings.ToUpper(hex.EncodeToString([]byte(secret))),
				"base64": base64.StdEncoding.EncodeToString([]byte(secret))[:40],
				"bytes":  strings.Trim(fmt.Sprint([]byte(secret)), "[]"),
			} {
				if bytes.Contains(text, []byte(written)) {
					at := bytes.Index(text, []byte(written))
					t.Errorf("key %d is in the %s, as %s: …%s…", i, name, form, text[max(0, at-100):at+len(written)])
				}
			}
		}
	}
}
