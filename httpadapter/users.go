package httpadapter

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken"
)

// wireUser is what answers show of a user, for reading.
type wireUser struct {
	PK                 int64          `json:"pk"`
	Username           string         `json:"username"`
	Name               string         `json:"name"`
	Email              string         `json:"email"`
	Active             *bool          `json:"is_active"`
	Superuser          bool           `json:"is_superuser"`
	Attributes         map[string]any `json:"attributes"`
	Groups             []wireGroup    `json:"groups_obj"`
	Roles              []wireRole     `json:"roles_obj"`
	UUID               uuid.UUID      `json:"uuid"`
	UID                string         `json:"uid"`
	Avatar             string         `json:"avatar"`
	Path               string         `json:"path"`
	Type               string         `json:"type"`
	DateJoined         time.Time      `json:"date_joined"`
	LastLogin          time.Time      `json:"last_login"`
	LastUpdated        time.Time      `json:"last_updated"`
	PasswordChangeDate time.Time      `json:"password_change_date"`
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

// ReadUsers reads users from a JSON list of objects in the form in which answers
// show them (user_obj). Only pk is required, and is_active defaults to true.
// Use authtoken.NewUserList to make a directory of them.
func ReadUsers(r io.Reader) ([]authtoken.User, error) {
	var list []wireUser
	dec := json.NewDecoder(r)
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("users: something follows the list")
	}
	users := make([]authtoken.User, len(list))
	for i, u := range list {
		if u.PK <= 0 {
			return nil, fmt.Errorf("users: entry %d (%q): pk is %d, not positive", i+1, u.Username, u.PK)
		}
		users[i] = authtoken.User{
			PK: u.PK, Username: u.Username, Name: u.Name, Email: u.Email,
			Active: u.Active == nil || *u.Active, Superuser: u.Superuser,
			Attributes: u.Attributes,
			UUID:       u.UUID, UID: u.UID, Avatar: u.Avatar, Path: u.Path, Type: u.Type,
			DateJoined: u.DateJoined, LastLogin: u.LastLogin, LastUpdated: u.LastUpdated,
			PasswordChangeDate: u.PasswordChangeDate,
		}
		for _, g := range u.Groups {
			users[i].Groups = append(users[i].Groups, authtoken.Group(g))
		}
		for _, r := range u.Roles {
			users[i].Roles = append(users[i].Roles, authtoken.Role(r))
		}
	}
	return users, nil
}
