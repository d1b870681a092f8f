package httpadapter

import (
	"context"
	"fmt"
	"strconv"

	"github.com/authtoken/authtoken"
)

// authentik's users have integers for IDs. An application's users can have any text. There
// are three ways to write it on the wire:
//
//   - With Config.TextUserIDs, every ID is a string.
//   - With Config.UserNumber and Config.UserID, the application translates every ID to a
//     number and back.
//   - With neither, an ID that is a decimal number is that number. Any other ID is
//     written as a string, and a request can't contain it.

// appendID appends the ID of a user in the form that it has on the wire.
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

// userID returns the ID of the user with this number. If there is no such user, the error
// matches authtoken.ErrUserNotFound.
func (h *Handler) userID(ctx context.Context, n int64) (string, error) {
	if h.cfg.UserID != nil {
		return h.cfg.UserID(ctx, n)
	}
	if n < 0 {
		return "", authtoken.ErrUserNotFound
	}
	return strconv.FormatInt(n, 10), nil
}
