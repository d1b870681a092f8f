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

// appendID appends an ID as it is written.
func (h *Handler) appendID(ctx context.Context, b []byte, id string) ([]byte, error) {
	if h.cfg.UserNumber != nil {
		n, err := h.cfg.UserNumber(ctx, id)
		if err != nil {
			return b, fmt.Errorf("number of user %q: %w", id, err)
		}
		return strconv.AppendInt(b, n, 10), nil
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err == nil && n >= 0 && strconv.FormatInt(n, 10) == id && !h.cfg.TextUserIDs {
		return append(b, id...), nil
	}
	return appendString(b, "", id), nil
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
