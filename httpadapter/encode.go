package httpadapter

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken"
)

// The answers are put together by hand: encoding/json takes three times as
// long, which is most of what a request costs here. TestEncode holds it against
// encoding/json.

const hexDigits = "0123456789abcdef"

// appendToken appends the wire form of t, with its key if there is one to show.
func (h *Handler) appendToken(ctx context.Context, b []byte, t *authtoken.Token, owner *Profile, key authtoken.Key) ([]byte, error) {
	b = appendBeforeOwner(b, t)
	b, err := h.appendOwner(ctx, b, owner)
	if err != nil {
		return nil, err
	}
	return h.appendAfterOwner(b, t, key), nil
}

// appendOwner appends a user: as the owner of a token, and as its user_obj.
func (h *Handler) appendOwner(ctx context.Context, b []byte, owner *Profile) ([]byte, error) {
	start := len(b)
	b, err := h.appendID(ctx, b, owner.ID)
	if err != nil {
		return nil, err
	}
	id := b[start:]
	b = append(b, `,"user_obj":`...)
	return appendProfile(b, owner, id)
}

// appendBeforeOwner appends the part of a token that comes before its owner.
func appendBeforeOwner(b []byte, t *authtoken.Token) []byte {
	b = append(b, `{"pk":`...)
	b = appendUUID(b, t.PK)
	b = append(b, `,"managed":`...)
	b = appendStringOrNull(b, t.Managed)
	b = append(b, `,"identifier":`...)
	b = appendString(b, t.Identifier)
	b = append(b, `,"intent":`...)
	b = appendString(b, string(t.Intent))
	return append(b, `,"user":`...)
}

// appendAfterOwner appends the rest.
func (h *Handler) appendAfterOwner(b []byte, t *authtoken.Token, key authtoken.Key) []byte {
	b = append(b, `,"description":`...)
	b = appendString(b, t.Description)
	b = append(b, `,"expires":`...)
	b = appendTime(b, t.Expires)
	b = append(b, `,"expiring":`...)
	b = strconv.AppendBool(b, t.Expiring)
	if !h.strict {
		b = append(b, `,"created":`...)
		b = appendTime(b, t.Created)
		b = append(b, `,"last_used":`...)
		b = appendTime(b, t.LastUsed)
	}
	if secret := key.Reveal(); secret != "" {
		b = append(b, `,"key":`...)
		b = appendString(b, secret)
	}
	return append(b, '}')
}

// appendProfile appends the user_obj of a user whose ID is written as id.
func appendProfile(b []byte, u *Profile, id []byte) ([]byte, error) {
	b = append(b, `{"pk":`...)
	b = append(b, id...)
	b = append(b, `,"username":`...)
	b = appendString(b, u.Username)
	b = append(b, `,"name":`...)
	b = appendString(b, u.Name)
	b = append(b, `,"is_active":`...)
	b = strconv.AppendBool(b, u.Active)
	b = append(b, `,"last_login":`...)
	b = appendTime(b, u.LastLogin)
	b = append(b, `,"date_joined":`...)
	b = appendRequiredTime(b, u.DateJoined)
	b = append(b, `,"is_superuser":`...)
	b = strconv.AppendBool(b, u.Superuser)

	b = append(b, `,"groups":`...)
	b = appendList(b, u.Groups, func(b []byte, g *Group) []byte { return appendUUID(b, g.PK) })
	b = append(b, `,"groups_obj":`...)
	var err error
	b = appendList(b, u.Groups, func(b []byte, g *Group) []byte {
		b = append(b, `{"pk":`...)
		b = appendUUID(b, g.PK)
		b = append(b, `,"num_pk":`...)
		b = strconv.AppendInt(b, g.NumPK, 10)
		b = append(b, `,"name":`...)
		b = appendString(b, g.Name)
		b = append(b, `,"is_superuser":`...)
		b = strconv.AppendBool(b, g.Superuser)
		b = append(b, `,"parent":`...)
		if g.Parent == uuid.Nil {
			b = append(b, "null"...)
		} else {
			b = appendUUID(b, g.Parent)
		}
		b = append(b, `,"parent_name":`...)
		b = appendStringOrNull(b, g.ParentName)
		b = append(b, `,"attributes":`...)
		b = appendAttributes(b, g.Attributes, &err)
		return append(b, '}')
	})
	b = append(b, `,"roles":`...)
	b = appendList(b, u.Roles, func(b []byte, r *Role) []byte { return appendUUID(b, r.PK) })
	b = append(b, `,"roles_obj":`...)
	b = appendList(b, u.Roles, func(b []byte, r *Role) []byte {
		b = append(b, `{"pk":`...)
		b = appendUUID(b, r.PK)
		b = append(b, `,"name":`...)
		b = appendString(b, r.Name)
		return append(b, '}')
	})

	b = append(b, `,"email":`...)
	b = appendString(b, u.Email)
	b = append(b, `,"avatar":`...)
	b = appendString(b, u.Avatar)
	b = append(b, `,"attributes":`...)
	b = appendAttributes(b, u.Attributes, &err)
	b = append(b, `,"uid":`...)
	b = appendString(b, u.UID)
	b = append(b, `,"path":`...)
	b = appendStringOr(b, u.Path, "users")
	b = append(b, `,"type":`...)
	b = appendString(b, userType(u.Type))
	b = append(b, `,"uuid":`...)
	b = appendUUID(b, u.UUID)
	b = append(b, `,"password_change_date":`...)
	b = appendRequiredTime(b, u.PasswordChangeDate)
	b = append(b, `,"last_updated":`...)
	b = appendRequiredTime(b, u.LastUpdated)
	return append(b, '}'), err
}

// userType returns t if clients know it: theirs fail on any other.
func userType(t string) string {
	switch t {
	case "external", "service_account", "internal_service_account":
		return t
	}
	return "internal"
}

func appendList[T any](b []byte, list []T, one func([]byte, *T) []byte) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, &list[i])
	}
	return append(b, ']')
}

// appendAttributes notes in err what can't be encoded.
func appendAttributes(b []byte, attributes map[string]any, err *error) []byte {
	if len(attributes) == 0 {
		return append(b, "{}"...)
	}
	text, e := json.Marshal(attributes)
	if e != nil {
		*err = e
	}
	return append(b, text...)
}

// appendTime appends t as authentik writes times: in UTC, with microseconds if
// there are any. The zero time is null.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339) // which takes half the time of any other layout
	if µs := t.Nanosecond() / 1000; µs > 0 {
		b = append(b[:len(b)-1], '.')
		for unit := 100_000; unit > 0; unit /= 10 {
			b = append(b, byte('0'+µs/unit%10))
		}
		b = append(b, 'Z')
	}
	return append(b, '"')
}

// appendRequiredTime is for times that clients take no null for.
func appendRequiredTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, `"1970-01-01T00:00:00Z"`...)
	}
	return appendTime(b, t)
}

func appendStringOrNull(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

func appendStringOr(b []byte, s, otherwise string) []byte {
	if s == "" {
		s = otherwise
	}
	return appendString(b, s)
}

// appendString appends s as a JSON string. What is no UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		var escaped []byte
		switch {
		case c == '"' || c == '\\':
			escaped = []byte{'\\', c}
		case c == '\n':
			escaped = []byte{'\\', 'n'}
		case c < ' ':
			escaped = []byte{'\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf]}
		default:
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			escaped = []byte("\uFFFD")
		}
		b = append(append(b, s[start:i]...), escaped...)
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

func appendUUID(b []byte, id uuid.UUID) []byte {
	b = append(b, '"')
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, hexDigits[c>>4], hexDigits[c&0xf])
	}
	return append(b, '"')
}
