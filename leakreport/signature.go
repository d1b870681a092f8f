package leakreport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The headers that sign a report: the identifier of the key, and the base64 of an ASN.1
// signature of the body's SHA-256.
const (
	keyHeader       = "Github-Public-Key-Identifier"
	signatureHeader = "Github-Public-Key-Signature"
)

// Keys returns the public key with this identifier. If there is none, the error must match
// [ErrNoKey]. It may be called from several goroutines at once.
type Keys func(ctx context.Context, identifier string) (*ecdsa.PublicKey, error)

// ErrNoKey means that the scanner has no public key with this identifier.
var ErrNoKey = errors.New("no public key has this identifier")

var errSignature = errors.New("the signature is missing or wrong")

// verify returns errSignature unless the request has a valid signature of body. Any other
// error is one of keys.
func verify(r *http.Request, body []byte, keys Keys) error {
	identifier := r.Header.Get(keyHeader)
	signature, err := base64.StdEncoding.DecodeString(r.Header.Get(signatureHeader))
	if err != nil || len(signature) == 0 || identifier == "" {
		return errSignature
	}
	key, err := keys(r.Context(), identifier)
	switch {
	case errors.Is(err, ErrNoKey):
		return errSignature
	case err != nil:
		return fmt.Errorf("look up public key: %w", err)
	case key == nil:
		return errors.New("look up public key: no key and no error")
	}
	digest := sha256.Sum256(body)
	if !ecdsa.VerifyASN1(key, digest[:], signature) {
		return errSignature
	}
	return nil
}

// ParseKey returns the public key in a PEM block, as scanners publish it. The key must be
// on the curve P-256.
func ParseKey(text string) (*ecdsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("leakreport: the key is not in PEM form")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("leakreport: parse key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("leakreport: the key is not an ECDSA key on the curve P-256")
	}
	return key, nil
}

const (
	gitHubKeysURL = "https://api.github.com/meta/public_keys/secret_scanning"

	keptFor    = 24 * time.Hour // how long a list counts
	askedAgain = time.Minute    // the least time between two requests
	maxList    = 1 << 20        // bytes
)

// GitHubKeys returns the Keys of GitHub's secret scanning. It gets the list of keys with
// client, and keeps it for 24 hours. If a report names a key that is not in the list, it
// gets the list again, but not more than once a minute.
//
// The request has a time limit only if client has one, and other reports wait for it.
// Client need not authenticate:
// GitHub allows each address 60 requests an hour.
func GitHubKeys(client *http.Client) Keys {
	g := &gitHub{client: client, turn: make(chan struct{}, 1)}
	return g.key
}

type gitHub struct {
	client *http.Client

	turn  chan struct{}               // has an element while somebody uses what follows
	list  map[string]*ecdsa.PublicKey // by identifier
	got   time.Time                   // when the list was fetched
	asked time.Time                   // when it was last asked for
	err   error                       // of that time
}

func (g *gitHub) key(ctx context.Context, identifier string) (*ecdsa.PublicKey, error) {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if time.Since(g.got) >= keptFor {
		g.list = nil
	}
	if key := g.list[identifier]; key != nil {
		return key, nil
	}
	if time.Since(g.asked) >= askedAgain {
		keys, err := g.fetch(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err() // says nothing about GitHub
		}
		g.asked, g.err = time.Now(), err
		if err == nil {
			g.list, g.got = keys, g.asked
		}
	}
	switch key := g.list[identifier]; {
	case key != nil:
		return key, nil
	case g.err != nil:
		return nil, g.err
	default:
		return nil, ErrNoKey
	}
}

// fetch gets the list of keys. It leaves out those that [ParseKey] does not know.
func (g *gitHub) fetch(ctx context.Context) (map[string]*ecdsa.PublicKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, gitHubKeysURL, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/vnd.github+json")
	answer, err := g.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", gitHubKeysURL, answer.Status)
	}
	var list struct {
		Keys []struct {
			Identifier string `json:"key_identifier"`
			Key        string `json:"key"`
		} `json:"public_keys"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxList)).Decode(&list); err != nil {
		return nil, fmt.Errorf("%s: %w", gitHubKeysURL, err)
	}
	keys := make(map[string]*ecdsa.PublicKey, len(list.Keys))
	for _, k := range list.Keys {
		if key, err := ParseKey(k.Key); err == nil {
			keys[k.Identifier] = key
		}
	}
	return keys, nil
}
