package authtoken

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Owner returns the user that t belongs to. A token can outlive its owner's entry
// in the directory; what is left is a user with nothing but the pk, who is not
// active.
func (a *Access) Owner(ctx context.Context, t Token) (User, error) {
	by, err := a.reader(ctx)
	if err != nil {
		return User{}, err
	}
	return a.s.owner(ctx, t.User, by)
}

// Owners returns the users that tokens belong to, by pk, each as Owner returns it.
//
// A directory that is a [BatchDirectory] is asked once, or not at all if all tokens
// are the actor's own. Any other is asked once for each owner. If it fails, there
// are no owners, and its error is returned.
func (a *Access) Owners(ctx context.Context, tokens []Token) (map[int64]User, error) {
	by, err := a.reader(ctx)
	if err != nil {
		return nil, err
	}
	owners := make(map[int64]User)
	var others []int64
	for _, t := range tokens {
		if t.User == by.user.PK {
			owners[t.User] = by.user
		} else {
			others = append(others, t.User)
		}
	}
	slices.Sort(others)
	others = slices.Compact(others)
	find := a.s.findOwners
	if directory, ok := a.s.users.(BatchDirectory); ok && len(others) > 0 {
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
func (s *Service) findOwners(ctx context.Context, pks []int64) (map[int64]User, error) {
	found := make(map[int64]User, len(pks))
	for _, pk := range pks {
		u, err := s.users.User(ctx, pk)
		switch {
		case err == nil:
			found[pk] = u
		case !errors.Is(err, ErrUserNotFound):
			return nil, err
		}
	}
	return found, nil
}

// owner returns the user that a token belongs to.
func (s *Service) owner(ctx context.Context, pk int64, by *actor) (User, error) {
	u, err := s.user(ctx, pk, by)
	if errors.Is(err, ErrUserNotFound) {
		return User{PK: pk}, nil
	}
	return u, err
}

// user spares the directory if the actor is the one asked for.
func (s *Service) user(ctx context.Context, pk int64, by *actor) (User, error) {
	if by.user.PK == pk && !by.trusted {
		return by.user, nil
	}
	return s.users.User(ctx, pk)
}
