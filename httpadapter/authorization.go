package httpadapter

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/authtoken/authtoken"
)

// Errors that an authenticator returns for a request without credentials, and for
// credentials of a kind that it does not know.
var (
	ErrNoCredentials     = errors.New("no credentials")
	ErrUnsupportedScheme = errors.New("unsupported authentication scheme")
)

// BearerPrincipal returns an authenticator that takes the key of a token of IntentAPI
// from the header "Authorization: Bearer <key>" (RFC 6750). It refuses a request that
// has more than one Authorization header.
//
// From returns where a request comes from, like From of [Config]. Nil means the remote
// address without the port.
func BearerPrincipal(svc *authtoken.Service, from func(*http.Request) string) func(*http.Request) (authtoken.Principal, error) {
	if from == nil {
		from = remoteHost
	}
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
		return svc.Check(r.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), From: from(r)}, authtoken.IntentAPI)
	}
}

// errRepeated refuses a request whose credentials are ambiguous: the first header would
// count here, and a proxy may have looked at the last one.
var errRepeated = fmt.Errorf("%w: the request has more than one Authorization header", authtoken.ErrRefused)

// authorization returns the scheme and the credentials in r's Authorization header
// (RFC 9110, section 11.4). Both are empty if there is no such header. Only the
// credentials are empty if nothing follows the scheme.
func authorization(r *http.Request) (scheme, credentials string, err error) {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return "", "", errRepeated
	}
	scheme, credentials, _ = strings.Cut(trimSpace(strings.Join(values, "")), " ")
	return scheme, strings.TrimLeft(credentials, " "), nil
}

// credentials returns the credentials for a scheme in r's Authorization header. It
// reports false if there are none, or if r has more than one such header.
func credentials(r *http.Request, scheme string) (string, bool) {
	s, c, err := authorization(r)
	if err != nil || c == "" || !strings.EqualFold(s, scheme) {
		return "", false
	}
	return c, true
}

// trimSpace removes the white space that HTTP allows around a header value.
func trimSpace(value string) string { return strings.Trim(value, " \t") }
