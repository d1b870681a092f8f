package authtoken

import (
	"context"
	"errors"
)

// Revoke deletes all tokens that match f, and returns them. From then on their keys are
// refused. If one of those keys was making another token that matches f, that token is
// deleted too. If there is an error, the tokens that Revoke returns have been deleted.
//
// Trusted code and superusers must say whose tokens to delete: f must name a User or a
// Username, or set AllUsers. So an ID that is empty by mistake is an error, and not
// everybody. Other users revoke only their own tokens, except those that are locked. For a
// bounded key (see [Service.For]), the error matches [ErrForbidden].
func (a *Access) Revoke(ctx context.Context, f Filter) (revoked []Token, err error) {
	defer wrap(&err, "revoke tokens")
	now := a.s.now()
	by, err := a.writer(ctx, now)
	switch {
	case err != nil:
		return nil, err
	case by.bounded():
		return nil, ErrForbidden
	case by.seesAll() && f.User == "" && f.Username == "" && !f.AllUsers:
		return nil, errors.New("the filter names no user: set AllUsers to revoke the tokens of all users")
	}
	q, err := a.s.query(ctx, &f, by)
	if err != nil {
		return nil, err
	}
	if !by.seesAll() {
		q.States = unlocked(q.States)
	}
	// A key may have made another token while its own was being deleted. So purge again
	// until nothing is left.
	for range 100 {
		tokens, err := a.s.purge(ctx, q, EventRevoked, by, now)
		revoked = append(revoked, tokens...)
		if err != nil || len(tokens) == 0 {
			return revoked, err
		}
		ctx = context.WithoutCancel(ctx) // finish what has begun
	}
	return revoked, errors.New("tokens are made faster than they can be revoked: call again")
}
