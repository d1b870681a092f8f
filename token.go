package authtoken

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken/store"
)

// Intent is what a token is for.
type Intent string

// The four intents, which are those of authentik.
const (
	IntentVerification Intent = "verification" // confirms something once, such as an email address
	IntentAPI          Intent = "api"          // calls an API
	IntentRecovery     Intent = "recovery"     // gets back into an account
	IntentAppPassword  Intent = "app_password" // stands in for the user's password
)

// Intents returns all intents, in a fixed order.
func Intents() []Intent {
	return []Intent{IntentVerification, IntentAPI, IntentRecovery, IntentAppPassword}
}

// Valid reports whether i is one of the four intents.
func (i Intent) Valid() bool { return slices.Contains(Intents(), i) }

// Token is a token as applications see it. It holds neither its key nor the key's digest.
type Token struct {
	PK          uuid.UUID
	Identifier  string // unique among the tokens of all owners
	Intent      Intent
	User        string // ID of the owner
	Description string // may be empty
	Managed     string // names what manages the token, and is unique; empty for nothing

	// Expires is the first instant at which the token is refused. It counts only if
	// Expiring is true. Zero means never.
	Expires  time.Time
	Expiring bool

	// Suspended says that the key is refused until somebody resumes the token. Locked says
	// that trusted code or a superuser has suspended it, so that its owner can't resume it.
	Suspended bool
	Locked    bool

	// Scopes are what the token may do.
	Scopes Scopes

	// Networks are where the key may come from. Nil means anywhere. Empty but not nil
	// means nowhere.
	Networks []netip.Prefix

	// Metadata is what the application has noted about the token. Nil means nothing. It is
	// a copy.
	Metadata map[string]string

	// Via is the PK of the token through whose key this one was made. Zero means that
	// none was. That token may no longer exist.
	Via uuid.UUID

	// Created is when the token was made, and not before its owner was.
	Created time.Time

	// LastUsed is when the token was last used, to within a minute. LastUsedFrom says
	// from where. Both are kept only with [Config.TrackLastUsed]. Zero means never, or
	// not known.
	LastUsed     time.Time
	LastUsedFrom string

	// RetiredUntil is the first instant at which the previous key is refused. Zero means
	// that the token has had only one key.
	RetiredUntil time.Time

	// Version starts at 1. Every change adds 1.
	Version int64
}

// Revision identifies this version of the token. Every change of a token gives it a
// new revision (its last use is no change), and no two tokens ever have the same. Over HTTP
// it is the ETag.
func (t Token) Revision() string {
	return t.PK.String() + "." + strconv.FormatInt(t.Version, 10)
}

// tokenOf leaves out what must stay inside the service: digests and sealed keys.
func tokenOf(r *store.Record) (t Token) {
	t.set(r)
	return t
}

// set is tokenOf without a copy.
func (t *Token) set(r *store.Record) {
	t.PK, t.Via, t.Version = r.PK, r.Via, r.Version
	t.Identifier, t.Intent, t.User = r.Identifier, Intent(r.Intent), r.User
	t.Description, t.Managed = r.Description, r.Managed
	t.Expires, t.Expiring, t.RetiredUntil = r.Expires, r.Expiring, r.RetiredUntil
	t.Suspended, t.Locked = r.State != store.StateActive, locked(r)
	t.Scopes, t.Networks = Scopes(r.Scopes), networksOf(r.Networks)
	t.Metadata = metadataOf(r.Metadata)
	t.Created, t.LastUsed, t.LastUsedFrom = r.Created, r.LastUsed, r.LastUsedFrom
}

// CreateParams says what token to make. Every field may be zero, except that trusted
// code must name a User, and that a [Policy] with Scopes but without DefaultScopes requires
// Scopes. Create removes white space at both ends of each text.
type CreateParams struct {
	// Identifier names the token. It has 1 to 255 letters a to z and A to Z, digits,
	// "_" and "-", and is unique among the tokens of all owners. If it is empty, Create
	// makes one from the description and a short random tail, such as "laptop-7f3k".
	Identifier string

	// Intent defaults to IntentAPI.
	Intent Intent

	// User is the ID of the owner. With [Service.As] and [Service.For] it defaults to the
	// user who acts. If that user is not a superuser, they become the owner even if User
	// names another. But User must exist all the same, so that they learn which IDs do.
	User string

	// Description is free text of up to MaxTextLength characters: see [Policy].
	Description string

	// Managed names what manages the token. It is free text like Description, and no two
	// tokens have the same. Empty means nothing.
	Managed string

	// Expires is when the token expires. Zero means what the [Policy] says. If it is in
	// the past, the token has expired when it is made.
	Expires time.Time

	// Expiring says whether the token expires. Nil means true, unless the user has
	// KeepsTokens. It is ignored unless trusted code or a superuser sets it.
	Expiring *bool

	// Scopes names what the token may do: 1 to 50 of the Scopes of the [Policy], or
	// [ScopeAll] alone. Nil means the scopes of the acting key if those are limited, and
	// DefaultScopes of the Policy otherwise. Empty but not nil is a fault.
	Scopes []string

	// Networks are where the key may come from: at most 50. Create clears the bits after
	// each prefix. A prefix of IPv4 addresses in their IPv6 form is a fault. Nil means the
	// networks of the acting key, or anywhere. Empty but not nil is a fault.
	Networks []netip.Prefix

	// Suspended makes a token whose key is refused until somebody resumes the token.
	Suspended bool

	// Metadata is for the application: up to 4,096 bytes as JSON. Only trusted code and
	// superusers may set it.
	Metadata map[string]string

	// Invalid holds faults that the caller found while decoding the parameters. Create
	// reports them together with its own and makes no token. It does not check the
	// fields that they name.
	Invalid []FieldError
}

// UpdateParams says what to change about a token. A nil field stays as it is.
type UpdateParams struct {
	Identifier  *string // renames the token
	Intent      *Intent
	User        *string // must be the owner's ID: a token never changes owner
	Description *string
	Managed     *string           // "" removes it
	Expires     *time.Time        // zero removes it, or means the default; see [Policy]
	Expiring    *bool             // ignored unless trusted code or a superuser sets it
	Scopes      []string          // empty but not nil is a fault
	Networks    *[]netip.Prefix   // a pointer to nil means anywhere
	Suspended   *bool             // suspends or resumes the token
	Metadata    map[string]string // replaces everything; empty but not nil removes it

	// Invalid is as in [CreateParams].
	Invalid []FieldError
}
