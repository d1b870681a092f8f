package authtoken

import (
	"context"
	"errors"
)

// Revoke deletes all tokens that fit f and returns them. Their keys are refused from
// then on, and no token that one of them was making is left. If there is an error, the
// tokens that are returned have been deleted.
//
// Trusted code and superusers must say whose tokens: f names a User or a Username,
// or has AllUsers. So a user id that is empty by mistake is an error, not
// everybody. Anybody else revokes only their own. For a key that ends (see
// [Service.For]) the error matches [ErrForbidden].
func (a *Access) Revoke(ctx context.Context, f Filter) (revoked []Token, err error) {
	defer wrap(&err, "revoke tokens")
	now := a.s.now()
	by, err := a.writer(ctx, now)
	switch {
	case err != nil:
		return nil, err
	case !by.ends.IsZero():
		return nil, ErrForbidden
	case by.seesAll() && f.User == "" && f.Username == "" && !f.AllUsers:
		return nil, errors.New("the filter names no user; AllUsers is for the tokens of all")
	}
	q, err := a.s.query(ctx, &f, by)
	if err != nil {
		return nil, err
	}
	// A key that was used while its token was deleted may have made another token that
	// a store had not seen yet. So look again, until there is none.
	for range 100 {
		tokens, err := a.s.purge(ctx, q, EventRevoked, by, now)
		revoked = append(revoked, tokens...)
		if err != nil || len(tokens) == 0 {
			return revoked, err
		}
		ctx = context.WithoutCancel(ctx) // what has begun is done
	}
	return revoked, nil
}
