package authtoken

import (
	"context"
	"slices"
	"time"

	"github.com/authtoken/authtoken/store"
)

// locked reports whether only trusted code and superusers may resume, change, rotate,
// reveal and delete r. A record whose store has lost its state counts as locked.
func locked(r *store.Record) bool {
	return r.State != store.StateActive && r.State != store.StateSuspended
}

// setState suspends or resumes r. A key that is bounded resumes nothing.
func (by *actor) setState(r *store.Record, suspend *bool) error {
	switch {
	case suspend == nil:
	case *suspend && by.seesAll():
		r.State = store.StateLocked
	case *suspend && r.State == store.StateActive:
		r.State = store.StateSuspended
	case !*suspend && r.State != store.StateActive:
		if by.bounded() {
			return ErrForbidden
		}
		r.State = store.StateActive
	}
	return nil
}

// stateEvent returns the event for a change of state, or empty if there was none.
func stateEvent(before, after store.State) EventKind {
	switch after {
	case before:
		return ""
	case store.StateActive:
		return EventResumed
	default:
		return EventSuspended
	}
}

// states returns the states that a filter asks for. Nil means all. A state that the store
// has lost counts as suspended.
func states(suspended *bool) []store.State {
	switch {
	case suspended == nil:
		return nil
	case *suspended:
		return []store.State{0, store.StateSuspended, store.StateLocked}
	default:
		return []store.State{store.StateActive}
	}
}

// EndOverlap stops the key before the last rotation now, and returns the token. If that
// key is refused already, nothing changes. Errors are as for [Access.Update].
func (a *Access) EndOverlap(ctx context.Context, identifier string, conditions ...Condition) (token Token, err error) {
	defer wrap(&err, "end overlap")
	return a.change(ctx, identifier, conditions, EventOverlapEnded, func(r *store.Record, _ *actor, now time.Time) (EventKind, error) {
		if !r.RetiredUntil.After(now) {
			return "", errUnchanged
		}
		r.RetiredUntil = now
		return "", nil
	})
}

// unlocked returns those of states that are not locked. Nil stands for all.
func unlocked(states []store.State) []store.State {
	both := []store.State{}
	for _, state := range []store.State{store.StateActive, store.StateSuspended} {
		if states == nil || slices.Contains(states, state) {
			both = append(both, state)
		}
	}
	return both
}
