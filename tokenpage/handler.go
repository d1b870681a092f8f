package tokenpage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/authtoken/authtoken"
)

// Handler serves the page. It is safe for concurrent use. Make one with [New].
type Handler struct {
	svc         *authtoken.Service
	cfg         Config
	lifetimes   lifetimes
	crossOrigin *http.CrossOriginProtection
	templates   map[string]*template.Template
	assets      *assets
}

// Config is how a Handler behaves. Authenticate is required.
type Config struct {
	// Authenticate says who is signed in, usually by authtoken.SignedIn; the zero
	// Principal is nobody. What it may do is up to Service.For. Nobody, and users
	// who are not active or not in the directory, are answered with 403, as is an
	// error that matches authtoken.ErrRefused, and any other error with 500.
	Authenticate func(*http.Request) (authtoken.Principal, error)

	// Application is the name of the application, for the head of the page, and
	// Home the URL that it links to, which defaults to "/". Without a name there
	// is no head.
	Application string
	Home        string

	// Intents are those that a user can choose from. They default to
	// IntentAPI and IntentAppPassword. A choice of one is none. The page makes no
	// tokens of other intents. Whether the user may make tokens of these is up to
	// the service's policy.
	Intents []authtoken.Intent

	// Lifetimes are those that a user can choose from. The page makes no tokens
	// with a lifetime that it does not offer:
	//
	//   - Nil offers 1, 7, 30 and 90 days, a year, and any date. Superusers are
	//     also offered tokens that never expire.
	//   - A list offers its lifetimes. If the longest of them is a day or more, it
	//     also offers the dates that end before a token with the longest lifetime
	//     expires. It offers nobody tokens that never expire.
	//   - An empty list that is not nil offers no choice. That is for policies that
	//     leave none.
	//
	// In each case, a user who chooses nothing gets what the policy gives by
	// itself, even if that is longer. The service refuses a choice that the policy
	// does not allow.
	Lifetimes []time.Duration

	// Logger gets what is wrong when a request is answered with 500. Defaults
	// to slog.Default().
	Logger *slog.Logger

	// Now is the clock, which should be the service's. Defaults to time.Now.
	Now func() time.Time
}

// New returns a Handler for svc. If cfg has faults, the error names all of them.
func New(svc *authtoken.Service, cfg Config) (*Handler, error) {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if svc == nil {
		fault("service is nil")
	}
	if cfg.Authenticate == nil {
		fault("Config.Authenticate is nil")
	}
	if cfg.Intents == nil {
		cfg.Intents = []authtoken.Intent{authtoken.IntentAPI, authtoken.IntentAppPassword}
	}
	if len(cfg.Intents) == 0 {
		fault("Config.Intents is empty")
	}
	for i, intent := range cfg.Intents {
		if !intent.Valid() || slices.Contains(cfg.Intents[:i], intent) {
			fault("Config.Intents: %q is not an intent, or occurs twice", intent)
		}
	}
	for _, d := range cfg.Lifetimes {
		if d <= 0 {
			fault("Config.Lifetimes: %v is not positive", d)
		}
	}
	templates, err := parseTemplates()
	if err != nil {
		errs = append(errs, err)
	}
	assets, err := loadAssets()
	if err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("tokenpage: %w", errors.Join(errs...))
	}
	if cfg.Home == "" {
		cfg.Home = "/"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Intents = slices.Clone(cfg.Intents)
	return &Handler{
		svc:         svc,
		cfg:         cfg,
		lifetimes:   newLifetimes(cfg.Lifetimes),
		crossOrigin: http.NewCrossOriginProtection(),
		templates:   templates,
		assets:      assets,
	}, nil
}

// place is where on the page a request goes: the list, or what to do with a
// token, along with the list to go back to. It is the query of a URL, as every
// link is.
type place struct {
	Do, Token string
	Search    string
	ByName    bool // rather than newest first
	Page      int
}

func placeOf(q url.Values) place {
	page, _ := strconv.Atoi(q.Get("page"))
	return place{
		Do:     q.Get("do"),
		Token:  q.Get("token"),
		Search: q.Get("search"),
		ByName: q.Get("sort") == "name",
		Page:   max(page, 1),
	}
}

func (p place) String() string {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("do", p.Do)
	set("token", p.Token)
	set("search", p.Search)
	if p.ByName {
		q.Set("sort", "name")
	}
	if p.Page > 1 {
		q.Set("page", strconv.Itoa(p.Page))
	}
	return "?" + q.Encode()
}

// To is where to do something with a token.
func (p place) To(do, token string) place {
	p.Do, p.Token = do, token
	return p
}

// List is the list that p came from.
func (p place) List() place { return p.To("", "") }

// At is another page of the list.
func (p place) At(page int) place {
	p = p.List()
	p.Page = page
	return p
}

// Sorted is the first page of the list in another order.
func (p place) Sorted(byName bool) place {
	p = p.At(1)
	p.ByName = byName
	return p
}

// call is what is known of a request when it is acted upon.
type call struct {
	place
	access *authtoken.Access // nil until it is known who is signed in
	user   authtoken.User
	now    time.Time
	owners map[string]string // what to call those looked up so far
}

type action struct {
	show, submit func(*Handler, http.ResponseWriter, *http.Request, call) error // submit may be nil
}

func actionFor(do string) (action, bool) {
	a, ok := map[string]action{
		"":       {(*Handler).list, nil},
		"new":    {(*Handler).showNew, (*Handler).create},
		"edit":   {(*Handler).showEdit, (*Handler).update},
		"rotate": {(*Handler).showRotate, (*Handler).rotate},
		"revoke": {(*Handler).showRevoke, (*Handler).revoke},
	}[do]
	return a, ok
}

// ServeHTTP answers one request, with a page, an asset of it or a redirect.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	q := r.URL.Query()
	if q.Has("asset") {
		h.assets.serve(w, r, q.Get("asset"))
		return
	}
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	// With "no-referrer", a form would be sent with the Origin "null", which
	// can't be told from another site's where there is no Sec-Fetch-Site.
	header.Set("Referrer-Policy", "same-origin")

	c := &call{place: placeOf(q), now: h.cfg.Now(), owners: make(map[string]string)}
	if err := h.serve(w, r, c); err != nil {
		h.fail(w, r, *c, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, c *call) error {
	if err := h.crossOrigin.Check(r); err != nil {
		return errCrossOrigin
	}
	// Who it is comes before the method and all else, so that nothing can be
	// learnt without.
	who, err := h.cfg.Authenticate(r)
	if errors.Is(err, authtoken.ErrRefused) {
		return errSignedOut
	}
	if err != nil {
		return &internalError{err}
	}
	access := h.svc.For(who)
	user, err := access.User(r.Context())
	switch {
	case errors.Is(err, authtoken.ErrForbidden), errors.Is(err, authtoken.ErrUserNotFound):
		return errSignedOut
	case errors.Is(err, authtoken.ErrUserInactive):
		return errInactive
	case err != nil:
		return &internalError{err}
	}
	c.access, c.user = access, user

	a, ok := actionFor(c.Do)
	switch {
	case !ok:
		return errNoPage
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return a.show(h, w, r, *c)
	case a.submit == nil:
		w.Header().Set("Allow", "GET, HEAD")
		return errMethod
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		return errMethod
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	return a.submit(h, w, r, *c)
}

// maxForm is the longest form that is read, in bytes. It leaves room for the
// longest name there may be, with every letter escaped.
const maxForm = 256 << 10

func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	if err != nil {
		return errBadForm
	}
	return nil
}

// pageError is an error that has a page of its own.
type pageError struct {
	status         int
	title, message string
}

func (e *pageError) Error() string { return e.message }

// internalError is an error of the application's. What else it matches means
// nothing here.
type internalError struct{ error }

func (e *internalError) Unwrap() error { return e.error }

var (
	errCrossOrigin = &pageError{http.StatusForbidden, "Not allowed", "This request came from another site, so nothing was done."}
	errSignedOut   = &pageError{http.StatusForbidden, "Not signed in", "Sign in to see your tokens."}
	errInactive    = &pageError{http.StatusForbidden, "Not allowed", "Your account is not active."}
	errForbidden   = &pageError{http.StatusForbidden, "Not allowed", "You may not do this with this token."}
	errNoPage      = &pageError{http.StatusNotFound, "Not found", "There is no such page."}
	errNoToken     = &pageError{http.StatusNotFound, "Not found", "There is no such token. It may have been revoked."}
	errMethod      = &pageError{http.StatusMethodNotAllowed, "Not allowed", "This page can't be used like that."}
	errTooLarge    = &pageError{http.StatusRequestEntityTooLarge, "Too long", "What you have sent is too long."}
	errBadForm     = &pageError{http.StatusBadRequest, "Not understood", "What you have sent can't be read."}
	errInternal    = &pageError{http.StatusInternalServerError, "Something went wrong", "Your request could not be served. Try again in a while."}
)

// fail answers r, which can't be served because of err.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, c call, err error) {
	answer, known := errors.AsType[*pageError](err)
	_, internal := errors.AsType[*internalError](err)
	switch {
	case internal:
		answer = errInternal
	case known:
	case errors.Is(err, authtoken.ErrNotFound):
		answer = errNoToken
	case errors.Is(err, authtoken.ErrForbidden):
		answer = errForbidden
	case errors.Is(err, authtoken.ErrRefused): // since it was checked
		answer = errSignedOut
	default:
		answer = errInternal
	}
	// A client that has gone away is no news.
	if answer == errInternal && (!errors.Is(err, context.Canceled) || r.Context().Err() == nil) {
		h.logError(r, "request failed", err)
	}
	v := h.view(c, answer.title)
	v.Main = map[string]any{"Message": answer.message, "SignedIn": c.access != nil}
	if err := h.render(w, answer.status, "message", v); err != nil {
		h.logError(r, "page failed", err)
		http.Error(w, answer.message, answer.status)
	}
}

func (h *Handler) logError(r *http.Request, what string, err error) {
	h.cfg.Logger.ErrorContext(r.Context(), what, "method", r.Method, "path", r.URL.Path, "error", err)
}

// redirect answers with the place to go to after a change. http.Redirect would
// put the path before it that a prefix may have been stripped from.
func redirect(w http.ResponseWriter, to place) error {
	w.Header().Set("Location", to.String())
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// view is what every template gets.
type view struct {
	place
	Title       string
	Application string
	Home        string
	Assets      *assets
	Superuser   bool
	Main        any
}

func (h *Handler) view(c call, title string) *view {
	return &view{
		place: c.place, Title: title, Application: h.cfg.Application, Home: h.cfg.Home, Assets: h.assets,
		Superuser: c.user.Superuser,
	}
}

// render answers with a page, unless the template fails.
func (h *Handler) render(w http.ResponseWriter, status int, name string, v *view) error {
	var b bytes.Buffer
	if err := h.templates[name].Execute(&b, v); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that has gone away
	return nil
}
