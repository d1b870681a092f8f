package tokenpage

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/authtoken/authtoken"
)

// Handler serves the page. It is safe for concurrent use. Make one with [New].
type Handler struct {
	svc         *authtoken.Service
	policy      authtoken.Policy // of svc; it never changes
	cfg         Config
	lifetimes   lifetimes
	crossOrigin *http.CrossOriginProtection
	templates   map[string]*template.Template
	assets      *assets
}

// Config configures a [Handler]. Authenticate is required.
type Config struct {
	// Authenticate returns who is signed in, usually a principal that
	// authtoken.SignedIn made. Service.For decides what that principal may do. The zero
	// Principal is nobody.
	//
	// The answer is 403 if nobody is signed in, if the user is not active or not in the
	// directory, and if the error matches authtoken.ErrRefused. For any other error it is
	// 500.
	Authenticate func(*http.Request) (authtoken.Principal, error)

	// Application is the name of the application. The head of the page shows it, with
	// a link to the URL Home, which defaults to "/". Without a name, there is no head.
	Application string
	Home        string

	// Intents are the intents that a user can choose from. Defaults to IntentAPI and
	// IntentAppPassword. If there is only one, the page offers no choice. The page makes
	// no tokens of other intents. The service's policy decides whether the user may make
	// tokens of these.
	Intents []authtoken.Intent

	// Lifetimes are the lifetimes that a user can choose from. The page makes no tokens
	// with a lifetime that it does not offer:
	//
	//   - Nil offers 1, 7, 30 and 90 days, a year, and any date. Whoever sees the
	//     tokens of all users is also offered tokens that never expire.
	//   - A list offers its lifetimes. If the longest of them is a day or more, it
	//     also offers the dates that end before a token with the longest lifetime
	//     expires. It offers nobody tokens that never expire.
	//   - An empty list that is not nil offers no choice. Use it if the policy leaves
	//     none.
	//
	// In each case, a user who chooses nothing gets the default of the policy, even if
	// that is longer. The service refuses a choice that the policy does not allow.
	Lifetimes []time.Duration

	// From returns where a request comes from, so that the page can warn people who make a
	// token that does not work from where they are. Defaults to the remote address.
	// Behind a proxy, set it to httpadapter.FromProxies.
	From func(*http.Request) string

	// Logger gets the error when a request is answered with 500, and when the owners of
	// tokens can't be looked up. Defaults to slog.Default().
	Logger *slog.Logger
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
	if len(errs) > 0 {
		return nil, fmt.Errorf("tokenpage: %w", errors.Join(errs...))
	}
	if cfg.From == nil {
		cfg.From = func(r *http.Request) string { return r.RemoteAddr }
	}
	cfg.Home = cmp.Or(cfg.Home, "/")
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	cfg.Intents = slices.Clone(cfg.Intents)
	return &Handler{
		svc:         svc,
		policy:      svc.Policy(),
		cfg:         cfg,
		lifetimes:   newLifetimes(cfg.Lifetimes),
		crossOrigin: http.NewCrossOriginProtection(),
		templates:   parseTemplates(),
		assets:      loadAssets(),
	}, nil
}

// call is what the handler knows about a request.
type call struct {
	place
	access  *authtoken.Access // nil before somebody is signed in
	seesAll bool              // the user sees and manages the tokens of all users
	now     time.Time
}

// action is something that a user can do on the page. show answers GET, and submit
// answers POST, if there is one.
type action struct {
	show, submit func(*Handler, http.ResponseWriter, *http.Request, call) error
}

var actions = map[string]action{
	"":        {(*Handler).list, nil},
	"new":     {(*Handler).showNew, (*Handler).create},
	"edit":    {(*Handler).showToken, (*Handler).update},
	"rotate":  {(*Handler).showToken, (*Handler).rotate},
	"revoke":  {(*Handler).showToken, (*Handler).revoke},
	"suspend": {(*Handler).toEdit, (*Handler).suspend},
	"resume":  {(*Handler).toEdit, (*Handler).suspend},
	"stop":    {(*Handler).toEdit, (*Handler).stop},
}

// ServeHTTP answers one request, with a page, an asset or a redirect.
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
	// With "no-referrer", browsers would send forms with the Origin "null". Without
	// Sec-Fetch-Site, such a form looks like one from another site.
	header.Set("Referrer-Policy", "same-origin")

	c := &call{place: placeOf(q), now: h.svc.Now()}
	if err := h.serve(w, r, c); err != nil {
		h.fail(w, r, *c, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, c *call) error {
	if err := h.crossOrigin.Check(r); err != nil {
		return errCrossOrigin
	}
	// The user is checked before anything else, so that nobody else learns anything.
	if err := h.signIn(r, c); err != nil {
		return err
	}
	a, ok := actions[c.Do]
	switch {
	case !ok:
		return errNoPage
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return a.show(h, w, r, *c)
	case r.Method == http.MethodPost && a.submit != nil:
		if err := readForm(w, r); err != nil {
			return err
		}
		return a.submit(h, w, r, *c)
	}
	allow := "GET, HEAD"
	if a.submit != nil {
		allow += ", POST"
	}
	w.Header().Set("Allow", allow)
	return errMethod
}

// signIn sets the user of c to the sender of r. It returns an error if that is nobody.
func (h *Handler) signIn(r *http.Request, c *call) error {
	who, err := h.cfg.Authenticate(r)
	if errors.Is(err, authtoken.ErrRefused) {
		return errSignedOut
	}
	if err != nil {
		return h.internal(r, err)
	}
	access := h.svc.For(who)
	seesAll, err := access.SeesAll(r.Context())
	switch {
	case errors.Is(err, authtoken.ErrUserInactive):
		return errInactive
	case errors.Is(err, authtoken.ErrForbidden), errors.Is(err, authtoken.ErrUserNotFound), errors.Is(err, authtoken.ErrRefused):
		return errSignedOut
	case err != nil:
		return h.internal(r, err)
	}
	c.access, c.seesAll = access, seesAll
	return nil
}

// maxForm is the size of the largest form, in bytes. The longest name fits in, with every
// letter escaped.
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

// view is the data of a template.
type view struct {
	place
	Title       string
	Application string
	Home        string
	Assets      *assets
	SeesAll     bool
	Main        any
}

// button is a form with nothing but a button.
type button struct {
	To              place
	Label, Revision string
}

// Act returns the button that does something with a token.
func (v view) Act(do, label string, is details, revision string) button {
	return button{v.To(do, is.Identifier), label, revision}
}

// render answers with the page of a template, unless the template fails.
func (h *Handler) render(w http.ResponseWriter, status int, c call, template, title string, main any) error {
	var b bytes.Buffer
	err := h.templates[template].Execute(&b, view{
		c.place, title, h.cfg.Application, h.cfg.Home, h.assets, c.seesAll, main,
	})
	if err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // fails if the client has gone away
	return nil
}
