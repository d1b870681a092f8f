package userapp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken"
)

// Users makes the application's own table of users the directory of its tokens. Its
// SQL is good for SQLite and for PostgreSQL.
type Users struct{ DB *sql.DB }

var (
	_ authtoken.Directory      = Users{}
	_ authtoken.BatchDirectory = Users{} // optional: one query for all owners on a page
	_ authtoken.UserFinder     = Users{} // optional: superusers can search by username
)

// User returns the user with this ID.
func (d Users) User(ctx context.Context, id string) (authtoken.User, error) {
	found, err := d.Users(ctx, []string{id})
	u, ok := found[id]
	if err == nil && !ok {
		err = authtoken.ErrUserNotFound
	}
	return u, err
}

// Users returns the users with these IDs, in one query.
//
// IDs come from requests too. A text that is not a UUID in its usual form is nobody's
// ID, and is not asked for. PostgreSQL would fail on it, or take "0198C0DE-…" for the
// user "0198c0de-…".
func (d Users) Users(ctx context.Context, ids []string) (map[string]authtoken.User, error) {
	var places []string
	var args []any
	for _, id := range ids {
		if u, err := uuid.Parse(id); err == nil && u.String() == id {
			args = append(args, id)
			places = append(places, fmt.Sprintf("$%d", len(args)))
		}
	}
	found := make(map[string]authtoken.User)
	if len(args) == 0 {
		return found, nil
	}
	rows, err := d.DB.QueryContext(ctx, `SELECT id, username, active, is_admin, created_at FROM users
		WHERE id IN (`+strings.Join(places, ", ")+`)`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		// With Created, keys that are older than their user are refused. So a user whose ID
		// somebody else had before does not inherit that one's keys.
		var u authtoken.User
		if err := rows.Scan(&u.ID, &u.Username, &u.Active, &u.Superuser, &u.Created); err != nil {
			return nil, err
		}
		found[u.ID] = u
	}
	return found, rows.Err()
}

// UserNamed returns the ID of the user with this username.
func (d Users) UserNamed(ctx context.Context, username string) (id string, err error) {
	err = d.DB.QueryRowContext(ctx, `SELECT id FROM users WHERE username = $1`, username).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = authtoken.ErrUserNotFound
	}
	return id, err
}

// UsersMatching returns the IDs of the users whose username contains part, whatever the
// case. SQLite knows the case of A to Z only.
func (d Users) UsersMatching(ctx context.Context, part string) (ids []string, err error) {
	literally := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(part)
	rows, err := d.DB.QueryContext(ctx,
		`SELECT id FROM users WHERE lower(username) LIKE '%' || lower($1) || '%' ESCAPE '\'`, literally)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Add adds a user. Created is stored to the microsecond, as the times of tokens are.
// CURRENT_TIMESTAMP of SQLite would drop the fraction, and so be earlier than a token
// that the ID's user before had made within the same second.
func (d Users) Add(ctx context.Context, u authtoken.User) error {
	_, err := d.DB.ExecContext(ctx, `INSERT INTO users (id, username, active, is_admin, created_at) VALUES ($1, $2, $3, $4, $5)`,
		u.ID, u.Username, u.Active, u.Superuser, u.Created.UTC().Truncate(time.Microsecond))
	return err
}

// Delete deletes a user, if there is one with this ID.
func (d Users) Delete(ctx context.Context, id string) error {
	_, err := d.DB.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, id)
	return err
}
