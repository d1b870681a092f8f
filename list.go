package authtoken

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken/store"
)

// Field names a field of a token, in lower case, such as "last_used".
type Field = store.Field

// Order is one field to sort tokens by. Text sorts byte by byte, owners sort as
// [store.CompareUsers] says, false sorts before true, and missing values sort last. Desc
// reverses all of that.
type Order = store.Order

// OrderFields returns the fields that tokens can be sorted by, as a new slice.
func OrderFields() []Field { return store.OrderFields() }

// Filter says which tokens to list, and in which order. A token matches if it matches
// every field that is set. The zero Filter matches all tokens that the actor may see.
type Filter struct {
	Identifier  string // the whole identifier
	Intent      Intent
	User        string    // the owner's ID
	AllUsers    bool      // confirms that [Access.Revoke] is for all users; not together with User or Username
	Username    string    // the owner's whole username; needs a Directory that is a [UserFinder]
	Description string    // the whole description
	Managed     string    // the whole text
	Expires     time.Time // this very time
	Expiring    *bool     // nil for both
	Suspended   *bool     // nil for both
	Scope       string    // one of the token's scopes; implied scopes do not count
	Via         uuid.UUID // the PK of the token through which it was made; zero for any

	// Words must all occur in the identifier, the intent, the description or the owner's
	// username, ignoring case. At most 8 words, of 255 characters together, are allowed.
	// Usernames are searched if the Directory is a [UserFinder], or if the actor sees
	// only their own tokens.
	Words []string

	// Order lists the fields to sort by, the most important first. Equal tokens are
	// sorted by PK. Defaults to the identifier.
	Order []Order

	// Invalid is as in [CreateParams].
	Invalid []FieldError
}

// Page is one page of a list.
type Page struct {
	Tokens []Token
	Number int // from 1
	Size   int // tokens on a full page
	Count  int // tokens on all pages
	Pages  int // at least 1
}

const (
	maxWords       = 8 // a bound, since the store looks for each word in every text
	maxWordsLength = 255
)

// Page returns one page of the tokens that match f. Pages are numbered from 1, and size is
// the number of tokens on each. If there is no such page, the error matches [ErrNoPage].
// Page 1 always exists, and may be empty. Faults in f are a [*ValidationError].
//
// A later page takes the store longer, because it skips all tokens before it. To read
// everything, use [Access.List] or [Access.All], whose parts all take the same time.
func (a *Access) Page(ctx context.Context, f Filter, number, size int) (p Page, err error) {
	defer wrap(&err, "list tokens")
	q, err := a.query(ctx, &f)
	switch {
	case err != nil:
		return Page{}, err
	case size < 1:
		return Page{}, fmt.Errorf("page size is %d, not positive", size)
	case number < 1:
		return Page{}, ErrNoPage
	}
	count, err := a.s.store.Count(ctx, q)
	if err != nil {
		return Page{}, err
	}
	p = Page{Number: number, Size: size, Count: count, Pages: max(1, (count+size-1)/size)}
	if number > p.Pages {
		return Page{}, ErrNoPage
	}
	q.Offset, q.Limit = (number-1)*size, size
	records, err := a.s.store.List(ctx, q)
	if err != nil {
		return Page{}, err
	}
	p.Tokens = tokensOf(records)
	return p, nil
}

// List returns up to limit of the tokens that match f, and a cursor for the next call. An
// empty cursor starts at the beginning. List returns an empty cursor with the last tokens.
// If tokens are made or changed between two calls, List may miss them, or return one
// twice if the fields that it is sorted by change.
//
// A cursor is valid only for the order it was made with. For any other text, the error is
// a [*ValidationError] about "cursor". Faults in f are a [*ValidationError] too.
func (a *Access) List(ctx context.Context, f Filter, cursor string, limit int) (tokens []Token, next string, err error) {
	defer wrap(&err, "list tokens")
	q, err := a.query(ctx, &f)
	if err != nil {
		return nil, "", err
	}
	if q.After, err = parseCursor(cursor, q.Order); err != nil {
		return nil, "", err
	}
	if limit < 1 {
		return nil, "", fmt.Errorf("limit is %d, not positive", limit)
	}
	q.Limit = limit + 1 // the extra one tells whether there are more
	records, err := a.s.store.List(ctx, q)
	if err != nil {
		return nil, "", err
	}
	if len(records) > limit {
		records = records[:limit]
		if next, err = formatCursor(&records[limit-1], q.Order); err != nil {
			return nil, "", err
		}
	}
	return tokensOf(records), next, nil
}

// All returns an iterator over the tokens that match f. It reads them in parts, as
// [Access.List] does. An error ends the iteration.
func (a *Access) All(ctx context.Context, f Filter) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		q, err := a.query(ctx, &f)
		if err != nil {
			yield(Token{}, fmt.Errorf("list tokens: %w", err))
			return
		}
		a.s.each(ctx, q, yield)
	}
}

// ExpiringBetween returns an iterator over the tokens whose expiry time is not before from
// and is before to, sorted by expiry time. Use it to warn the owners. A zero from or to is
// no bound. An error ends the iteration.
func (s *Service) ExpiringBetween(ctx context.Context, from, to time.Time) iter.Seq2[Token, error] {
	if from.IsZero() {
		from = from.Add(time.Microsecond) // a bound must be set, or tokens that never expire would match
	}
	return func(yield func(Token, error) bool) {
		s.each(ctx, store.Query{
			ExpiryFrom: from, ExpiryBefore: to, Order: []store.Order{{Field: store.FieldExpires}},
		}, yield)
	}
}

// each passes every token that q matches to yield. It reads 200 records at a time.
func (s *Service) each(ctx context.Context, q store.Query, yield func(Token, error) bool) {
	q.Limit = 200
	for {
		records, err := s.store.List(ctx, q)
		if err != nil {
			yield(Token{}, fmt.Errorf("list tokens: %w", err))
			return
		}
		for i := range records {
			if !yield(tokenOf(&records[i]), nil) {
				return
			}
		}
		if len(records) < q.Limit {
			return
		}
		q.After = &records[len(records)-1]
	}
}

// query returns the query for the tokens that match f and that the actor may see.
func (a *Access) query(ctx context.Context, f *Filter) (store.Query, error) {
	by, err := a.reader(ctx)
	if err != nil {
		return store.Query{}, err
	}
	return a.s.query(ctx, f, by)
}

// query returns the query for the tokens that match f and that by may see.
func (s *Service) query(ctx context.Context, f *Filter, by *actor) (store.Query, error) {
	if by.alone() {
		return store.Query{}, ErrForbidden
	}
	if err := f.check(); err != nil {
		return store.Query{}, err
	}
	users, err := s.usersOf(ctx, f, by)
	if err != nil {
		return store.Query{}, err
	}
	q := store.Query{
		Identifier:  f.Identifier,
		Description: f.Description,
		Managed:     f.Managed,
		Users:       users,
		Expires:     f.Expires,
		Expiring:    f.Expiring,
		States:      states(f.Suspended),
		Scope:       f.Scope,
		Via:         f.Via,
		Order:       f.Order,
	}
	if f.Intent != "" {
		q.Intents = []string{string(f.Intent)}
	}
	for _, word := range f.Words {
		matching, err := s.usersMatching(ctx, word, by)
		if err != nil {
			return store.Query{}, err
		}
		q.Words = append(q.Words, store.Word{Text: word, Users: matching})
	}
	return q, nil
}

// usersOf returns the owners whose tokens f asks for and by may see. Nil means all owners,
// and empty means none.
func (s *Service) usersOf(ctx context.Context, f *Filter, by *actor) (users []string, err error) {
	if !by.seesAll() {
		users = []string{by.user.ID}
	}
	if f.User != "" {
		users = intersect(users, []string{f.User})
	}
	if f.Username != "" {
		named, err := s.usersNamed(ctx, f.Username, by)
		if err != nil {
			return nil, err
		}
		users = intersect(users, named)
	}
	return users, nil
}

// check returns all faults of f.
func (f *Filter) check() error {
	faults := faults(slices.Clone(f.Invalid))
	if f.AllUsers && (f.User != "" || f.Username != "") {
		faults.addCode("user", CodeInvalid)
	}
	if f.Intent != "" && !f.Intent.Valid() {
		faults.add(FieldError{Field: "intent", Code: CodeChoice, Value: string(f.Intent)})
	}
	if f.Scope != "" && f.Scope != ScopeAll && !isScopeName(f.Scope) {
		faults.add(FieldError{Field: "scope", Code: CodeInvalid, Value: f.Scope})
	}
	f.checkOrder(&faults)
	for _, v := range []struct{ field, text string }{
		{"identifier", f.Identifier}, {"user", f.User}, {"username", f.Username},
		{"description", f.Description}, {"managed", f.Managed}, {"words", strings.Join(f.Words, " ")},
	} {
		if !utf8.ValidString(v.text) {
			faults.addCode(v.field, CodeNotText)
		} else if !isText(v.text) {
			faults.addCode(v.field, CodeNullCharacter)
		}
	}
	if slices.Contains(f.Words, "") {
		faults.addCode("words", CodeBlank)
	}
	if len(f.Words) > maxWords {
		faults.add(FieldError{Field: "words", Code: CodeTooMany, Limit: maxWords})
	}
	faults.checkLength("words", strings.Join(f.Words, ""), maxWordsLength)
	return faults.err()
}

func (f *Filter) checkOrder(faults *faults) {
	for i, o := range f.Order {
		if slices.ContainsFunc(f.Order[:min(i, len(OrderFields()))], func(p Order) bool { return p.Field == o.Field }) {
			faults.addCode("order", CodeInvalid)
			return
		}
		if !slices.Contains(OrderFields(), o.Field) {
			faults.add(FieldError{Field: "order", Code: CodeChoice, Value: string(o.Field)})
		}
	}
}

// intersect returns the values that are in both a and b, and never nil. A nil a means all
// values.
func intersect(a, b []string) []string {
	both := []string{}
	for _, v := range b {
		if a == nil || slices.Contains(a, v) {
			both = append(both, v)
		}
	}
	return both
}

// usersNamed returns the ID of the user with this username, or nobody's. If by sees only
// their own tokens, it says nothing about other users.
func (s *Service) usersNamed(ctx context.Context, username string, by *actor) ([]string, error) {
	if !by.trusted && by.user.Username == username {
		return []string{by.user.ID}, nil
	}
	if !by.seesAll() {
		return nil, nil // the actor sees no tokens of others
	}
	finder, ok := s.users.(UserFinder)
	if !ok {
		return nil, fault(FieldError{Field: "username", Code: CodeDenied, Value: username})
	}
	id, err := finder.UserNamed(ctx, username)
	if errors.Is(err, ErrUserNotFound) {
		return nil, nil
	}
	return []string{id}, err
}

// usersMatching returns the IDs of the users whose username contains part, with the same
// limit.
func (s *Service) usersMatching(ctx context.Context, part string, by *actor) ([]string, error) {
	if !by.seesAll() {
		if store.ContainsFold(by.user.Username, part) {
			return []string{by.user.ID}, nil
		}
		return nil, nil
	}
	if finder, ok := s.users.(UserFinder); ok {
		return finder.UsersMatching(ctx, part)
	}
	return nil, nil
}

func tokensOf(records []store.Record) []Token {
	tokens := make([]Token, len(records))
	for i := range records {
		tokens[i] = tokenOf(&records[i])
	}
	return tokens
}
