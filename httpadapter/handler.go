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

// Handler answers requests for paths below its base path. It is safe for
// concurrent use. Make one with [New].
type Handler struct {
	svc    *authtoken.Service
	cfg    Config // with its defaults
	base   string // without a slash at the end
	schema string // the OpenAPI document; empty if it is not served
}

// Config is how a Handler behaves. The zero Config works.
type Config struct {
	// BasePath is what all paths begin with, as the handler gets them: behind
	// http.StripPrefix, without what that strips. Defaults to "/api/v3"; "/"
	// is for no base path.
	BasePath string

	// MaxBodyBytes is the longest request body that is read; longer ones are
	// answered with 413. Defaults to 1 MiB.
	MaxBodyBytes int64

	// Authenticate says who sent a request: a principal of Service.Check, or of
	// authtoken.SignedIn. What it may do is up to Service.For. Defaults to
	// [BearerPrincipal], which takes the key of a token of IntentAPI. Errors that match
	// authtoken.ErrRefused, [ErrNoCredentials] or [ErrUnsupportedScheme] are
	// answered with 403, as are the zero Principal and users who are not active or
	// not in the directory, and all other errors with 500. It is not called for
	// requests that more than one Authorization header makes ambiguous: those are
	// answered as ErrRefused is.
	Authenticate func(*http.Request) (authtoken.Principal, error)

	// CrossOrigin decides which requests that change something are refused
	// because a browser sends them from another origin. Defaults to a new
	// http.CrossOriginProtection, which trusts no other origin. Requests that
	// no browser sends pass it. Its deny handler is not called: the answer is
	// 403 with a detail.
	//
	// It is not asked about requests with a bearer token in their only
	// Authorization header. A page of another origin can't have that header
	// sent unless the application allows it by CORS.
	CrossOrigin *http.CrossOriginProtection

	// Profiles returns what answers show of users in user_obj, by ID; a user that is
	// left out is shown with nothing but the ID. It is asked once for each answer.
	// Nil shows what the service's directory knows.
	Profiles func(ctx context.Context, ids []string) (map[string]Profile, error)

	// UserNumber and UserID translate between the IDs of users and the integers that
	// authentik's clients know users by. Set both or neither. UserID returns an
	// error that matches authtoken.ErrUserNotFound for a number that is nobody's.
	//
	// Without them an ID that is a decimal number, such as "7", is that number. Any
	// other ID is written as a string, and can't be named in a request.
	UserNumber func(ctx context.Context, id string) (int64, error)
	UserID     func(ctx context.Context, number int64) (string, error)

	// TextUserIDs is for an application's own clients: every user ID is a string, in
	// requests, in answers and in the OpenAPI document. It excludes UserNumber.
	TextUserIDs bool

	// AuthentikFieldsOnly leaves out created and last_used, which authentik does not
	// have: some generated clients refuse fields that they don't know. The key of a
	// new token stays, since nothing else shows it.
	AuthentikFieldsOnly bool

	// NoSchema takes away the OpenAPI document, which is served to anybody at
	// "schema/" below the base path otherwise.
	NoSchema bool

	// Logger gets what is wrong when a request is answered with 500. Defaults
	// to slog.Default().
	Logger *slog.Logger
}

// New returns a Handler for svc.
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
		cfg.Authenticate = BearerPrincipal(svc)
	}
	cfg.MaxBodyBytes = min(cmp.Or(cfg.MaxBodyBytes, 1<<20), math.MaxInt64-1) // one more is read
	cfg.CrossOrigin = cmp.Or(cfg.CrossOrigin, http.NewCrossOriginProtection())
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	base := strings.TrimRight((&url.URL{Path: cfg.BasePath}).EscapedPath(), "/")
	h := &Handler{svc: svc, cfg: cfg, base: base}
	if !cfg.NoSchema {
		h.schema = h.schemaFor(base)
	}
	return h, nil
}

// ServeHTTP answers one request. All answers are JSON or empty. A long list is sent
// in pieces; if the client leaves meanwhile or the request's context ends, ServeHTTP
// panics with http.ErrAbortHandler, for which net/http cuts off the answer.
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
	// Credentials come before the method and everything else, so that nothing
	// can be learnt without.
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
