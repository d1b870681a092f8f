package leakreport

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/authtoken/authtoken"
)

// Config configures a [Handler]. Only Keys is required.
type Config struct {
	// Keys returns the public key with which a report is verified. [GitHubKeys] is one.
	Keys Keys

	// Type is the type of the application's keys, as agreed with the scanner. Leaks of
	// other types are answered as false positives. Empty admits leaks of every type.
	Type string

	// Found is told of each key that has leaked, after it was stopped: see Replaced of
	// Report. It may tell the owner. It is also told if the key was refused already. If it returns
	// an error, the answer to the report is 500. The scanner then sends the report
	// again, and Found is told again of all its keys. Nil means that nobody is told.
	Found func(ctx context.Context, r Report) error

	// MaxBodyBytes is the size of the largest report that is read. Defaults to 1 MiB,
	// which is about 5,000 keys.
	MaxBodyBytes int64

	// Logger gets the error when a report is answered with 500 or 503. No error of this
	// package has a key in it. Defaults to slog.Default().
	Logger *slog.Logger
}

// Report says which token's key has leaked, and where. It does not hold the key.
type Report struct {
	// Found has the token as it is now. If Replaced is set, the leaked key is not the
	// current key of the token, and the token was not suspended. Refusal says why the key
	// was refused before the report came. Nil means that it was good, so that whoever found
	// it may have used it.
	authtoken.Found

	// URL is where the key was found. May be empty.
	URL string

	// Source is what kind of place that is, such as "commit" or "npm". May be empty.
	Source string
}

// Handler answers the reports of secret scanners. Make one with [New]. It is safe for
// concurrent use.
//
// The answers are:
//
//	200  which of the leaked keys are real, as JSON
//	400  the body is not a list of leaked keys
//	401  the signature is missing or wrong
//	405  the method is not POST
//	413  the body is larger than MaxBodyBytes
//	500  something failed for at least one of the keys; all others are done
//	503  Keys failed, so the signature can't be verified
//
// A report may be sent again at any time. What is done already is not done twice.
type Handler struct {
	svc *authtoken.Service
	cfg Config
}

// New returns a Handler for svc. If cfg has faults, the error names all of them.
func New(svc *authtoken.Service, cfg Config) (*Handler, error) {
	var errs []error
	if svc == nil {
		errs = append(errs, errors.New("service is nil"))
	}
	if cfg.Keys == nil {
		errs = append(errs, errors.New("Config.Keys is nil"))
	}
	if cfg.MaxBodyBytes < 0 {
		errs = append(errs, fmt.Errorf("Config.MaxBodyBytes: %d is negative", cfg.MaxBodyBytes))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("leakreport: %w", err)
	}
	cfg.MaxBodyBytes = cmp.Or(cfg.MaxBodyBytes, 1<<20)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	return &Handler{svc, cfg}, nil
}

// ServeHTTP answers a report.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.cfg.MaxBodyBytes))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		fail(w, http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		fail(w, http.StatusBadRequest)
		return
	}
	switch err := verify(r, body, h.cfg.Keys); {
	case errors.Is(err, errSignature):
		fail(w, http.StatusUnauthorized)
		return
	case err != nil:
		h.log(r, err)
		fail(w, http.StatusServiceUnavailable)
		return
	}
	leaks, ok := read(body)
	if !ok {
		fail(w, http.StatusBadRequest)
		return
	}
	// Finish even if the scanner hangs up: it may not send the report again.
	verdicts, err := h.handle(context.WithoutCancel(r.Context()), leaks)
	if err != nil {
		h.log(r, err)
		fail(w, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(verdicts) // the scanner has gone: nobody is left to tell
}

func fail(w http.ResponseWriter, code int) { http.Error(w, http.StatusText(code), code) }

func (h *Handler) log(r *http.Request, err error) {
	// A scanner that has hung up is not worth a line in the log.
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return
	}
	h.cfg.Logger.ErrorContext(r.Context(), "leak report failed", "error", err)
}

// leak is one entry of a report.
type leak struct {
	Token  string `json:"token"`
	Type   string `json:"type"`
	URL    string `json:"url"`
	Source string `json:"source"`
}

// read returns the entries of a report. An entry or a field of the wrong type is empty,
// and spoils no other.
func read(body []byte) ([]leak, bool) {
	var leaks []leak
	err := json.Unmarshal(body, &leaks)
	_, odd := errors.AsType[*json.UnmarshalTypeError](err)
	return leaks, leaks != nil && (err == nil || odd)
}

// verdict is the answer about one leak.
type verdict struct {
	Token string `json:"token_raw"`
	Type  string `json:"token_type"`
	Label label  `json:"label"`
}

type label string

const (
	truePositive  label = "true_positive"
	falsePositive label = "false_positive"
)

// handle does what each leak asks for. An error about one of them keeps no other from
// being done.
func (h *Handler) handle(ctx context.Context, leaks []leak) ([]verdict, error) {
	var errs []error
	verdicts := make([]verdict, len(leaks))
	for i, l := range leaks {
		verdicts[i] = verdict{l.Token, l.Type, falsePositive}
		if h.cfg.Type != "" && l.Type != h.cfg.Type {
			continue
		}
		report, err := h.stop(ctx, l.Token)
		if errors.Is(err, authtoken.ErrNotFound) {
			continue
		}
		verdicts[i].Label = truePositive
		if err == nil && h.cfg.Found != nil {
			report.URL, report.Source = l.URL, l.Source
			err = h.cfg.Found(ctx, report)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("entry %d: %w", i, err))
		}
	}
	return verdicts, errors.Join(errs...)
}

// stop sees to it that a leaked key is refused from now on. If no token has the key, the
// error matches [authtoken.ErrNotFound].
func (h *Handler) stop(ctx context.Context, key string) (Report, error) {
	const attempts = 10
	var err error
	for range attempts {
		var found authtoken.Found
		if found, err = h.svc.Find(ctx, key); err != nil {
			return Report{}, err
		}
		unchanged := authtoken.IfRevision(found.Token.Revision())
		token := found.Token
		switch {
		case errors.Is(found.Refusal, authtoken.ErrKeyRetired):
			// An overlap that is still running would be another key's.
		case found.Replaced:
			token, err = h.svc.EndOverlap(ctx, token.Identifier, unchanged)
		case !token.Locked:
			token, err = h.svc.Update(ctx, token.Identifier, authtoken.UpdateParams{Suspended: new(true)}, unchanged)
		}
		switch {
		case err == nil:
			found.Token = token
			return Report{Found: found}, nil
		case errors.Is(err, authtoken.ErrNotFound): // deleted or renamed: see which
		case !errors.Is(err, authtoken.ErrStale):
			return Report{}, err
		}
	}
	return Report{}, err
}
