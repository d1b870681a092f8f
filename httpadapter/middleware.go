package httpadapter

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtoken/authtoken"
)

// Source takes a key out of a request. It reports false if the request has none
// in that place.
type Source struct {
	// Intents are those a token may have whose key comes from here. Nil means
	// those of the GuardConfig.
	Intents []authtoken.Intent

	// Challenge is the authentication scheme for WWW-Authenticate; empty if
	// the source has none.
	Challenge string

	Credentials func(*http.Request) (authtoken.Credentials, bool)

	header string // that Credentials reads, besides Authorization
}

// FromBearer takes the key from "Authorization: Bearer <key>" (RFC 6750).
func FromBearer() Source {
	return Source{Challenge: "Bearer", Credentials: func(r *http.Request) (authtoken.Credentials, bool) {
		key, ok := credentials(r, "Bearer")
		return authtoken.Credentials{Key: authtoken.KeyOf(key)}, ok
	}}
}

// FromBasic takes the key from the password of HTTP basic authentication (RFC
// 7617). The username must be that of the token's owner, which only a Directory
// that has usernames knows: authtoken.AnyUser, the default, has none.
func FromBasic() Source {
	return Source{Challenge: "Basic", Credentials: func(r *http.Request) (authtoken.Credentials, bool) {
		encoded, _ := credentials(r, "Basic") // without them there is no colon
		pair, err := base64.StdEncoding.DecodeString(encoded)
		username, password, ok := strings.Cut(string(pair), ":")
		return authtoken.Credentials{Key: authtoken.KeyOf(password), Username: &username}, ok && err == nil
	}}
}

// FromHeader takes the key from a header of this name, of which a request may
// have one.
func FromHeader(name string) Source {
	if name == "" {
		return Source{} // which RequireToken refuses
	}
	return Source{header: name, Credentials: func(r *http.Request) (authtoken.Credentials, bool) {
		key := trimSpace(r.Header.Get(name))
		return authtoken.Credentials{Key: authtoken.KeyOf(key)}, key != "" && len(r.Header.Values(name)) == 1
	}}
}

// GuardConfig is how [RequireToken] guards. The zero GuardConfig works.
type GuardConfig struct {
	// Intents are those a token may have. Defaults to IntentAPI.
	Intents []authtoken.Intent

	// Sources are where a key is looked for; the first that has one counts.
	// Defaults to FromBearer.
	Sources []Source

	// Realm is named in WWW-Authenticate. Defaults to "api".
	Realm string

	// ExpiryHeader, unless it is empty, is a header of the answer that tells
	// when the token expires, as an HTTP date (RFC 9110, section 5.6.7). Tokens
	// that do not expire get none.
	ExpiryHeader string

	// From says where a request comes from, for events and for when a token was
	// last used. Defaults to the remote address without the port. Behind a
	// proxy, that is the proxy's.
	From func(*http.Request) string

	// Throttle is asked before a key is looked at: how long the sender has to
	// wait before the next try. Zero lets the request through; anything else is
	// answered with 429 and Retry-After.
	Throttle func(*http.Request) time.Duration

	// Refused is told of each request whose key was refused, and why.
	Refused func(*http.Request, error)

	// Logger gets what is wrong when a request is answered with 500. Defaults
	// to slog.Default().
	Logger *slog.Logger
}

// RequireToken returns middleware that lets requests through which present
// the key of a token. Behind it, [Principal] says whose.
//
// Other requests are answered with 401 and WWW-Authenticate as RFC 6750 has it,
// without saying what is wrong with the key. (The API of [Handler] answers
// with 403 instead, as authentik does.) A request that has the Authorization
// header twice, or one that a source of [FromHeader] reads, is answered with 400:
// whatever stands in between may have looked at another one than the guard would.
//
// If cfg has faults, the error names all of them.
func RequireToken(svc *authtoken.Service, cfg GuardConfig) (func(http.Handler) http.Handler, error) {
	if cfg.Intents == nil {
		cfg.Intents = []authtoken.Intent{authtoken.IntentAPI}
	}
	if cfg.Sources == nil {
		cfg.Sources = []Source{FromBearer()}
	}
	if cfg.Realm == "" {
		cfg.Realm = "api"
	}
	if cfg.From == nil {
		cfg.From = remoteHost
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	var errs []error
	if svc == nil {
		errs = append(errs, errors.New("service is nil"))
	}
	intents := cfg.Intents
	if len(intents) == 0 {
		errs = append(errs, errors.New("GuardConfig.Intents: empty, and not nil"))
	}
	for i, s := range cfg.Sources {
		intents = slices.Concat(intents, s.Intents)
		if s.Intents != nil && len(s.Intents) == 0 {
			errs = append(errs, fmt.Errorf("GuardConfig.Sources[%d].Intents: empty, and not nil", i))
		}
		if s.Credentials == nil {
			errs = append(errs, fmt.Errorf("GuardConfig.Sources[%d]: no credentials are taken from it", i))
		}
	}
	for _, intent := range intents {
		if !intent.Valid() {
			errs = append(errs, fmt.Errorf("GuardConfig: %q is not an intent", intent))
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("httpadapter: %w", errors.Join(errs...))
	}
	return func(next http.Handler) http.Handler { return &guard{svc, cfg, next} }, nil
}

type guard struct {
	svc  *authtoken.Service
	cfg  GuardConfig
	next http.Handler
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.cfg.Throttle != nil {
		if wait := g.cfg.Throttle(r); wait > 0 {
			w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10))
			refuse(w, http.StatusTooManyRequests, "Too many requests.")
			return
		}
	}
	if name, ok := g.repeated(r); ok {
		g.challenge(w, `, error="invalid_request"`)
		refuse(w, http.StatusBadRequest, "The request has more than one "+name+" header.")
		return
	}
	credentials, intents, ok := g.credentials(r)
	if !ok {
		g.challenge(w, "")
		refuse(w, http.StatusUnauthorized, "Authentication credentials were not provided.")
		return
	}
	credentials.From = g.cfg.From(r)
	p, err := g.svc.Check(r.Context(), credentials, intents...)
	switch {
	case errors.Is(err, authtoken.ErrRefused):
		if g.cfg.Refused != nil {
			g.cfg.Refused(r, err)
		}
		g.challenge(w, `, error="invalid_token"`)
		refuse(w, http.StatusUnauthorized, "Token invalid/expired")
		return
	case err != nil:
		g.cfg.Logger.ErrorContext(r.Context(), "request failed",
			"method", r.Method, "path", r.URL.Path, "error", err)
		refuse(w, http.StatusInternalServerError, "Internal server error.")
		return
	}
	if g.cfg.ExpiryHeader != "" && p.Token.Expiring && !p.Token.Expires.IsZero() {
		w.Header().Set(g.cfg.ExpiryHeader, p.Token.Expires.UTC().Format(http.TimeFormat))
	}
	g.next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, p)))
}

// refuse answers a request that is not let through. Those that are get the
// headers of the application only.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header()["X-Content-Type-Options"] = nosniff
	writeDetail(w, status, detail)
}

// repeated returns the name of a header for keys that r has more than once. It
// reports false if there is none.
func (g *guard) repeated(r *http.Request) (name string, ok bool) {
	if len(r.Header["Authorization"]) > 1 {
		return "Authorization", true
	}
	for _, s := range g.cfg.Sources {
		if len(r.Header.Values(s.header)) > 1 {
			return http.CanonicalHeaderKey(s.header), true
		}
	}
	return "", false
}

// credentials returns what r presents, and the intents that will do for it.
func (g *guard) credentials(r *http.Request) (authtoken.Credentials, []authtoken.Intent, bool) {
	for _, s := range g.cfg.Sources {
		if c, ok := s.Credentials(r); ok {
			if s.Intents != nil {
				return c, s.Intents, true
			}
			return c, g.cfg.Intents, true
		}
	}
	return authtoken.Credentials{}, nil, false
}

// challenge names the schemes by which a key can be presented. What comes after
// is for bearer tokens only.
func (g *guard) challenge(w http.ResponseWriter, after string) {
	for _, s := range g.cfg.Sources {
		if s.Challenge == "" {
			continue
		}
		value := s.Challenge + " realm=" + strconv.Quote(g.cfg.Realm)
		if s.Challenge == "Bearer" {
			value += after
		}
		w.Header().Add("WWW-Authenticate", value)
	}
}

type principalKey struct{}

// Principal returns whom the key of a request speaks for. It reports false for
// requests that have not come through [RequireToken].
func Principal(ctx context.Context) (authtoken.Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(authtoken.Principal)
	return p, ok
}

// remoteHost returns the address of r's sender, without the port.
func remoteHost(r *http.Request) string {
	i := strings.LastIndexByte(r.RemoteAddr, ':')
	if i < 0 {
		return r.RemoteAddr
	}
	return strings.Trim(r.RemoteAddr[:i], "[]")
}
