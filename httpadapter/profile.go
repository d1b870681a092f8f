package httpadapter

import (
	"context"
	"encoding/json"
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

// Profile is what authentik shows of a user: the user_obj of an answer. All of it
// is for showing; what decides about tokens is what the service's directory knows.
type Profile struct {
	ID         string // the user's ID in the directory; "pk" on the wire
	Username   string
	Name       string
	Email      string
	Active     bool
	Superuser  bool
	Attributes map[string]any

	Groups []Group
	Roles  []Role

	UUID   uuid.UUID
	UID    string
	Avatar string // a URL
	Path   string // authentik's folder for users; empty shows as "users"
	Type   string // "internal", "external", "service_account" or "internal_service_account"; anything else shows as "internal"

	DateJoined         time.Time // zero shows as the year 1970, as in the two times below that clients require
	LastLogin          time.Time // zero for never
	LastUpdated        time.Time
	PasswordChangeDate time.Time
}

// Group is a group of users.
type Group struct {
	PK         uuid.UUID
	NumPK      int64
	Name       string
	Superuser  bool
	Parent     uuid.UUID // zero for none
	ParentName string
	Attributes map[string]any
}

// Role is a role that a user has.
type Role struct {
	PK   uuid.UUID
	Name string
}

// Attributes of a profile that say something about the user's tokens, by the names
// authentik gives them. See [Profile.User].
const (
	// AttributeExpires, if it is false, makes tokens that the user makes for
	// themselves never expire.
	AttributeExpires = "goauthentik.io/user/token-expires"

	// AttributeMaximumLifetime is the longest life a token of the user may be
	// given, such as "days=1;hours=2;minutes=30". The units are weeks, days,
	// hours, minutes, seconds, milliseconds and microseconds.
	AttributeMaximumLifetime = "goauthentik.io/user/token-maximum-lifetime"
)

// User returns the user that p is the profile of, for a directory such as
// [authtoken.UserList]. An [AttributeMaximumLifetime] that can't be read counts as
// 30 minutes, as in authentik.
func (p Profile) User() authtoken.User {
	u := authtoken.User{
		ID: p.ID, Username: p.Username, Active: p.Active, Superuser: p.Superuser,
		KeepsTokens: p.Attributes[AttributeExpires] == false,
	}
	limit, limited := p.Attributes[AttributeMaximumLifetime]
	if !limited {
		return u
	}
	u.MaxLifetime = 30 * time.Minute
	if text, ok := limit.(string); ok {
		if d, ok := parseLifetime(text); ok && d > 0 {
			u.MaxLifetime = d
		} else if ok {
			u.MaxLifetime = -1
		}
	}
	return u
}

// profileOf is the profile of a user of whom nothing else is known.
func profileOf(u authtoken.User) Profile {
	return Profile{ID: u.ID, Username: u.Username, Active: u.Active, Superuser: u.Superuser, DateJoined: u.Created}
}

// profile returns what an answer shows of the owner of t.
func (h *Handler) profile(ctx context.Context, access *authtoken.Access, t authtoken.Token) (Profile, error) {
	if h.cfg.Profiles == nil {
		owner, err := access.Owner(ctx, t)
		return profileOf(owner), err
	}
	profile, err := h.profiles(ctx, access, []authtoken.Token{t})
	return profile(t.User), err
}

// profiles returns a function that returns what an answer shows of an owner of
// tokens. It shows the ID of one who has no profile.
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

// ProfileList returns a function for Profiles of [Config] that knows these profiles.
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

// wireProfile is a profile for reading.
type wireProfile struct {
	PK                 json.RawMessage `json:"pk"`
	Username           string          `json:"username"`
	Name               string          `json:"name"`
	Email              string          `json:"email"`
	Active             *bool           `json:"is_active"`
	Superuser          bool            `json:"is_superuser"`
	Attributes         map[string]any  `json:"attributes"`
	Groups             []wireGroup     `json:"groups_obj"`
	Roles              []wireRole      `json:"roles_obj"`
	UUID               uuid.UUID       `json:"uuid"`
	UID                string          `json:"uid"`
	Avatar             string          `json:"avatar"`
	Path               string          `json:"path"`
	Type               string          `json:"type"`
	DateJoined         time.Time       `json:"date_joined"`
	LastLogin          time.Time       `json:"last_login"`
	LastUpdated        time.Time       `json:"last_updated"`
	PasswordChangeDate time.Time       `json:"password_change_date"`
}

type wireGroup struct {
	PK         uuid.UUID      `json:"pk"`
	NumPK      int64          `json:"num_pk"`
	Name       string         `json:"name"`
	Superuser  bool           `json:"is_superuser"`
	Parent     uuid.UUID      `json:"parent"`
	ParentName string         `json:"parent_name"`
	Attributes map[string]any `json:"attributes"`
}

type wireRole struct {
	PK   uuid.UUID `json:"pk"`
	Name string    `json:"name"`
}

// ReadProfiles reads profiles from a JSON list of objects in the form in which
// answers show them (user_obj). Only pk is required, a number or a string; is_active
// defaults to true.
func ReadProfiles(r io.Reader) ([]Profile, error) {
	var list []wireProfile
	dec := json.NewDecoder(r)
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("profiles: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("profiles: something follows the list")
	}
	profiles := make([]Profile, len(list))
	for i, u := range list {
		id, ok := wireID(u.PK)
		if !ok {
			return nil, fmt.Errorf("profiles: entry %d (%q): pk is neither a positive integer nor a string", i+1, u.Username)
		}
		profiles[i] = Profile{
			ID: id, Username: u.Username, Name: u.Name, Email: u.Email,
			Active: u.Active == nil || *u.Active, Superuser: u.Superuser,
			Attributes: u.Attributes,
			UUID:       u.UUID, UID: u.UID, Avatar: u.Avatar, Path: u.Path, Type: u.Type,
			DateJoined: u.DateJoined, LastLogin: u.LastLogin, LastUpdated: u.LastUpdated,
			PasswordChangeDate: u.PasswordChangeDate,
		}
		for _, g := range u.Groups {
			profiles[i].Groups = append(profiles[i].Groups, Group(g))
		}
		for _, r := range u.Roles {
			profiles[i].Roles = append(profiles[i].Roles, Role(r))
		}
	}
	return profiles, nil
}

// wireID reads an ID that is written as a positive integer or as a string.
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

// parseLifetime reads a lifetime such as "hours=2;minutes=30" as authentik does.
// Units may be in any case and have fractions. Unknown units are ignored, but one
// must be known. If a unit occurs twice, the last one wins.
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
	// 100 years either way are as good as more, and can be added to any date
	// without leaving the range of dates.
	const limit = 100 * 365 * 24 * time.Hour
	return time.Duration(min(max(total, -float64(limit)), float64(limit))).Round(time.Microsecond), true
}
