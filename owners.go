package authtoken

import (
	"context"
	"fmt"
	"slices"
)

// Owners returns the users that tokens belong to, by pk. Each is what Owner
// returns: for a user whom the directory does not know any more, that is a user
// with nothing but the pk.
//
// A directory that is a [BatchDirectory] is asked once, or not at all if all tokens
// are the caller's own. Any other is asked once for each owner. If it fails, there
// are no owners, and its error is returned.
func (c *Caller) Owners(ctx context.Context, tokens []Token) (map[int64]User, error) {
	owners := make(map[int64]User)
	var others []int64
	for _, t := range tokens {
		if t.User == c.user.PK {
			owners[t.User] = c.user
		} else {
			others = append(others, t.User)
		}
	}
	slices.Sort(others)
	others = slices.Compact(others)
	find := c.findOwners
	if directory, ok := c.s.users.(BatchDirectory); ok && len(others) > 0 {
		find = directory.Users
	}
	found, err := find(ctx, others)
	if err != nil {
		return nil, fmt.Errorf("find owners: %w", err)
	}
	for _, pk := range others {
		owner, ok := found[pk]
		if !ok {
			owner.PK = pk
		}
		owners[pk] = owner
	}
	return owners, nil
}

// findOwners asks for users one by one.
func (c *Caller) findOwners(ctx context.Context, pks []int64) (map[int64]User, error) {
	found := make(map[int64]User, len(pks))
	for _, pk := range pks {
		owner, err := c.s.owner(ctx, pk, c)
		if err != nil {
			return nil, err
		}
		found[pk] = owner
	}
	return found, nil
}
