package httpadapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtoken/authtoken"
)

// GuardConfig configures [RequireToken]. The zero GuardConfig admits keys of tokens of
// IntentAPI that may do everything that their owner may do.
type GuardConfig struct {
	// Intents are the intents that a token may have. Defaults to IntentAPI.
	Intents []authtoken.Intent

	// Scopes are the scopes that a token must permit, all of them: see [authtoken.Scope].
	// A guard that names no scope, here or by ScopesFor, admits no limited token. So a
	// route that forgets to name one is closed to them.
	Scopes []string

	// ScopesFor returns further scopes that a request needs, such as one to read and
	// another one to write. It is called for every method, HEAD and OPTIONS included.
	ScopesFor func(*http.Request) []string

	// AnyScope admits tokens with any scopes, even with none. The routes must ask
	// [authtoken.Principal.Can]. It excludes Scopes and ScopesFor.
	AnyScope bool

	// Sources are the places where a request may have its key. The first one that has
	// a key counts. Defaults to FromBearer.
	Sources []Source

	// Realm is the realm in WWW-Authenticate. Defaults to "api".
	Realm string

	// ExpiryHeader is the name of a response header that says when the token expires,
	// as an HTTP date (RFC 9110, section 5.6.7). It is not set for tokens that do not
	// expire. Empty sets none.
	ExpiryHeader string

	// From returns where a request comes from: for tokens that have Networks, for events,
	// and for the last use of a token. Defaults to the remote address without the port.
	// Behind a proxy, that is the address of the proxy: see [FromProxies].
	From func(*http.Request) string

	// Throttle returns how long the sender of a request has to wait before the next
	// try. It is called before the key is checked. Zero admits the request. Any longer
	// time is answered with 429 and Retry-After.
	Throttle func(*http.Request) time.Duration

	// Refused is called for each request whose key was refused, with the reason. It is
	// not called for a valid key that lacks a scope: nobody has guessed.
	Refused func(*http.Request, error)

	// Logger gets the error when a request is answered with 500. Defaults to
	// slog.Default().
	Logger *slog.Logger
}

// Checker checks keys. [authtoken.Service] is one. Any other must refuse a key that lacks one
// of the Scopes of its credentials, with an error that matches authtoken.ErrKeyScope, and
// must refuse limited tokens if Scopes is empty but not nil: the guard relies on it.
type Checker interface {
	Check(ctx context.Context, c authtoken.Credentials, intents ...authtoken.Intent) (authtoken.Principal, error)
}

// RequireToken returns middleware that admits only requests that carry a valid key.
// Behind it, [authtoken.PrincipalFrom] returns whose key it is.
//
// Other requests are answered with 401 and WWW-Authenticate, as RFC 6750 says. The
// answer does not say what is wrong with the key. (The API of [Handler] answers with
// 403 instead, as authentik does.)
//
// A request whose key is valid but lacks a scope is answered with 403 and
// insufficient_scope. The answer names the scopes that are needed, and never those of the
// token.
//
// A request is answered with 400 if it has more than one Authorization header, or more
// than one header that a source of [FromHeader] reads. A proxy in between may have
// looked at another one than the guard would.
//
// If cfg has faults, the error names all of them. One is a scope that the Policy of a
// Service does not list.
func RequireToken(keys Checker, cfg GuardConfig) (func(http.Handler) http.Handler, error) {
	if cfg.Intents == nil {
		cfg.Intents = []authtoken.Intent{authtoken.IntentAPI}
	}
	if cfg.Sources == nil {
		cfg.Sources = []Source{FromBearer()}
	}
	if cfg.From == nil {
		cfg.From = remoteHost
	}
	if cfg.Throttle == nil {
		cfg.Throttle = func(*http.Request) time.Duration { return 0 }
	}
	cfg.Realm = cmp.Or(cfg.Realm, "api")
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	cfg.Scopes, cfg.Intents, cfg.Sources = slices.Clone(cfg.Scopes), slices.Clone(cfg.Intents), slices.Clone(cfg.Sources)
	for i := range cfg.Sources {
		cfg.Sources[i].Intents = slices.Clone(cfg.Sources[i].Intents)
	}
	errs := cfg.faults()
	if s, ok := keys.(*authtoken.Service); keys == nil || ok && s == nil {
		errs = append(errs, errors.New("service is nil"))
	} else {
		errs = append(errs, cfg.scopeFaults(keys)...)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("httpadapter: %w", errors.Join(errs...))
	}
	return func(next http.Handler) http.Handler { return &guard{keys, cfg, next} }, nil
}

// faults returns what is wrong with cfg, which has its defaults.
func (cfg *GuardConfig) faults() (errs []error) {
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	intents := cfg.Intents
	if len(intents) == 0 {
		fault("GuardConfig.Intents: empty, and not nil")
	}
	for i, s := range cfg.Sources {
		intents = slices.Concat(intents, s.Intents)
		if s.Intents != nil && len(s.Intents) == 0 {
			fault("GuardConfig.Sources[%d].Intents: empty, and not nil", i)
		}
		if s.Credentials == nil {
			fault("GuardConfig.Sources[%d]: Credentials is nil", i)
		}
	}
	for _, intent := range intents {
		if !intent.Valid() {
			fault("GuardConfig: %q is not an intent", intent)
		}
	}
	return errs
}

// scopeFaults returns what is wrong with the scopes in cfg.
func (cfg *GuardConfig) scopeFaults(keys Checker) (errs []error) {
	if cfg.AnyScope && (cfg.Scopes != nil || cfg.ScopesFor != nil) {
		errs = append(errs, errors.New("GuardConfig.AnyScope excludes Scopes and ScopesFor"))
	}
	service, ok := keys.(*authtoken.Service)
	if !ok {
		return errs
	}
	catalogue := service.Policy().Scopes
	for _, name := range cfg.Scopes {
		known := slices.ContainsFunc(catalogue, func(s authtoken.Scope) bool { return s.Name == name })
		if !known && name != authtoken.ScopeAll {
			errs = append(errs, fmt.Errorf("GuardConfig.Scopes: %q is not in the catalogue of the policy", name))
		}
	}
	return errs
}

// scopes returns the scopes that r needs, as [authtoken.Credentials] has them.
func (cfg *GuardConfig) scopes(r *http.Request) []string {
	if cfg.AnyScope {
		return nil
	}
	needed := append([]string{}, cfg.Scopes...)
	if cfg.ScopesFor != nil {
		needed = append(needed, cfg.ScopesFor(r)...)
	}
	return needed
}

type guard struct {
	keys Checker
	cfg  GuardConfig
	next http.Handler
}

// ServeHTTP throttles, finds the key, checks it, and calls the next handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wait := g.cfg.Throttle(r); wait > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10))
		refuse(w, http.StatusTooManyRequests, "Too many requests.")
		return
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
	credentials.From, credentials.Scopes = g.cfg.From(r), g.cfg.scopes(r)
	p, err := g.keys.Check(r.Context(), credentials, intents...)
	if err != nil {
		g.fail(w, r, err, credentials.Scopes)
		return
	}
	if g.cfg.ExpiryHeader != "" && p.Token.Expiring && !p.Token.Expires.IsZero() {
		w.Header().Set(g.cfg.ExpiryHeader, p.Token.Expires.UTC().Format(http.TimeFormat))
	}
	g.next.ServeHTTP(w, r.WithContext(authtoken.WithPrincipal(r.Context(), p)))
}

// repeated returns the name of a header for keys that r has more than once. It reports
// false if there is none.
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

// credentials returns the credentials in r, and the intents that their token may have.
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

// fail answers r, whose key could not be checked, was refused, or lacks one of scopes.
func (g *guard) fail(w http.ResponseWriter, r *http.Request, err error, scopes []string) {
	switch {
	case errors.Is(err, authtoken.ErrKeyScope):
		g.challenge(w, `, error="insufficient_scope"`+scopeParameter(scopes))
		refuse(w, http.StatusForbidden, "The token does not permit this.")
	case errors.Is(err, authtoken.ErrRefused):
		if g.cfg.Refused != nil {
			g.cfg.Refused(r, err)
		}
		g.challenge(w, `, error="invalid_token"`)
		refuse(w, http.StatusUnauthorized, "Token invalid/expired")
	default:
		logFailure(g.cfg.Logger, r, "request failed", err)
		refuse(w, http.StatusInternalServerError, "Internal server error.")
	}
}

// scopeParameter returns the scope parameter of a challenge. It leaves out what RFC 6749,
// section 3.3, does not allow in a scope, since ScopesFor may return anything.
func scopeParameter(scopes []string) string {
	illegal := func(c rune) bool { return c <= ' ' || c == '"' || c == '\\' || c > '~' }
	needed := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == "" || strings.ContainsFunc(s, illegal) })
	if len(needed) == 0 {
		return ""
	}
	return `, scope="` + strings.Join(needed, " ") + `"`
}

// challenge names the authentication schemes that the guard takes. after is for bearer
// tokens only.
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

// refuse answers a request that is not admitted. The answers to those that are admitted
// have the application's headers only.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header()["X-Content-Type-Options"] = nosniff
	writeDetail(w, status, detail)
}

// remoteHost returns the address of r's sender, without the port. It is all of it if there
// is no port.
func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
