package httpadapter

import (
	"errors"
	"fmt"
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

// errRepeated refuses a request whose credentials are in doubt: the first
// Authorization header would count here, and a proxy may have looked at the last.
var errRepeated = fmt.Errorf("%w: the request has more than one Authorization header", authtoken.ErrRefused)

// authorization returns what r's Authorization header holds, as RFC 9110, section
// 11.4, has it: a scheme, spaces, and credentials. Both are empty if there is no
// header, and the credentials alone if nothing follows the scheme.
func authorization(r *http.Request) (scheme, credentials string, err error) {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return "", "", errRepeated
	}
	scheme, credentials, _ = strings.Cut(trimSpace(strings.Join(values, "")), " ")
	return scheme, strings.TrimLeft(credentials, " "), nil
}

// credentials returns what r's Authorization header holds for a scheme. It
// reports false if there is nothing, or another header of this name.
func credentials(r *http.Request, scheme string) (string, bool) {
	s, c, err := authorization(r)
	if err != nil || c == "" || !strings.EqualFold(s, scheme) {
		return "", false
	}
	return c, true
}

// trimSpace removes the white space that HTTP allows around the value of a header.
func trimSpace(value string) string { return strings.Trim(value, " \t") }
