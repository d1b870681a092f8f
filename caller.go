package authtoken

import (
	"context"
	"iter"
	"time"

	"github.com/authtoken/authtoken/store"
)

// Caller is a [Service] as one user sees it: the same methods, narrowed to what
// that user may see and do.
//
// A superuser sees and manages all tokens and names any owner. Anybody else sees
// only tokens of their own (any other is [ErrNotFound]), owns what they create
// whatever it says, and does not choose Expiring: it is true, unless their
// [AttributeExpires] is false.
//
// A Caller may be used from any number of goroutines.
type Caller struct {
	s    *Service
	user User
}

// As returns the service as user sees it. The user is believed: authenticate
// them first.
func (s *Service) As(user User) *Caller { return &Caller{s, user} }

// User returns whom the caller was made for.
func (c *Caller) User() User { return c.user }

// sees reports whether the caller may know of r. Trusted code is a nil caller.
func (c *Caller) sees(r *store.Record) bool {
	return c == nil || c.user.Superuser || c.user.PK == r.User
}

// Create is [Service.Create]. The caller becomes the owner unless they are a
// superuser and name another.
func (c *Caller) Create(ctx context.Context, p CreateParams) (Token, Key, error) {
	return c.s.create(ctx, p, c)
}

// Get is [Service.Get].
func (c *Caller) Get(ctx context.Context, identifier string) (Token, error) {
	return c.s.get(ctx, identifier, c)
}

// Update is [Service.Update].
func (c *Caller) Update(ctx context.Context, identifier string, p UpdateParams) (Token, error) {
	return c.s.update(ctx, identifier, p, c)
}

// Replace is [Service.Replace].
func (c *Caller) Replace(ctx context.Context, identifier string, p UpdateParams) (Token, error) {
	return c.s.update(ctx, identifier, p.complete(), c)
}

// Delete is [Service.Delete].
func (c *Caller) Delete(ctx context.Context, identifier string) error {
	return c.s.delete(ctx, identifier, "", c)
}

// DeleteIf is [Service.DeleteIf].
func (c *Caller) DeleteIf(ctx context.Context, identifier, revision string) error {
	return c.s.delete(ctx, identifier, revision, c)
}

// Page is [Service.Page], of what the caller sees.
func (c *Caller) Page(ctx context.Context, f Filter, number, size int) (Page, error) {
	return c.s.page(ctx, f, number, size, c)
}

// List is [Service.List], of what the caller sees.
func (c *Caller) List(ctx context.Context, f Filter, cursor string, limit int) ([]Token, string, error) {
	return c.s.list(ctx, f, cursor, limit, c)
}

// All is [Service.All], of what the caller sees.
func (c *Caller) All(ctx context.Context, f Filter) iter.Seq2[Token, error] {
	return c.s.all(ctx, f, c)
}

// SetKey is [Service.SetKey]. It is for superusers: for an owner who is
// none the error matches [ErrForbidden].
func (c *Caller) SetKey(ctx context.Context, identifier, key string) error {
	return c.s.importKey(ctx, identifier, key, c)
}

// Reveal is [Service.Reveal], for the owner and for superusers.
func (c *Caller) Reveal(ctx context.Context, identifier string) (Key, error) {
	return c.s.reveal(ctx, identifier, c)
}

// Rotate is [Service.Rotate], for the owner and for superusers.
func (c *Caller) Rotate(ctx context.Context, identifier string, overlap time.Duration) (Token, Key, error) {
	return c.s.rotate(ctx, identifier, "", overlap, c)
}

// RotateIf is [Service.RotateIf], for the owner and for superusers.
func (c *Caller) RotateIf(ctx context.Context, identifier, revision string, overlap time.Duration) (Token, Key, error) {
	return c.s.rotate(ctx, identifier, revision, overlap, c)
}

// Revoke is [Service.Revoke], of what the caller sees.
func (c *Caller) Revoke(ctx context.Context, f Filter) ([]Token, error) {
	return c.s.revoke(ctx, f, c)
}

// Owner returns the user that t belongs to. If the directory does not know them
// any more, it returns a user with nothing but the pk.
func (c *Caller) Owner(ctx context.Context, t Token) (User, error) {
	return c.s.owner(ctx, t.User, c)
}
