package httpadapter

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/authtoken/authtoken"
)

// Source takes a key out of a request. Make one with [FromBearer], [FromBasic] or
// [FromHeader], or set Credentials.
type Source struct {
	// Intents are the intents that a token may have if its key comes from here. Nil
	// means those of the GuardConfig.
	Intents []authtoken.Intent

	// Challenge is the authentication scheme that WWW-Authenticate names. Empty names
	// none.
	Challenge string

	// Credentials returns the key, and what else the request says with it. It reports
	// false if the request has no key in this place.
	Credentials func(*http.Request) (authtoken.Credentials, bool)

	header string // that Credentials reads, if it is not Authorization
}

// FromBearer takes the key from "Authorization: Bearer <key>" (RFC 6750).
func FromBearer() Source {
	return Source{Challenge: "Bearer", Credentials: func(r *http.Request) (authtoken.Credentials, bool) {
		key, ok := credentials(r, "Bearer")
		return authtoken.Credentials{Key: authtoken.KeyOf(key)}, ok
	}}
}

// FromBasic takes the key from the password of HTTP basic authentication (RFC 7617).
// The username must be that of the token's owner. Only a Directory that has usernames
// knows it: authtoken.AnyUser, the default, has none.
func FromBasic() Source {
	return Source{Challenge: "Basic", Credentials: func(r *http.Request) (authtoken.Credentials, bool) {
		encoded, _ := credentials(r, "Basic") // without them there is no colon
		pair, err := base64.StdEncoding.DecodeString(encoded)
		username, password, ok := strings.Cut(string(pair), ":")
		return authtoken.Credentials{Key: authtoken.KeyOf(password), Username: &username}, ok && err == nil
	}}
}

// FromHeader takes the key from the header with this name. A request may have only one
// such header: see [RequireToken].
func FromHeader(name string) Source {
	if name == "" {
		return Source{} // which RequireToken refuses
	}
	return Source{header: name, Credentials: func(r *http.Request) (authtoken.Credentials, bool) {
		key := trimSpace(r.Header.Get(name))
		return authtoken.Credentials{Key: authtoken.KeyOf(key)}, key != "" && len(r.Header.Values(name)) == 1
	}}
}
