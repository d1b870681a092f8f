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

// EventKind is what has happened.
type EventKind string

const (
	EventCreated   EventKind = "created"
	EventUpdated   EventKind = "updated"
	EventRevealed  EventKind = "revealed"  // the key was shown
	EventKeySet    EventKind = "key_set"   // the key was replaced by one made elsewhere
	EventRotated   EventKind = "rotated"   // the key was replaced by a new one
	EventForgotten EventKind = "forgotten" // the token has had so many keys that the oldest is not remembered any more
	EventRevoked   EventKind = "revoked"   // the token was deleted
	EventExpired   EventKind = "expired"   // the token was deleted some time after it had expired
	EventRenewed   EventKind = "renewed"   // the token had expired and got a new key and a new life
	EventRefused   EventKind = "refused"   // a key was not accepted
	EventFailed    EventKind = "failed"    // the janitor could not do its work
)

// Event is something that happened to a token, or to a key that was presented.
// There is never a key in it.
type Event struct {
	Kind EventKind
	Time time.Time

	// Actor is the ID of the user who did it, through [Service.As] or
	// [Service.For]. It is empty for trusted code, and for keys that were refused.
	Actor string

	// Via is the PK of the token whose key did it, through [Service.For]. It is
	// zero if no key did.
	Via uuid.UUID

	// Token is the token as it was left. It is zero if a key that was refused
	// is no token's, and for EventFailed.
	Token Token

	// Reason says why a key was refused, or matches ErrKeyRetired for a token
	// that was revoked because its old key was used, or says what failed. Nil
	// otherwise.
	Reason error

	// From is where the key that was refused came from, if [Service.Check] was
	// told.
	From string
}

// Observer is told of events, after what they tell of is done, on the goroutine
// that did it. If it panics, the event is lost, and the panic is logged to
// [slog.Default] as an error. If it takes long, put a [Queue] before it.
type Observer interface {
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

// observe tells o of e, and logs it if o panics.
func observe(ctx context.Context, o Observer, e Event) {
	defer func() {
		if v := recover(); v != nil {
			// The value of the panic is the observer's, and may hold anything.
			slog.Default().ErrorContext(ctx, "token event lost: the observer panicked",
				"event", string(e.Kind), "token", e.Token.Identifier, "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
	}()
	o.Observe(ctx, e)
}

func (s *Service) emitBy(ctx context.Context, kind EventKind, by *actor, t Token, now time.Time) {
	s.emit(ctx, Event{Kind: kind, Time: now, Actor: by.user.ID, Via: by.via, Token: t})
}

// LogObserver returns an [Observer] that logs events to l: refused keys and
// failures as warnings, all else as information.
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

// Queue is an [Observer] that keeps events for another, so that nobody waits
// for it. Make one with [NewQueue], and run [Queue.Run] for as long as events
// are to be passed on.
type Queue struct {
	events  chan queued
	dropped atomic.Int64
}

type queued struct {
	ctx   context.Context
	event Event
}

// NewQueue returns a queue for up to size events. If it is full, events are
// dropped.
func NewQueue(size int) *Queue { return &Queue{events: make(chan queued, max(size, 1))} }

// Observe keeps e for Run. It never waits.
func (q *Queue) Observe(ctx context.Context, e Event) {
	select {
	case q.events <- queued{context.WithoutCancel(ctx), e}:
	default:
		q.dropped.Add(1)
	}
}

// Dropped returns how many events have been dropped so far.
func (q *Queue) Dropped() int64 { return q.dropped.Load() }

// Run passes events on to o, one after the other, until ctx ends, and then
// what the queue still holds. A panic of o is logged as [Observer] says, and loses that
// event only.
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
