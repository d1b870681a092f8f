package httpadapter

import (
	"errors"
	"net/http"
	"strings"

	"github.com/authtoken/authtoken"
)

// Errors that an authenticator returns for a request whose credentials it can't
// take.
var (
	ErrNoCredentials     = errors.New("no credentials")
	ErrUnsupportedScheme = errors.New("unsupported authentication scheme")
)

// BearerPrincipal returns an authenticator that takes the key of a token of IntentAPI
// from the header "Authorization: Bearer <key>", as RFC 6750 has it.
// A request with more than one such header is refused.
func BearerPrincipal(svc *authtoken.Service) func(*http.Request) (authtoken.Principal, error) {
	return func(r *http.Request) (authtoken.Principal, error) {
		scheme, key, err := authorization(r)
		switch {
		case err != nil:
			return authtoken.Principal{}, err
		case key == "":
			return authtoken.Principal{}, ErrNoCredentials
		case !strings.EqualFold(scheme, "Bearer"):
			return authtoken.Principal{}, ErrUnsupportedScheme
		}
		return svc.Check(r.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: remoteHost(r)}, authtoken.IntentAPI)
	}
}
