package authtoken

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// EventKind says what has happened.
type EventKind string

const (
	EventCreated      EventKind = "created"       // the token was made
	EventUpdated      EventKind = "updated"       // fields of the token were changed
	EventRevealed     EventKind = "revealed"      // the key was shown
	EventKeySet       EventKind = "key_set"       // the key was replaced by one made elsewhere
	EventRotated      EventKind = "rotated"       // the key was replaced by a new one
	EventOverlapEnded EventKind = "overlap_ended" // the previous key was stopped before its overlap had ended
	EventSuspended    EventKind = "suspended"     // the key is refused from now on
	EventResumed      EventKind = "resumed"       // the key is accepted again
	EventForgotten    EventKind = "forgotten"     // the token had too many keys, and the oldest is not remembered any more
	EventRevoked      EventKind = "revoked"       // the token was deleted
	EventExpired      EventKind = "expired"       // the token was deleted some time after it had expired
	EventRenewed      EventKind = "renewed"       // the token had expired, and has a new key and a new lifetime
	EventFound        EventKind = "found"         // [Service.Find] was asked whose a key is
	EventRefused      EventKind = "refused"       // a key was not accepted
	EventFailed       EventKind = "failed"        // a call of the janitor failed
)

// Event says what happened to a token, or to a key that a client used. It never contains
// a key.
type Event struct {
	Kind EventKind
	Time time.Time

	// Actor is the ID of the user who acted, through [Service.As] or [Service.For]. It is
	// empty if trusted code acted, and with EventRefused.
	Actor string

	// Via is the PK of the token whose key acted, through [Service.For]. It is zero if no
	// key acted.
	Via uuid.UUID

	// Token is the token after the event; if it was deleted, before. It is zero with
	// EventFailed, and with EventRefused if no token has the key.
	Token Token

	// Reason is why a key was refused, with EventRefused, or what failed, with
	// EventFailed. With EventRevoked it matches ErrKeyRetired if RevokeOnReuse of the
	// [Policy] deleted the token. Otherwise it is nil.
	Reason error

	// From is the From of the [Credentials], with EventRefused.
	From string
}

// Observer receives events. The Service calls Observe after the event has happened, on
// the same goroutine, so several calls may run at once. If Observe panics, the event is
// lost, and the panic is logged to [slog.Default] as an error. If Observe is slow, put a
// [Queue] in front of it.
type Observer interface {
	// Observe is told of an event. It must be safe for concurrent use.
	Observe(ctx context.Context, e Event)
}

// ObserverFunc is a function that is an [Observer].
type ObserverFunc func(ctx context.Context, e Event)

// Observe calls f.
func (f ObserverFunc) Observe(ctx context.Context, e Event) { f(ctx, e) }

func (s *Service) emit(ctx context.Context, e Event) {
	if s.observer != nil {
		observe(ctx, s.observer, e)
	}
}

// observe passes e to o, and logs it if o panics.
func observe(ctx context.Context, o Observer, e Event) {
	defer func() {
		if v := recover(); v != nil {
			// Log only the type of the panic's value: the value may contain a secret.
			slog.Default().ErrorContext(ctx, "token event lost: the observer panicked",
				"event", string(e.Kind), "token", e.Token.Identifier, "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
	}()
	o.Observe(ctx, e)
}

// emitBy sends an event of something that by did.
func (s *Service) emitBy(ctx context.Context, kind EventKind, by *actor, t Token, now time.Time) {
	s.emit(ctx, Event{Kind: kind, Time: now, Actor: by.user.ID, Via: by.via, Token: t})
}

// LogObserver returns an [Observer] that logs events to l. It logs EventRefused and
// EventFailed at level Warn, and all other events at level Info.
func LogObserver(l *slog.Logger) Observer {
	return ObserverFunc(func(ctx context.Context, e Event) {
		level, attrs := slog.LevelInfo, make([]slog.Attr, 0, 8)
		add := func(key, value string) {
			if value != "" {
				attrs = append(attrs, slog.String(key, value))
			}
		}
		if e.Token.Identifier != "" {
			add("token", e.Token.Identifier)
			add("pk", e.Token.PK.String())
			add("intent", string(e.Token.Intent))
			add("user", e.Token.User)
		}
		add("actor", e.Actor)
		if e.Via != uuid.Nil {
			add("via", e.Via.String())
		}
		add("from", e.From)
		if e.Reason != nil {
			add("reason", e.Reason.Error())
		}
		if e.Kind == EventRefused || e.Kind == EventFailed {
			level = slog.LevelWarn
		}
		l.LogAttrs(ctx, level, "token "+string(e.Kind), attrs...)
	})
}

// Queue is an [Observer] that keeps events for another observer, so that the Service does
// not wait for that one. Make a Queue with [NewQueue], and call [Queue.Run] on a goroutine
// of its own. A Queue is safe for concurrent use.
type Queue struct {
	events  chan queued
	dropped atomic.Int64
}

type queued struct {
	ctx   context.Context
	event Event
}

// NewQueue returns a queue for up to size events, and at least one. A full queue drops
// further events.
func NewQueue(size int) *Queue { return &Queue{events: make(chan queued, max(size, 1))} }

// Observe keeps e for Run, or drops it if the queue is full. It never waits.
func (q *Queue) Observe(ctx context.Context, e Event) {
	select {
	case q.events <- queued{context.WithoutCancel(ctx), e}:
	default:
		q.dropped.Add(1)
	}
}

// Dropped returns how many events the queue has dropped so far.
func (q *Queue) Dropped() int64 { return q.dropped.Load() }

// Run passes events to o, one after the other, until ctx ends. Then it passes the events
// that the queue still holds, and returns. If o panics, only that event is lost, as
// [Observer] says.
func (q *Queue) Run(ctx context.Context, o Observer) {
	for ctx.Err() == nil {
		select {
		case v := <-q.events:
			observe(v.ctx, o, v.event)
		case <-ctx.Done():
		}
	}
	for {
		select {
		case v := <-q.events:
			observe(v.ctx, o, v.event)
		default:
			return
		}
	}
}
