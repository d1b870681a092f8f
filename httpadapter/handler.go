package httpadapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtoken/authtoken"
)

// Handler serves authentik's core/tokens API below its base path. Make one with [New]. It
// is safe for concurrent use.
type Handler struct {
	svc    *authtoken.Service
	cfg    Config // with its defaults
	base   string // without a slash at the end
	schema string // the OpenAPI document; empty if it is not served
}

// Config configures a [Handler]. The zero Config works.
type Config struct {
	// BasePath is the beginning of all paths. Behind http.StripPrefix, it is what is
	// left of them. Defaults to "/api/v3". "/" means no base path.
	BasePath string

	// MaxBodyBytes is the size of the largest request body that is accepted. A larger
	// one is answered with 413. Defaults to 1 MiB.
	MaxBodyBytes int64

	// Authenticate returns who sent a request: a principal that Service.Check or
	// authtoken.SignedIn made. Service.For decides what that principal may do. Defaults
	// to [BearerPrincipal], which accepts the key of a token of IntentAPI.
	//
	// The answer is 403 if the error matches authtoken.ErrRefused, [ErrNoCredentials] or
	// [ErrUnsupportedScheme], if the principal is the zero Principal, and if the user is
	// not active or not in the directory. For any other error it is 500.
	//
	// Authenticate is not called for a request that has more than one Authorization
	// header. Such a request is answered as if the error were ErrRefused.
	Authenticate func(*http.Request) (authtoken.Principal, error)

	// From returns where a request comes from: for tokens that have Networks, for events,
	// and for the last use of a token. Defaults to the remote address without the port.
	// Behind a proxy, that is the address of the proxy: see [FromProxies]. It is not used if
	// Authenticate is set.
	From func(*http.Request) string

	// CrossOrigin refuses requests that change something and that a browser sends from
	// another origin. It admits requests that do not come from a browser. Defaults to a
	// new http.CrossOriginProtection, which trusts no other origin. Its deny handler is
	// not called: the answer is 403 with a detail.
	//
	// A request that has a bearer token in its only Authorization header is admitted all
	// the same. A page of another origin can't make a browser send that header, unless
	// the application allows it by CORS.
	CrossOrigin *http.CrossOriginProtection

	// Profiles returns the profiles of users, by ID. Answers show them in user_obj. A
	// user without a profile is shown with only the ID. Profiles is called at most once
	// for each answer. Nil shows what the service's directory knows.
	Profiles func(ctx context.Context, ids []string) (map[string]Profile, error)

	// UserNumber and UserID translate between the IDs of users and the integers that
	// authentik's clients use. Set both or neither. If no user has a number, the error
	// of UserID must match authtoken.ErrUserNotFound.
	//
	// Without them, an ID that is a decimal number, such as "7", is that number. Any
	// other ID is written as a string, and a request can't contain it.
	UserNumber func(ctx context.Context, id string) (int64, error)
	UserID     func(ctx context.Context, number int64) (string, error)

	// TextUserIDs makes every user ID a string, in requests, in answers and in the
	// OpenAPI document. It is for an application's own clients: authentik's expect
	// integers. It excludes UserNumber.
	TextUserIDs bool

	// AuthentikFieldsOnly leaves out the fields that authentik does not have: created,
	// last_used, scopes, allowed_ips, suspended, locked, metadata and via. Some generated clients
	// refuse fields that they do not know. Requests may still set these fields. The key of a
	// new token is still shown, since nothing else shows it.
	AuthentikFieldsOnly bool

	// NoSchema turns off the OpenAPI document. Otherwise it is served to anybody, at
	// "schema/" below the base path.
	NoSchema bool

	// Logger gets the error when a request is answered with 500. Defaults to
	// slog.Default().
	Logger *slog.Logger
}

// New returns a Handler for svc. If cfg has faults, the error names all of them.
func New(svc *authtoken.Service, cfg Config) (*Handler, error) {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	cfg.BasePath = cmp.Or(cfg.BasePath, "/api/v3")
	if svc == nil {
		fault("service is nil")
	}
	if !strings.HasPrefix(cfg.BasePath, "/") {
		fault("Config.BasePath: %q does not begin with a slash", cfg.BasePath)
	}
	if cfg.MaxBodyBytes < 0 {
		fault("Config.MaxBodyBytes: %d is negative", cfg.MaxBodyBytes)
	}
	if (cfg.UserNumber == nil) != (cfg.UserID == nil) {
		fault("Config: UserNumber and UserID go together")
	}
	if cfg.TextUserIDs && cfg.UserNumber != nil {
		fault("Config: TextUserIDs excludes UserNumber")
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("httpadapter: %w", errors.Join(errs...))
	}
	if cfg.Authenticate == nil {
		cfg.Authenticate = BearerPrincipal(svc, cfg.From)
	}
	cfg.MaxBodyBytes = min(cmp.Or(cfg.MaxBodyBytes, 1<<20), math.MaxInt64-1) // readObject adds 1
	cfg.CrossOrigin = cmp.Or(cfg.CrossOrigin, http.NewCrossOriginProtection())
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	base := strings.TrimRight((&url.URL{Path: cfg.BasePath}).EscapedPath(), "/")
	h := &Handler{svc: svc, cfg: cfg, base: base}
	if !cfg.NoSchema {
		h.schema = h.schemaFor(base)
	}
	return h, nil
}

// ServeHTTP answers one request. All answers are JSON or empty.
//
// A long list is sent in pieces. If the client leaves meanwhile, or the request's context
// ends, ServeHTTP panics with http.ErrAbortHandler. Then net/http cuts off the answer.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Content-Type-Options"] = nosniff
	rt, identifier := h.route(r)
	if rt == nil && h.schema != "" && h.below(r) == "schema/" {
		h.serveSchema(w, r)
		return
	}
	if rt == nil || !rendered(r) {
		writeDetail(w, http.StatusNotFound, "Not found.")
		return
	}
	if err := h.admit(r); err != nil {
		h.fail(w, r, err, credentialStatuses)
		return
	}
	// Credentials are checked before anything else, so that nobody learns anything
	// without them.
	who, err := h.cfg.Authenticate(r)
	access := h.svc.For(who)
	if err == nil {
		_, err = access.User(r.Context())
	}
	if err != nil {
		h.fail(w, r, err, credentialStatuses)
		return
	}
	if err := rt.method(r.Method)(h, w, r, call{rt, access, identifier}); err != nil {
		h.failCall(w, r, err)
	}
}
