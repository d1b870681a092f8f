package httpadapter

import (
	"context"
	"fmt"
	"strconv"

	"github.com/authtoken/authtoken"
)

// authentik knows users by integers. The IDs of an application's users may be any
// text, and go on the wire in one of three ways.
//
//   - Config.TextUserIDs: every ID is a string.
//   - Config.UserNumber and Config.UserID: every ID is the number that the application
//     has for it.
//   - Neither: an ID that is a decimal number is that number. Any other is written as
//     a string, and can't be named in a request.

// number returns the number that stands for a user on the wire. It reports false for
// an ID that is written as text.
func (h *Handler) number(ctx context.Context, id string) (n int64, ok bool, err error) {
	switch {
	case h.cfg.TextUserIDs:
		return 0, false, nil
	case h.cfg.UserNumber != nil:
		if n, err = h.cfg.UserNumber(ctx, id); err != nil {
			err = fmt.Errorf("number of user %q: %w", id, err)
		}
		return n, true, err
	}
	n, err = strconv.ParseInt(id, 10, 64)
	return n, err == nil && n >= 0 && strconv.FormatInt(n, 10) == id, nil
}

// userID returns the ID of the user whom a request names by this number. If there is
// none, the error matches authtoken.ErrUserNotFound.
func (h *Handler) userID(ctx context.Context, n int64) (string, error) {
	if h.cfg.UserID != nil {
		return h.cfg.UserID(ctx, n)
	}
	if n < 0 {
		return "", authtoken.ErrUserNotFound
	}
	return strconv.FormatInt(n, 10), nil
}

// appendID appends an ID as it is written.
func (h *Handler) appendID(ctx context.Context, b []byte, id string) ([]byte, error) {
	n, ok, err := h.number(ctx, id)
	if ok {
		return strconv.AppendInt(b, n, 10), err
	}
	return appendString(b, "", id), err
}
