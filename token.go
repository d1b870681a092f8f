package authtoken

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken/store"
)

// Intent is what a token is for.
type Intent string

// The four intents that authentik knows.
const (
	IntentVerification Intent = "verification" // confirms something once, such as an email address
	IntentAPI          Intent = "api"          // calls an API
	IntentRecovery     Intent = "recovery"     // gets back into an account
	IntentAppPassword  Intent = "app_password" // stands in for the user's password
)

// Intents returns all intents, in authentik's order.
func Intents() []Intent {
	return []Intent{IntentVerification, IntentAPI, IntentRecovery, IntentAppPassword}
}

// Valid reports whether i is one of the four intents.
func (i Intent) Valid() bool { return slices.Contains(Intents(), i) }

// Token is a token as applications see it. There is no key in it, nor anything
// a key could be checked against.
type Token struct {
	PK          uuid.UUID
	Identifier  string // unique over all owners
	Intent      Intent
	User        string // the owner's ID
	Description string // may be empty
	Managed     string // what manages the token, unique; empty for nothing

	// Expires is when the token stops being good: the first instant at which
	// it is refused. It means something only if Expiring is true; zero is never.
	Expires  time.Time
	Expiring bool

	Created time.Time

	// LastUsed is when the token was last used, give or take a minute, and
	// LastUsedFrom where from. They are kept only with [Config.TrackLastUsed];
	// zero is never, or not known.
	LastUsed     time.Time
	LastUsedFrom string

	// RetiredUntil is when the key before the current one stopped, or stops, being
	// good. Zero if the token has had one key only.
	RetiredUntil time.Time

	// Version starts at 1 and is raised by every change.
	Version int64
}

// Revision identifies the token as it is now: it changes with every change, and
// no other token ever has it. It serves as the ETag over HTTP.
func (t Token) Revision() string {
	return t.PK.String() + "." + strconv.FormatInt(t.Version, 10)
}

// tokenOf leaves out what must not leave the service: digests and sealed keys.
func tokenOf(r *store.Record) Token {
	return Token{
		PK:           r.PK,
		Identifier:   r.Identifier,
		Intent:       Intent(r.Intent),
		User:         r.User,
		Description:  r.Description,
		Managed:      r.Managed,
		Expires:      r.Expires,
		Expiring:     r.Expiring,
		Created:      r.Created,
		LastUsed:     r.LastUsed,
		LastUsedFrom: r.LastUsedFrom,
		RetiredUntil: r.RetiredUntil,
		Version:      r.Version,
	}
}

// CreateParams says what token to make. Every field may be left out, but trusted
// code must name a User.
type CreateParams struct {
	// Identifier names the token: 1 to 255 characters out of letters a to z and
	// A to Z, digits, "_" and "-", unique over all owners. If it is empty, one is
	// made from the description and a short random tail, such as "laptop-7f3k".
	// White space around it is removed, here and in the other texts.
	Identifier string

	// Intent defaults to IntentAPI.
	Intent Intent

	// User is the owner's ID. For [Service.As] and [Service.For] it defaults to
	// the user who acts. A user who is no superuser always becomes the owner.
	User string

	// Description is free text of up to MaxTextLength characters: see [Policy].
	Description string

	// Managed says what manages the token, by a name that no other token has: free
	// text as for Description. Defaults to nothing.
	Managed string

	// Expires defaults to what the [Policy] says. A time in the past is
	// accepted and makes a token that is expired already.
	Expires time.Time

	// Expiring defaults to true. Only trusted code and superusers choose it.
	Expiring *bool

	// Invalid holds faults that were found while the parameters were decoded
	// from another form. Create reports them together with its own, does not
	// look at the fields that they name, and makes no token if there are any.
	Invalid []FieldError
}

// UpdateParams says what to change about a token. Nil leaves a field as it is.
type UpdateParams struct {
	Identifier  *string // renames the token
	Intent      *Intent
	User        *string // a token never changes owner: only the owner's ID is accepted
	Description *string
	Managed     *string    // "" removes it
	Expires     *time.Time // the zero time removes it, or asks for the default; see [Policy]
	Expiring    *bool      // ignored unless trusted code or a superuser says it

	// Invalid is as in [CreateParams].
	Invalid []FieldError
}
