package leakreport_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/leakreport"
)

// The example in GitHub's documentation of the program, which is signed with a key for
// tests: https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partner-program.
const (
	exampleBody = `[{"token":"some_token","type":"some_type","url":"some_url","source":"some_source"}]`
	exampleID   = "f9525bf080f75b3506ca1ead061add62b8633a346606dc5fe544e29231c6ee0d"
	exampleKey  = "-----BEGIN PUBLIC KEY-----\n" +
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsz9ugWDj5jK5ELBK42ynytbo38gP\n" +
		"HzZFI03Exwz8Lh/tCfL3YxwMdLjB+bMznsanlhK0RwcGP3IDb34kQDIo3Q==\n" +
		"-----END PUBLIC KEY-----"
	exampleSignature = "MEUCIFLZzeK++IhS+y276SRk2Pe5LfDrfvTXu6iwKKcFGCrvAiEAhHN2kDOhy2I6eGkOFmxNkOJ+L2y8oQ9A2T9GGJo6WJY="
)

func TestPublishedExample(t *testing.T) {
	t.Parallel()
	key, err := leakreport.ParseKey(exampleKey)
	require.NoError(t, err)
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	s := newScanner(t, svc, leakreport.Config{Keys: func(_ context.Context, identifier string) (*ecdsa.PublicKey, error) {
		require.Equal(t, exampleID, identifier)
		return key, nil
	}})
	w := send(s, http.MethodPost, exampleBody, exampleID, exampleSignature)
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `[{"token_raw":"some_token","token_type":"some_type","label":"false_positive"}]`, w.Body.String())
	w = send(s, http.MethodPost, strings.Replace(exampleBody, "some_url", "some_uri", 1), exampleID, exampleSignature)
	require.Equal(t, http.StatusUnauthorized, w.Code)
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	larger, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&larger.PublicKey)
	require.NoError(t, err)
	for text, reason := range map[string]string{
		"":    "not in PEM form",
		"key": "not in PEM form",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----":           "parse key",
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})): "P-256",
	} {
		_, err := leakreport.ParseKey(text)
		require.ErrorContains(t, err, reason)
	}
}

// github answers like the API that lists the keys. It is a transport, so that nothing is
// dialled.
type github struct {
	calls int
	code  int
	body  string
	err   error
}

func (g *github) RoundTrip(r *http.Request) (*http.Response, error) {
	g.calls++
	if g.err != nil {
		return nil, g.err
	}
	if r.Method != http.MethodGet || r.URL.String() != "https://api.github.com/meta/public_keys/secret_scanning" {
		return nil, errors.New("unexpected request: " + r.Method + " " + r.URL.String())
	}
	return &http.Response{StatusCode: g.code, Status: http.StatusText(g.code), Body: io.NopCloser(strings.NewReader(g.body))}, nil
}

func keyList(t *testing.T, identifiers ...string) string {
	t.Helper()
	list := []map[string]any{{"key_identifier": "odd", "key": "?", "is_current": false}}
	for _, identifier := range identifiers {
		list = append(list, map[string]any{"key_identifier": identifier, "key": exampleKey, "is_current": true})
	}
	body, err := json.Marshal(map[string]any{"public_keys": list})
	require.NoError(t, err)
	return string(body)
}

func TestGitHubKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := &github{code: http.StatusOK, body: keyList(t, "one")}
		keys := leakreport.GitHubKeys(&http.Client{Transport: api})
		get := func(identifier string, calls int, reason error) {
			t.Helper()
			key, err := keys(t.Context(), identifier)
			require.ErrorIs(t, err, reason)
			require.Equal(t, reason == nil, key != nil)
			require.Equal(t, calls, api.calls)
		}
		get("one", 1, nil)
		get("one", 1, nil)
		get("odd", 1, leakreport.ErrNoKey)
		get("two", 1, leakreport.ErrNoKey)

		api.body = keyList(t, "two")
		time.Sleep(time.Minute - 1)
		get("two", 1, leakreport.ErrNoKey)
		time.Sleep(time.Nanosecond)
		get("one", 1, nil)
		get("two", 2, nil)
		get("one", 2, leakreport.ErrNoKey) // it has been withdrawn

		api.err = errDisk
		time.Sleep(24*time.Hour - 1)
		get("two", 2, nil)
		time.Sleep(time.Nanosecond)
		get("two", 3, errDisk) // a list that is too old counts no more
		get("two", 3, errDisk)
		api.err = nil
		time.Sleep(time.Minute)
		get("two", 4, nil)
	})
}

func TestGitHubFails(t *testing.T) {
	t.Parallel()
	for reason, api := range map[string]*github{
		"answers Not Found": {code: http.StatusNotFound, body: keyList(t, "one")},
		"unexpected EOF":    {code: http.StatusOK, body: `{"public_keys":[`},
		"unmarshal":         {code: http.StatusOK, body: `[]`},
	} {
		_, err := leakreport.GitHubKeys(&http.Client{Transport: api})(t.Context(), "one")
		require.ErrorContains(t, err, reason)
		require.NotErrorIs(t, err, leakreport.ErrNoKey)
	}
}

// A report that is given up says nothing about GitHub: the next one asks again.
func TestGitHubKeysAndContexts(t *testing.T) {
	t.Parallel()
	api := &github{code: http.StatusOK, body: keyList(t, "one")}
	keys := leakreport.GitHubKeys(&http.Client{Transport: api})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := keys(gone, "one")
	require.ErrorIs(t, err, context.Canceled)
	_, err = keys(t.Context(), "one")
	require.NoError(t, err)
}
