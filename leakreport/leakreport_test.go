package leakreport_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
	"github.com/authtoken/authtoken/leakreport"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

const alice = "alice"

// scanner signs reports with a key pair of its own.
type scanner struct {
	t    *testing.T
	pair *ecdsa.PrivateKey
	http.Handler
	log bytes.Buffer
}

func newScanner(t *testing.T, svc *authtoken.Service, cfg leakreport.Config) *scanner {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s := &scanner{t: t, pair: pair}
	if cfg.Keys == nil {
		cfg.Keys = s.keys
	}
	cfg.Logger = slog.New(slog.NewTextHandler(&s.log, nil))
	s.Handler, err = leakreport.New(svc, cfg)
	require.NoError(t, err)
	return s
}

func (s *scanner) keys(_ context.Context, identifier string) (*ecdsa.PublicKey, error) {
	if identifier != "ours" {
		return nil, leakreport.ErrNoKey
	}
	return &s.pair.PublicKey, nil
}

func (s *scanner) sign(body string) string {
	digest := sha256.Sum256([]byte(body))
	signature, err := ecdsa.SignASN1(rand.Reader, s.pair, digest[:])
	require.NoError(s.t, err)
	return base64.StdEncoding.EncodeToString(signature)
}

// report sends a body with its signature.
func (s *scanner) report(body string) *httptest.ResponseRecorder {
	return send(s, http.MethodPost, body, "ours", s.sign(body))
}

func send(h http.Handler, method, body, key, signature string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/leaked-keys", strings.NewReader(body))
	r.Header.Set("Github-Public-Key-Identifier", key)
	r.Header.Set("Github-Public-Key-Signature", signature)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// entry is one leak of a report.
func entry(key string) string {
	return fmt.Sprintf(`{"token":%q,"type":"shop_api_token","url":"https://example.com/x","source":"commit"}`, key)
}

func create(t *testing.T, svc *authtoken.Service, identifier string) string {
	t.Helper()
	_, key, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: identifier, User: alice})
	require.NoError(t, err)
	return key.Reveal()
}

// The drill: a key has leaked, and a scanner reports it.
func TestLeakDrill(t *testing.T) {
	t.Parallel()
	var refused []string
	svc, _ := authtokentest.NewService(t, authtoken.Config{
		Observer: authtoken.ObserverFunc(func(_ context.Context, e authtoken.Event) {
			if e.Kind == authtoken.EventRefused {
				refused = append(refused, e.Token.Identifier+": "+e.Reason.Error())
			}
		}),
	})
	leaked := create(t, svc, "deploy")
	var told []leakreport.Report
	s := newScanner(t, svc, leakreport.Config{Found: func(_ context.Context, r leakreport.Report) error {
		told = append(told, r)
		return nil
	}})
	w := s.report("[" + entry(leaked) + "]")
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, fmt.Sprintf(`[{"token_raw":%q,"token_type":"shop_api_token","label":"true_positive"}]`, leaked), w.Body.String())
	require.Len(t, told, 1)
	require.True(t, told[0].Token.Locked)
	told[0].Token = authtoken.Token{}
	require.Equal(t, leakreport.Report{URL: "https://example.com/x", Source: "commit"}, told[0], "it was good until then")

	_, err := svc.Authenticate(t.Context(), leaked)
	require.ErrorIs(t, err, authtoken.ErrKeySuspended)
	require.Equal(t, []string{"deploy: key refused: its token is suspended"}, refused)
	no := false
	_, err = svc.As(alice).Update(t.Context(), "deploy", authtoken.UpdateParams{Suspended: &no})
	require.ErrorIs(t, err, authtoken.ErrForbidden, "its owner can't resume it")

	_, key, err := svc.Rotate(t.Context(), "deploy", 0)
	require.NoError(t, err)
	_, err = svc.Update(t.Context(), "deploy", authtoken.UpdateParams{Suspended: &no})
	require.NoError(t, err)
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.NoError(t, err)

	// The same report once more is about a key that has been replaced.
	require.Equal(t, http.StatusOK, s.report("["+entry(leaked)+"]").Code)
	require.True(t, told[1].Replaced)
	require.ErrorIs(t, told[1].Refusal, authtoken.ErrKeyRetired)
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.NoError(t, err, "the new key stays good")
}

func TestReplacedKeyInItsOverlap(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	leaked := create(t, svc, "deploy")
	_, key, err := svc.Rotate(t.Context(), "deploy", time.Hour)
	require.NoError(t, err)
	s := newScanner(t, svc, leakreport.Config{})
	require.Contains(t, s.report("["+entry(leaked)+"]").Body.String(), "true_positive")
	_, err = svc.Authenticate(t.Context(), leaked)
	require.ErrorIs(t, err, authtoken.ErrKeyRetired)
	_, err = svc.Authenticate(t.Context(), key.Reveal())
	require.NoError(t, err)
}

// Of a token's earlier keys, only the one before the current key can have an overlap. A leak
// of an older one is no reason to end it.
func TestKeyReplacedTwice(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	leaked := create(t, svc, "deploy")
	var good []string
	for range 2 {
		_, key, err := svc.Rotate(t.Context(), "deploy", time.Hour)
		require.NoError(t, err)
		good = append(good, key.Reveal())
	}
	require.Contains(t, newScanner(t, svc, leakreport.Config{}).report("["+entry(leaked)+"]").Body.String(), "true_positive")
	for _, key := range good {
		_, err := svc.Authenticate(t.Context(), key)
		require.NoError(t, err)
	}
}

// A report that comes again changes nothing, and its key stays a true positive.
func TestReportComesAgain(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	leaked := create(t, svc, "deploy")
	s := newScanner(t, svc, leakreport.Config{})
	first := s.report("[" + entry(leaked) + "]")
	before, err := svc.Get(t.Context(), "deploy")
	require.NoError(t, err)
	again := s.report("[" + entry(leaked) + "," + entry(leaked) + "]")
	require.Equal(t, 2, strings.Count(again.Body.String(), "true_positive"))
	require.Equal(t, http.StatusOK, first.Code)
	after, err := svc.Get(t.Context(), "deploy")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// Its owner has suspended the token, and could resume it.
func TestSuspendedByItsOwner(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	leaked, yes := create(t, svc, "deploy"), true
	token, err := svc.As(alice).Update(t.Context(), "deploy", authtoken.UpdateParams{Suspended: &yes})
	require.NoError(t, err)
	require.False(t, token.Locked)
	newScanner(t, svc, leakreport.Config{}).report("[" + entry(leaked) + "]")
	token, err = svc.Get(t.Context(), "deploy")
	require.NoError(t, err)
	require.True(t, token.Locked)
}

// A bad entry spoils no other.
func TestBadEntries(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	leaked := create(t, svc, "deploy")
	other := create(t, svc, "other")
	s := newScanner(t, svc, leakreport.Config{Type: "shop_api_token"})
	bad := []string{
		`null`, `5`, `"x"`, `[]`, `{}`, `{"token":null,"type":"shop_api_token"}`, `{"token":7,"type":"shop_api_token"}`,
		entry(""), entry("tok_nothing"), entry(leaked[:len(leaked)-1] + "!"), entry(strings.Repeat("x", 5000)),
		fmt.Sprintf(`{"token":%q,"type":"another_type"}`, other), fmt.Sprintf(`{"token":%q}`, other),
	}
	good := fmt.Sprintf(`{"token":%q,"type":"shop_api_token","url":5}`, leaked)
	w := s.report("[" + strings.Join(bad, ",") + "," + good + "]")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var answers []struct {
		Token string `json:"token_raw"`
		Label string `json:"label"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answers))
	require.Len(t, answers, len(bad)+1)
	for i, a := range answers[:len(bad)] {
		require.Equal(t, "false_positive", a.Label, bad[i])
	}
	require.Equal(t, "true_positive", answers[len(bad)].Label)
	require.Equal(t, leaked, answers[len(bad)].Token)

	token, err := svc.Get(t.Context(), "other")
	require.NoError(t, err)
	require.False(t, token.Suspended, "it was reported as another type")
}

// Nobody learns anything without a signature.
func TestSignatures(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	body := "[" + entry(create(t, svc, "deploy")) + "]"
	s := newScanner(t, svc, leakreport.Config{})
	another := newScanner(t, svc, leakreport.Config{})
	for name, c := range map[string]struct{ body, key, signature string }{
		"none":                  {body, "ours", ""},
		"no key":                {body, "", s.sign(body)},
		"unknown key":           {body, "theirs", s.sign(body)},
		"another's":             {body, "ours", another.sign(body)},
		"of another body":       {body, "ours", s.sign("[]")},
		"of a body with spaces": {body + " ", "ours", s.sign(body)},
		"not base64":            {body, "ours", "%" + s.sign(body)},
		"not a signature":       {body, "ours", "AAAA"},
		"cut":                   {body, "ours", s.sign(body)[:40]},
	} {
		t.Run(name, func(t *testing.T) {
			w := send(s, http.MethodPost, c.body, c.key, c.signature)
			require.Equal(t, http.StatusUnauthorized, w.Code)
			require.Equal(t, "Unauthorized\n", w.Body.String())
		})
	}
	token, err := svc.Get(t.Context(), "deploy")
	require.NoError(t, err)
	require.False(t, token.Suspended)
	require.Empty(t, s.log.String())
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	s := newScanner(t, svc, leakreport.Config{MaxBodyBytes: 100})
	for body, code := range map[string]int{
		"[]":                                http.StatusOK,
		"":                                  http.StatusBadRequest,
		"null":                              http.StatusBadRequest,
		"{}":                                http.StatusBadRequest,
		"[":                                 http.StatusBadRequest,
		"[] []":                             http.StatusBadRequest,
		"[" + strings.Repeat(" ", 98) + "]": http.StatusOK,
		"[" + strings.Repeat(" ", 99) + "]": http.StatusRequestEntityTooLarge,
	} {
		require.Equal(t, code, s.report(body).Code, body)
	}
	require.Equal(t, "[]\n", s.report("[]").Body.String())
	w := send(s, http.MethodGet, "[]", "ours", s.sign("[]"))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "POST", w.Header().Get("Allow"))
}

var errDisk = errors.New("the disk is on fire")

// failing is a store that finds all keys but one, and can't look that one up.
type failing struct {
	store.Store
	digest store.Digest
}

func (s failing) GetByDigest(ctx context.Context, digest store.Digest) (store.Record, error) {
	if digest == s.digest {
		return store.Record{}, errDisk
	}
	return s.Store.GetByDigest(ctx, digest)
}

// What fails for one entry is done for all others, and the scanner shall send it again.
func TestFailures(t *testing.T) {
	t.Parallel()
	const unlucky = "tok_of_which_the_store_says_nothing"
	svc, err := authtoken.New(failing{memory.New(), sha256.Sum256([]byte(unlucky))}, authtoken.Config{})
	require.NoError(t, err)
	first, last := create(t, svc, "first"), create(t, svc, "last")
	errMail, fails := errors.New("the mail server is away"), true
	s := newScanner(t, svc, leakreport.Config{Found: func(_ context.Context, r leakreport.Report) error {
		if fails && r.Token.Identifier == "first" {
			return errMail
		}
		return nil
	}})
	w := s.report("[" + entry(first) + "," + entry(unlucky) + "," + entry(last) + "]")
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, "Internal Server Error\n", w.Body.String())
	for _, identifier := range []string{"first", "last"} {
		token, err := svc.Get(t.Context(), identifier)
		require.NoError(t, err)
		require.True(t, token.Locked, identifier)
	}
	require.Contains(t, s.log.String(), errDisk.Error())
	require.Contains(t, s.log.String(), errMail.Error())
	require.NotContains(t, s.log.String(), "tok_")

	fails = false
	require.Equal(t, http.StatusOK, s.report("["+entry(first)+"]").Code)
}

func TestKeysFail(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	for name, keys := range map[string]leakreport.Keys{
		"an error": func(context.Context, string) (*ecdsa.PublicKey, error) { return nil, errDisk },
		"nothing":  func(context.Context, string) (*ecdsa.PublicKey, error) { return nil, nil },
	} {
		s := newScanner(t, svc, leakreport.Config{Keys: keys})
		require.Equal(t, http.StatusServiceUnavailable, s.report("[]").Code, name)
		require.Contains(t, s.log.String(), "look up public key", name)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	_, err := leakreport.New(nil, leakreport.Config{MaxBodyBytes: -1})
	require.EqualError(t, err, "leakreport: service is nil\nConfig.Keys is nil\nConfig.MaxBodyBytes: -1 is negative")
}

// The token changes while its key is reported.
func TestTokenChangesMeanwhile(t *testing.T) {
	t.Parallel()
	st := &meddling{Store: memory.New()}
	svc, err := authtoken.New(st, authtoken.Config{})
	require.NoError(t, err)
	for name, meddle := range map[string]func(identifier string) error{
		"renamed": func(identifier string) error {
			renamed := identifier + "-2"
			_, err := svc.Update(context.Background(), identifier, authtoken.UpdateParams{Identifier: &renamed})
			return err
		},
		"rotated": func(identifier string) error {
			_, _, err := svc.Rotate(context.Background(), identifier, time.Hour)
			return err
		},
	} {
		leaked := create(t, svc, name)
		st.once = func() { require.NoError(t, meddle(name)) }
		w := newScanner(t, svc, leakreport.Config{}).report("[" + entry(leaked) + "]")
		require.Contains(t, w.Body.String(), "true_positive", name)
		_, err := svc.Authenticate(t.Context(), leaked)
		require.ErrorIs(t, err, authtoken.ErrRefused, name)
	}
	leaked := create(t, svc, "deleted")
	st.once = func() { require.NoError(t, svc.Delete(context.Background(), "deleted")) }
	require.Contains(t, newScanner(t, svc, leakreport.Config{}).report("["+entry(leaked)+"]").Body.String(), "false_positive")
}

// meddling is a store that calls once after it has found a key.
type meddling struct {
	store.Store
	once func()
}

func (s *meddling) GetByDigest(ctx context.Context, digest store.Digest) (store.Record, error) {
	r, err := s.Store.GetByDigest(ctx, digest)
	if once := s.once; once != nil {
		s.once = nil
		once()
	}
	return r, err
}
