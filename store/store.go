package store

import (
	"context"
	"errors"
	"time"
)

// Store keeps records. The package comment says what holds for all methods.
type Store interface {
	// Create adds r as it is, including its Version and LastUsed.
	//
	// Limit is how many records may have r's User, r included; zero is no limit.
	// If r would be one too many, Create returns ErrLimit; a negative limit
	// admits no record. The limit holds among any number of calls at once, even
	// through several stores over the same records.
	//
	// Create returns a [*TakenError] naming a field whose value another record
	// has; if several are taken, it names any one of them. If r would be one too
	// many as well, it returns ErrLimit.
	Create(ctx context.Context, r Record, limit int) error

	// Get returns the record with this identifier, or ErrNotFound.
	Get(ctx context.Context, identifier string) (Record, error)

	// GetByDigest returns the record whose Digest is digest; if there is none,
	// one whose Retired digest is; if there is none either, one that has it among
	// its Earlier keys; otherwise ErrNotFound. The zero digest is never found.
	// Whether and how long a retired key is good is for the caller to decide.
	GetByDigest(ctx context.Context, digest Digest) (Record, error)

	// Update replaces the record that has r's PK if its version is still
	// r.Version, and raises the version by one. Every field is replaced
	// but for PK, Created, LastUsed and LastUsedFrom, which keep their stored
	// values. It returns ErrNotFound if there is no such PK, ErrStale if the
	// version is another one, and a [*TakenError] like Create. If several of
	// these apply, it returns the first. A record does not collide with itself.
	Update(ctx context.Context, r Record) error

	// Delete removes the record that has this PK if its version is still
	// version. It returns ErrNotFound if there is no such PK and ErrStale if
	// the version is another one.
	Delete(ctx context.Context, pk PK, version int64) error

	// List returns the records that match q, in q's order, from after
	// q.After, skipping q.Offset of them and stopping at q.Limit. All
	// of them are from one moment. No match is no error.
	List(ctx context.Context, q Query) ([]Record, error)

	// Count returns how many records match q, without regard to its Order,
	// After, Offset and Limit.
	Count(ctx context.Context, q Query) (int, error)

	// Purge deletes the records that List would return for q and returns them
	// in the same order, all or none. Of two calls at once that match the same
	// record, one gets it.
	Purge(ctx context.Context, q Query) ([]Record, error)

	// Touch sets LastUsed and LastUsedFrom of each record named, where At is
	// later than the LastUsed it has. It leaves the version alone, and passes
	// over PKs that are not there. All uses are recorded, or none.
	Touch(ctx context.Context, uses []Use) error
}

// PK is the primary key of a record: a UUID, as its 16 bytes.
type PK = [16]byte

// Digest is the SHA-256 of a key. The zero Digest stands for "none".
type Digest = [32]byte

// Record is one token as a store keeps it. There is no key in it, only what a
// key can be recognised by.
type Record struct {
	PK          PK
	Identifier  string
	Intent      string
	User        string // the owner's ID
	Description string // may be empty
	Managed     string // empty for none
	Expires     time.Time
	Expiring    bool // whether Expires means anything

	// Scopes, Networks and State are what the key is good for. They come back exactly
	// as they went in. A store that loses one returns its zero value, with which the
	// service refuses the key.
	Scopes   string // names, separated by a space
	Networks string // prefixes, separated by a space
	State    State

	Metadata string // may be empty
	Via      PK     // of the token that it was made through; zero for none

	Digest Digest // of the current key; never zero
	Sealed []byte // the current key, encrypted; nil for none, and empty is the same as nil

	// Retired is the digest of the key before the last rotation, and
	// RetiredUntil when that key stopped, or stops, being good.
	Retired      Digest
	RetiredUntil time.Time

	// Earlier is the keys before the retired one, the oldest first. It may be
	// empty, which is the same as nil.
	Earlier []EarlierKey

	Created      time.Time
	LastUsed     time.Time
	LastUsedFrom string

	Version int64
}

// State says whether a token is suspended, and by whom. The zero State is none of
// them.
type State int8

const (
	StateActive    State = 1
	StateSuspended State = 2 // by its owner
	StateLocked    State = 3 // by trusted code or a superuser
)

// EarlierKey is a key that a token had before its retired one.
type EarlierKey struct {
	Digest Digest
	Until  time.Time // when the key stopped being good
}

// Use says that a token was used. From is free text, usually a remote address.
type Use struct {
	PK   PK
	At   time.Time
	From string
}

// Errors that a store returns; see the package comment.
var (
	ErrNotFound = errors.New("token not found")
	ErrTaken    = errors.New("value taken by another token")
	ErrStale    = errors.New("token changed meanwhile")
	ErrLimit    = errors.New("owner has as many tokens as the limit allows")
)

// IsOutcome reports whether err matches one of these errors: answers that callers
// expect, and with which nothing has changed.
func IsOutcome(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrTaken) || errors.Is(err, ErrStale) || errors.Is(err, ErrLimit)
}

// TakenError says which field's value another record has already. It matches
// [ErrTaken].
type TakenError struct {
	Field Field // FieldPK, FieldIdentifier, FieldManaged or FieldDigest
}

func (e *TakenError) Error() string { return string(e.Field) + " taken by another token" }

// Is reports whether target is ErrTaken.
func (e *TakenError) Is(target error) bool { return target == ErrTaken }
