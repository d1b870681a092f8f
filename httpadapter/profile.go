package httpadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken"
)

// Profile is what answers show of a user, in user_obj. It is only for showing: rights and
// limits come from the service's directory.
//
// In JSON, the fields have the names that [ReadProfiles] reads.
type Profile struct {
	ID         string         `json:"-"` // the user's ID in the directory; "pk" on the wire
	Username   string         `json:"username"`
	Name       string         `json:"name"`
	Email      string         `json:"email"`
	Active     bool           `json:"is_active"`
	Superuser  bool           `json:"is_superuser"`
	Attributes map[string]any `json:"attributes"`

	Groups []Group `json:"groups_obj"`
	Roles  []Role  `json:"roles_obj"`

	UUID   uuid.UUID `json:"uuid"`
	UID    string    `json:"uid"`
	Avatar string    `json:"avatar"` // a URL
	Path   string    `json:"path"`   // authentik's folder for users; empty shows as "users"

	// Type is "internal", "external", "service_account" or "internal_service_account".
	// Any other shows as "internal".
	Type string `json:"type"`

	// The zero time shows as null in LastLogin. In the others, it shows as the beginning
	// of 1970, since clients require a time there.
	DateJoined         time.Time `json:"date_joined"`
	LastLogin          time.Time `json:"last_login"`
	LastUpdated        time.Time `json:"last_updated"`
	PasswordChangeDate time.Time `json:"password_change_date"`
}

// Group is a group of users.
type Group struct {
	PK         uuid.UUID      `json:"pk"`
	NumPK      int64          `json:"num_pk"`
	Name       string         `json:"name"`
	Superuser  bool           `json:"is_superuser"`
	Parent     uuid.UUID      `json:"parent"` // zero for none
	ParentName string         `json:"parent_name"`
	Attributes map[string]any `json:"attributes"`
}

// Role is a role that a user has.
type Role struct {
	PK   uuid.UUID `json:"pk"`
	Name string    `json:"name"`
}

// Attributes of a profile that set limits for the user's tokens. authentik has the same
// names. See [Profile.User].
const (
	// AttributeExpires decides whether the tokens that a user makes for themselves
	// expire. If it is false, they never do.
	AttributeExpires = "goauthentik.io/user/token-expires"

	// AttributeMaximumLifetime is the longest life of the user's tokens, such as
	// "days=1;hours=2;minutes=30". The units are weeks, days, hours, minutes, seconds,
	// milliseconds and microseconds.
	AttributeMaximumLifetime = "goauthentik.io/user/token-maximum-lifetime"
)

// User returns the user with this profile, for a directory such as [authtoken.UserList].
// If [AttributeMaximumLifetime] can't be read, the longest life is 30 minutes, as in
// authentik.
func (p Profile) User() authtoken.User {
	u := authtoken.User{
		ID: p.ID, Username: p.Username, Active: p.Active, Superuser: p.Superuser,
		KeepsTokens: p.Attributes[AttributeExpires] == false,
	}
	limit, limited := p.Attributes[AttributeMaximumLifetime]
	if !limited {
		return u
	}
	text, _ := limit.(string)
	switch d, ok := parseLifetime(text); {
	case !ok:
		u.MaxLifetime = 30 * time.Minute
	case d <= 0:
		u.MaxLifetime = -1
	default:
		u.MaxLifetime = d
	}
	return u
}

// profileOf returns the profile of a user for whom the application supplies none.
func profileOf(u authtoken.User) Profile {
	return Profile{ID: u.ID, Username: u.Username, Active: u.Active, Superuser: u.Superuser, DateJoined: u.Created}
}

// profile returns the profile of the owner of t.
func (h *Handler) profile(ctx context.Context, access *authtoken.Access, t authtoken.Token) (Profile, error) {
	if h.cfg.Profiles == nil {
		owner, err := access.Owner(ctx, t)
		return profileOf(owner), err
	}
	profile, err := h.profiles(ctx, access, []authtoken.Token{t})
	return profile(t.User), err
}

// profiles looks up the profiles of the owners of tokens, and returns a function that
// returns one by ID. An owner without a profile has one with only the ID.
func (h *Handler) profiles(ctx context.Context, access *authtoken.Access, tokens []authtoken.Token) (func(id string) Profile, error) {
	if h.cfg.Profiles == nil {
		owners, err := access.Owners(ctx, tokens)
		return func(id string) Profile { return profileOf(owners[id]) }, err
	}
	var ids []string
	for _, t := range tokens {
		ids = append(ids, t.User)
	}
	slices.Sort(ids)
	var found map[string]Profile
	var err error
	if len(ids) > 0 {
		found, err = h.cfg.Profiles(ctx, slices.Compact(ids))
	}
	return func(id string) Profile {
		p := found[id]
		p.ID = id
		return p
	}, err
}

// ProfileList returns a function for Profiles of [Config] that returns these profiles.
func ProfileList(profiles ...Profile) func(ctx context.Context, ids []string) (map[string]Profile, error) {
	byID := make(map[string]Profile, len(profiles))
	for _, p := range profiles {
		byID[p.ID] = p
	}
	return func(_ context.Context, ids []string) (map[string]Profile, error) {
		found := make(map[string]Profile, len(ids))
		for _, id := range ids {
			if p, ok := byID[id]; ok {
				found[id] = p
			}
		}
		return found, nil
	}
}

// ReadProfiles reads a JSON list of profiles, each in the form of user_obj in an answer.
// Only pk is required. It is a positive whole number or a string. If is_active is
// missing, it is true.
func ReadProfiles(r io.Reader) ([]Profile, error) {
	var list []struct {
		PK     json.RawMessage `json:"pk"`
		Active *bool           `json:"is_active"` // read instead of the one in Profile
		Profile
	}
	dec := json.NewDecoder(r)
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("profiles: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("profiles: something follows the list")
	}
	profiles := make([]Profile, len(list))
	for i, u := range list {
		id, ok := wireID(u.PK)
		if !ok {
			return nil, fmt.Errorf("profiles: entry %d (%q): pk is neither a positive integer nor a string", i+1, u.Username)
		}
		profiles[i] = u.Profile
		profiles[i].ID, profiles[i].Active = id, u.Active == nil || *u.Active
	}
	return profiles, nil
}

// wireID reads an ID from a positive whole number or a string.
func wireID(raw json.RawMessage) (string, bool) {
	if len(raw) > 0 && raw[0] == '"' {
		id := unquote(raw)
		return id, id != ""
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return strconv.FormatInt(n, 10), err == nil && n > 0
}

var lifetimeUnits = map[string]time.Duration{
	"weeks":        7 * 24 * time.Hour,
	"days":         24 * time.Hour,
	"hours":        time.Hour,
	"minutes":      time.Minute,
	"seconds":      time.Second,
	"milliseconds": time.Millisecond,
	"microseconds": time.Microsecond,
}

// parseLifetime reads a lifetime such as "hours=2;minutes=30", as authentik does. Units
// can be in upper or lower case, and amounts can have fractions. Unknown units are
// ignored, but at least one must be known. If a unit occurs twice, the last one wins.
func parseLifetime(s string) (time.Duration, bool) {
	amounts := make(map[string]float64)
	for pair := range strings.SplitSeq(s, ";") {
		unit, value, ok := strings.Cut(pair, "=")
		if !ok || strings.Contains(value, "=") {
			return 0, false
		}
		unit = strings.ToLower(unit)
		if lifetimeUnits[unit] == 0 {
			continue
		}
		amount, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || math.IsInf(amount, 0) || math.IsNaN(amount) || strings.ContainsAny(value, "xX") {
			return 0, false
		}
		amounts[unit] = amount
	}
	if len(amounts) == 0 {
		return 0, false
	}
	var total float64
	for unit, amount := range amounts {
		total += amount * float64(lifetimeUnits[unit])
	}
	// A longer life is cut to 100 years, so that it can be added to any date.
	const limit = 100 * 365 * 24 * time.Hour
	return time.Duration(min(max(total, -float64(limit)), float64(limit))).Round(time.Microsecond), true
}
