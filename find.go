package authtoken

import (
	"context"
	"strings"

	"github.com/authtoken/authtoken/store"
)

// Found is what [Service.Find] returns about a key.
type Found struct {
	Token Token

	// Replaced says that the key is not the current key of the token.
	Replaced bool

	// Refusal says why the key would be refused now. It matches [ErrRefused]. Nil means
	// that the key would be accepted: for the intent and the scopes of its token, and from
	// its Networks.
	Refusal error
}

// Find returns the token of a key, for example of one that has leaked. It finds the current
// key of each token and the replaced ones that the token remembers: see [Access.Rotate]. It
// ignores white space around the key. If no token has the key, the error matches
// [ErrNotFound].
//
// Find is not a use of the key. It records no last use, sends no EventRefused, and never
// deletes the token, whatever the [Policy] says. It sends an EventFound.
//
// Find is for trusted code. Do not offer it to clients: it would tell anybody which keys
// exist, and why they are refused.
func (s *Service) Find(ctx context.Context, key string) (found Found, err error) {
	defer wrap(&err, "find key")
	key, now := strings.TrimSpace(key), s.now()
	digest := digestOf(key)
	r, err := s.store.GetByDigest(ctx, digest)
	if err != nil {
		return Found{}, err
	}
	found = Found{Token: tokenOf(&r), Replaced: r.Digest != digest}
	if found.Refusal, err = s.refusal(ctx, key, r, digest); err != nil {
		return Found{}, err
	}
	s.emit(ctx, Event{Kind: EventFound, Time: now, Token: found.Token})
	return found, nil
}

// refusal returns why a key that r was found by would be refused now, wherever it comes from.
func (s *Service) refusal(ctx context.Context, key string, r store.Record, digest store.Digest) (reason, err error) {
	if !s.keys.plausible(key) {
		return ErrKeyUnknown, nil
	}
	if r.Networks != "" { // not even one that was lost
		r.Networks = anywhere
	}
	if reason := acceptable(&r, digest, "", []Intent{Intent(r.Intent)}, s.now()); reason != nil {
		return reason, nil
	}
	u, err := s.lookUp(ctx, r.User)
	return ownerRefuses(&u, &r, err)
}
