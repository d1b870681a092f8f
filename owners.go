package authtoken

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/authtoken/authtoken/store"
)

// Owner returns the user that owns t. If the owner is not in the directory any more,
// Owner returns an inactive user with only the ID. For a key, it returns the owner whom the
// check found, and does not look again.
//
// Owner does not ask whether the actor may see t: give it tokens that the actor has got from
// other methods.
func (a *Access) Owner(ctx context.Context, t Token) (User, error) {
	if a.proof.kind == aKey && t.User == a.actor.user.ID {
		return a.actor.user, nil // whom the principal already shows
	}
	by, err := a.reader(ctx)
	if err != nil {
		return User{}, err
	}
	return a.s.owner(ctx, t.User, by)
}

// Owners returns the owners of tokens, by ID, each as [Access.Owner] returns it.
//
// It asks a [BatchDirectory] once, and any other directory once for each owner. It does
// not ask for the actor. If the directory fails, Owners returns its error and no owners.
func (a *Access) Owners(ctx context.Context, tokens []Token) (map[string]User, error) {
	by, err := a.reader(ctx)
	if err != nil {
		return nil, err
	}
	owners := make(map[string]User)
	var others []string
	for _, t := range tokens {
		if t.User == by.user.ID {
			owners[t.User] = by.user
		} else {
			others = append(others, t.User)
		}
	}
	slices.SortFunc(others, store.CompareUsers)
	others = slices.Compact(others)
	find := a.s.findOwners
	if directory, ok := a.s.users.(BatchDirectory); ok && len(others) > 0 {
		find = directory.Users
	}
	found, err := find(ctx, others)
	if err != nil {
		return nil, fmt.Errorf("find owners: %w", err)
	}
	for _, id := range others {
		owner, ok := found[id]
		if !ok {
			owner.ID = id
		}
		if owner.ID != id {
			return nil, fmt.Errorf("find owners: %w", anotherUser(id, owner.ID))
		}
		owners[id] = owner
	}
	return owners, nil
}

// findOwners looks up users one by one, for a directory without a batch look-up.
func (s *Service) findOwners(ctx context.Context, ids []string) (map[string]User, error) {
	found := make(map[string]User, len(ids))
	for _, id := range ids {
		u, err := s.lookUp(ctx, id)
		switch {
		case err == nil:
			found[id] = u
		case !errors.Is(err, ErrUserNotFound):
			return nil, err
		}
	}
	return found, nil
}

// owner returns the owner with this ID, or what Owner returns for one who is gone.
func (s *Service) owner(ctx context.Context, id string, by *actor) (User, error) {
	u, err := s.user(ctx, id, by)
	if errors.Is(err, ErrUserNotFound) {
		return User{ID: id}, nil
	}
	return u, err
}

// user looks up a user, unless it is the actor, who is known.
func (s *Service) user(ctx context.Context, id string, by *actor) (User, error) {
	if by.user.ID == id && !by.trusted {
		return by.user, nil
	}
	return s.lookUp(ctx, id)
}

// lookUp asks the directory for a user. A user with another ID is an error.
func (s *Service) lookUp(ctx context.Context, id string) (u User, err error) {
	if !isUserID(id) {
		return User{}, ErrUserNotFound
	}
	u, err = s.users.User(ctx, id)
	if err == nil && u.ID != id {
		return User{}, anotherUser(id, u.ID)
	}
	return u, err
}

// anotherUser is the error for a directory that returns another user than it was asked
// for. Neither user's rights may count.
func anotherUser(asked, got string) error {
	return fmt.Errorf("the directory was asked for user %q and returned user %q", asked, got)
}
