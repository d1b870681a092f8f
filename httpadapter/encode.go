package httpadapter

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken"
)

// This file writes JSON by hand: encoding/json takes three times as long, and that would
// be most of the cost of a request. TestEncode compares the two.
//
// Most functions take the text that stands before the value, such as `,"name":`.

// appendBeforeOwner appends the part of a token that stands before its owner.
func appendBeforeOwner(b []byte, t *authtoken.Token) []byte {
	b = appendUUID(b, `{"pk":`, t.PK)
	b = appendStringOrNull(b, `,"managed":`, t.Managed)
	b = appendString(b, `,"identifier":`, t.Identifier)
	b = appendString(b, `,"intent":`, string(t.Intent))
	return append(b, `,"user":`...)
}

// appendAfterOwner appends the rest of a token. It shows the key, unless key is zero.
func (h *Handler) appendAfterOwner(b []byte, t *authtoken.Token, key authtoken.Key) []byte {
	b = appendString(b, `,"description":`, t.Description)
	b = appendTime(b, `,"expires":`, t.Expires)
	b = appendBool(b, `,"expiring":`, t.Expiring)
	if !h.cfg.AuthentikFieldsOnly {
		b = appendTime(b, `,"created":`, t.Created)
		b = appendTime(b, `,"last_used":`, t.LastUsed)
		b = appendBounds(b, t)
	}
	if secret := key.Reveal(); secret != "" {
		b = appendString(b, `,"key":`, secret)
	}
	return append(b, '}')
}

// appendBounds appends what the key permits, and what is noted about the token.
func appendBounds(b []byte, t *authtoken.Token) []byte {
	if t.Scopes == authtoken.ScopeAll { // as for most tokens
		b = append(b, `,"scopes":["*"]`...)
	} else {
		b = appendList(b, `,"scopes":`, t.Scopes.Names(), func(b []byte, name *string) []byte { return appendString(b, "", *name) })
	}
	if t.Networks == nil {
		b = append(b, `,"allowed_ips":null`...)
	} else {
		b = appendList(b, `,"allowed_ips":`, t.Networks, func(b []byte, n *netip.Prefix) []byte { return append(n.AppendTo(append(b, '"')), '"') })
	}
	b = appendBool(b, `,"suspended":`, t.Suspended)
	b = appendBool(b, `,"locked":`, t.Locked)
	b = append(b, `,"metadata":{`...)
	if len(t.Metadata) > 0 {
		b = appendMetadata(b, t.Metadata)
	}
	if t.Via == uuid.Nil {
		return append(b, `},"via":null`...)
	}
	return appendUUID(b, `},"via":`, t.Via)
}

func appendMetadata(b []byte, metadata map[string]string) []byte {
	before := ""
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		b = appendString(appendString(b, before, name), ":", metadata[name])
		before = ","
	}
	return b
}

// appendOwner appends the owner of a token: the ID and the user_obj.
func (h *Handler) appendOwner(ctx context.Context, b []byte, u *Profile) ([]byte, error) {
	start := len(b)
	b, err := h.appendID(ctx, b, u.ID)
	if err != nil {
		return b, err
	}
	id := b[start:]
	b = append(b, `,"user_obj":{"pk":`...)
	b = append(b, id...)
	b = appendString(b, `,"username":`, u.Username)
	b = appendString(b, `,"name":`, u.Name)
	b = appendBool(b, `,"is_active":`, u.Active)
	b = appendTime(b, `,"last_login":`, u.LastLogin)
	b = appendRequiredTime(b, `,"date_joined":`, u.DateJoined)
	b = appendBool(b, `,"is_superuser":`, u.Superuser)
	b = appendList(b, `,"groups":`, u.Groups, func(b []byte, g *Group) []byte { return appendUUID(b, "", g.PK) })
	b = appendList(b, `,"groups_obj":`, u.Groups, func(b []byte, g *Group) []byte { return appendGroup(b, g, &err) })
	b = appendList(b, `,"roles":`, u.Roles, func(b []byte, r *Role) []byte { return appendUUID(b, "", r.PK) })
	b = appendList(b, `,"roles_obj":`, u.Roles, appendRole)
	b = appendString(b, `,"email":`, u.Email)
	b = appendString(b, `,"avatar":`, u.Avatar)
	b = appendAttributes(b, u.Attributes, &err)
	b = appendString(b, `,"uid":`, u.UID)
	b = appendString(b, `,"path":`, cmp.Or(u.Path, "users"))
	b = appendString(b, `,"type":`, userType(u.Type))
	b = appendUUID(b, `,"uuid":`, u.UUID)
	b = appendRequiredTime(b, `,"password_change_date":`, u.PasswordChangeDate)
	b = appendRequiredTime(b, `,"last_updated":`, u.LastUpdated)
	return append(b, '}'), err
}

func appendGroup(b []byte, g *Group, err *error) []byte {
	b = appendUUID(b, `{"pk":`, g.PK)
	b = appendInt(b, `,"num_pk":`, g.NumPK)
	b = appendString(b, `,"name":`, g.Name)
	b = appendBool(b, `,"is_superuser":`, g.Superuser)
	if g.Parent == uuid.Nil {
		b = append(b, `,"parent":null`...)
	} else {
		b = appendUUID(b, `,"parent":`, g.Parent)
	}
	b = appendStringOrNull(b, `,"parent_name":`, g.ParentName)
	b = appendAttributes(b, g.Attributes, err)
	return append(b, '}')
}

func appendRole(b []byte, r *Role) []byte {
	b = appendUUID(b, `{"pk":`, r.PK)
	b = appendString(b, `,"name":`, r.Name)
	return append(b, '}')
}

// userType returns t if it is a type that clients know. They fail on any other.
func userType(t string) string {
	switch t {
	case "external", "service_account", "internal_service_account":
		return t
	}
	return "internal"
}

// appendList appends a JSON array. one appends an element.
func appendList[T any](b []byte, before string, list []T, one func([]byte, *T) []byte) []byte {
	b = append(append(b, before...), '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, &list[i])
	}
	return append(b, ']')
}

// appendAttributes sets err if the attributes can't be encoded.
func appendAttributes(b []byte, attributes map[string]any, err *error) []byte {
	b = append(b, `,"attributes":`...)
	if len(attributes) == 0 {
		return append(b, "{}"...)
	}
	text, failure := json.Marshal(attributes)
	if failure != nil {
		*err = fmt.Errorf("encode attributes: %w", failure)
	}
	return append(b, text...)
}

// appendTime appends a time in authentik's form: in UTC, with microseconds unless they
// are 0. The zero time is null.
func appendTime(b []byte, before string, t time.Time) []byte {
	b = append(b, before...)
	if t.IsZero() {
		return append(b, "null"...)
	}
	// Package time formats this layout fast, but no layout with microseconds.
	b = t.UTC().AppendFormat(append(b, '"'), time.RFC3339)
	if micro := t.Nanosecond() / 1000; micro > 0 {
		end := len(b) - len("Z")
		b = strconv.AppendInt(b[:end], int64(1_000_000+micro), 10) // the 1 becomes the point
		b[end] = '.'
		b = append(b, 'Z')
	}
	return append(b, '"')
}

// appendRequiredTime is appendTime for times that must not be null.
func appendRequiredTime(b []byte, before string, t time.Time) []byte {
	if t.IsZero() {
		return append(append(b, before...), `"1970-01-01T00:00:00Z"`...)
	}
	return appendTime(b, before, t)
}

func appendBool(b []byte, before string, v bool) []byte {
	return strconv.AppendBool(append(b, before...), v)
}

func appendInt(b []byte, before string, n int64) []byte {
	return strconv.AppendInt(append(b, before...), n, 10)
}

func appendStringOrNull(b []byte, before, s string) []byte {
	if s == "" {
		return append(append(b, before...), "null"...)
	}
	return appendString(b, before, s)
}

const hexDigits = "0123456789abcdef"

func appendUUID(b []byte, before string, id uuid.UUID) []byte {
	b = append(append(b, before...), '"')
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, hexDigits[c>>4], hexDigits[c&0xf])
	}
	return append(b, '"')
}

// appendString appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, before, s string) []byte {
	b = append(append(b, before...), '"')
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
