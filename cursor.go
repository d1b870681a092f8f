package authtoken

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// cursor is the content of a cursor: the order, and the values by which the last record
// was sorted. The client has just seen those values, so the cursor reveals nothing. It
// also gives no access, because the query still says which tokens the client may see.
type cursor struct {
	Order       []store.Order `json:"o,omitempty"`
	PK          []byte        `json:"k"`
	Identifier  string        `json:"n,omitempty"`
	Intent      string        `json:"i,omitempty"`
	User        string        `json:"u,omitempty"`
	Description string        `json:"d,omitempty"`
	Managed     string        `json:"m,omitempty"`
	Expires     time.Time     `json:"e,omitzero"`
	Expiring    bool          `json:"x,omitempty"`
	Created     time.Time     `json:"c,omitzero"`
	LastUsed    time.Time     `json:"l,omitzero"`
}

func formatCursor(r *store.Record, order []store.Order) (string, error) {
	c := cursor{Order: order, PK: r.PK[:]}
	if len(order) == 0 {
		c.Identifier = r.Identifier
	}
	for _, o := range order {
		switch o.Field {
		case store.FieldIdentifier:
			c.Identifier = r.Identifier
		case store.FieldIntent:
			c.Intent = r.Intent
		case store.FieldUser:
			c.User = r.User
		case store.FieldDescription:
			c.Description = r.Description
		case store.FieldManaged:
			c.Managed = r.Managed
		case store.FieldExpires:
			c.Expires = r.Expires
		case store.FieldExpiring:
			c.Expiring = r.Expiring
		case store.FieldCreated:
			c.Created = r.Created
		case store.FieldLastUsed:
			c.LastUsed = r.LastUsed
		}
	}
	text, err := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(text), err
}

// parseCursor returns a record with those values. For an empty cursor, which is the
// beginning, it returns nil.
func parseCursor(s string, order []store.Order) (*store.Record, error) {
	if s == "" {
		return nil, nil
	}
	var c cursor
	text, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	texts := c.Identifier + c.Intent + c.User + c.Description + c.Managed
	if err != nil || len(c.PK) != len(store.PK{}) || !isText(texts) || !slices.Equal(c.Order, order) {
		return nil, fault(FieldError{Field: "cursor", Code: CodeInvalid})
	}
	return &store.Record{
		PK:          store.PK(c.PK),
		Identifier:  c.Identifier,
		Intent:      c.Intent,
		User:        c.User,
		Description: c.Description,
		Managed:     c.Managed,
		Expires:     c.Expires,
		Expiring:    c.Expiring,
		Created:     c.Created,
		LastUsed:    c.LastUsed,
	}, nil
}
