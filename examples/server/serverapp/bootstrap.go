package serverapp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"github.com/authtoken/authtoken"
)

// The token that others are made with, and the user it belongs to.
const (
	bootstrapToken = "bootstrap"
	bootstrapUser  = "1"
)

// bootstrap makes the bootstrap token if it is not there. Unless ownKey is empty, it
// makes ownKey its key. It returns the key if it has made one.
func bootstrap(ctx context.Context, svc *authtoken.Service, ownKey string) (authtoken.Key, error) {
	fail := func(err error) (authtoken.Key, error) {
		return authtoken.Key{}, fmt.Errorf("token %q: %w", bootstrapToken, err)
	}
	token, key, err := svc.Create(ctx, authtoken.CreateParams{
		Identifier:  bootstrapToken,
		User:        bootstrapUser,
		Description: "Made by the server at its first start",
		Expiring:    new(false),
	})
	made := err == nil
	if invalid, ok := errors.AsType[*authtoken.ValidationError](err); ok && invalid.Has("identifier", authtoken.CodeTaken) {
		token, err = svc.Get(ctx, bootstrapToken)
	}
	if err != nil {
		return fail(err)
	}
	if token.User != bootstrapUser {
		return fail(fmt.Errorf("it belongs to user %s, not to user %s; delete or rename it", token.User, bootstrapUser))
	}
	if ownKey == "" {
		return key, nil
	}
	if err := setBootstrapKey(ctx, svc, ownKey); err != nil {
		if made { // nobody knows the key that it has
			err = errors.Join(err, svc.Delete(ctx, bootstrapToken, authtoken.IfRevision(token.Revision())))
		}
		return authtoken.Key{}, err
	}
	return authtoken.Key{}, nil
}

func setBootstrapKey(ctx context.Context, svc *authtoken.Service, key string) error {
	err := svc.SetKey(ctx, bootstrapToken, key)
	if invalid, ok := errors.AsType[*authtoken.ValidationError](err); ok {
		return fmt.Errorf("%s: %s", envBootstrapKey, invalid.Fields[0].Error())
	}
	if err != nil {
		return err
	}
	// Somebody may have changed the token. With this key it must open the API.
	_, err = svc.Update(ctx, bootstrapToken, authtoken.UpdateParams{
		Intent:    new(authtoken.IntentAPI),
		Expiring:  new(false),
		Scopes:    []string{authtoken.ScopeAll},
		Networks:  new([]netip.Prefix),
		Suspended: new(false),
	})
	return err
}

// welcome prints how to use the server. key is the zero Key if no token was made.
func welcome(w io.Writer, addr net.Addr, o *options, key authtoken.Key) error {
	var b strings.Builder
	secret := key.Reveal()
	switch {
	case secret != "":
		fmt.Fprintf(&b, "The token %q was made. Its key is shown only now:\n\n  %s\n", bootstrapToken, secret)
	case o.bootstrapKey != "":
		fmt.Fprintf(&b, "The token %q has the key in %s.\n", bootstrapToken, envBootstrapKey)
	default:
		fmt.Fprintf(&b, "The token %q is there already, and its key was shown when it was made.\n"+
			"To give it another, start the server with that in %s.\n", bootstrapToken, envBootstrapKey)
	}
	if secret == "" {
		secret = "$" + envBootstrapKey
	}

	// The name is new at each start, so that the commands work again.
	name := "demo-" + strings.ToLower(rand.Text()[:6])
	curl := func(method, path, body string) {
		fmt.Fprintf(&b, `  curl -X %s '%s/api/v3/core/tokens/%s' -H "Authorization: Bearer %s" -H 'Content-Type: application/json' -d '%s'`+"\n",
			method, clientURL(addr), path, secret, body)
	}
	fmt.Fprintln(&b, "\nCreate a token, then update it:")
	fmt.Fprintln(&b)
	curl("POST", "", `{"identifier": "`+name+`", "description": "made with curl"}`)
	curl("PUT", name+"/", `{"identifier": "`+name+`", "description": "updated with curl"}`)
	fmt.Fprintf(&b, "\nlistening on http://%s\n", addr)
	_, err := io.WriteString(w, b.String())
	return err
}

// clientURL returns the URL at which this machine reaches the server. Clients can't
// connect to an address that stands for all addresses, such as 0.0.0.0.
func clientURL(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d", tcp.Port)
	}
	return "http://" + addr.String()
}
