package tokenpage_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/tokenpage"
)

// faulty is a store for a service that finds one fault with every token.
type faulty struct {
	store.Store
	fault authtoken.FieldError
}

func (s faulty) Create(context.Context, store.Record, int) error {
	return &authtoken.ValidationError{Fields: []authtoken.FieldError{s.fault}}
}

var summary = regexp.MustCompile(`<ul><li>(?:<a href="#(\w+)">)?([^<]*)(?:</a>)?</li></ul>`)

// faultWords returns what the page to make a token says about a fault, and the input
// that it leads to.
func faultWords(t *testing.T, e authtoken.FieldError) (input, message string) {
	t.Helper()
	svc, err := authtoken.New(faulty{memory.New(), e}, authtoken.Config{})
	require.NoError(t, err)
	page, err := tokenpage.New(svc, tokenpage.Config{Authenticate: byHeader})
	require.NoError(t, err)
	s := &site{Handler: page, svc: svc}
	w := s.post(t, "alice", "?do=new", "name", "new")
	require.Equal(t, http.StatusBadRequest, w.Code)
	m := summary.FindStringSubmatch(w.Body.String())
	require.NotNil(t, m, w.Body)
	return m[1], words(m[2])
}

// unexpected is what the page says about a fault that it does not expect.
const unexpected = "Something about this can't be accepted. Change it and try again."

// expected are all faults that the service can find with what the page sends.
// unreachable are the codes that it can't use for them, and why.
var (
	at       = time.Date(2030, time.February, 14, 13, 0, 59, 0, time.FixedZone("", 3600))
	expected = []struct {
		fault          authtoken.FieldError
		input, message string
	}{
		{authtoken.FieldError{Field: "", Code: authtoken.CodeTooMany, Limit: 20}, "",
			"You can't have more than 20 tokens. Revoke one that you don't need."},
		{authtoken.FieldError{Field: "identifier", Code: authtoken.CodeTaken}, "",
			"The token could not be made this time. Try again."},
		{authtoken.FieldError{Field: "key", Code: authtoken.CodeTaken}, "",
			"The token could not be made this time. Try again."},
		{authtoken.FieldError{Field: "description", Code: authtoken.CodeBlank}, "name", "Enter a name."},
		{authtoken.FieldError{Field: "description", Code: authtoken.CodeTooLong, Limit: 1000}, "name",
			"Enter a name of up to 1000 characters."},
		{authtoken.FieldError{Field: "description", Code: authtoken.CodeNotText}, "name",
			"The name has a character that can't be used. Enter the name again."},
		{authtoken.FieldError{Field: "description", Code: authtoken.CodeNullCharacter}, "name",
			"The name has a character that can't be used. Enter the name again."},
		{authtoken.FieldError{Field: "intent", Code: authtoken.CodeChoice, Value: "none"}, "intent", "Choose one of the kinds."},
		{authtoken.FieldError{Field: "intent", Code: authtoken.CodeDenied, Value: "recovery"}, "intent",
			"You can't make a token of this kind."},
		{authtoken.FieldError{Field: "intent", Code: authtoken.CodeBeyondKey, Value: "app_password"}, "intent",
			"You have signed in with a key. With it, you can't make a token of this kind."},
		{authtoken.FieldError{Field: "expires", Code: authtoken.CodeInvalid}, "expires",
			"The token can't expire at this time. Choose another."},
		{authtoken.FieldError{Field: "expires", Code: authtoken.CodeTooLate, Latest: at}, "expires",
			"Choose a time no later than 14 February 2030, 12:00 UTC."},
		{authtoken.FieldError{Field: "expires", Code: authtoken.CodeBeyondKey, Latest: at}, "expires",
			"Choose a time no later than 14 February 2030, 12:00 UTC. The key that you have signed in with stops working then."},
		{authtoken.FieldError{Field: "expiring", Code: authtoken.CodeDenied}, "expires", "This token has to expire. Choose when."},
		{authtoken.FieldError{Field: "expiring", Code: authtoken.CodeBeyondKey}, "expires",
			"You have signed in with a key that stops working. A token that you make with it has to expire. Choose when."},
	}
	unreachable = map[authtoken.Code]string{
		authtoken.CodeRequired: "only trusted code has to name an owner",
		authtoken.CodeNotFound: "the page names no owner",
		authtoken.CodeChecksum: "the page takes no keys",
		authtoken.CodeTooShort: "the page takes no keys",
	}
)

func TestFaultWords(t *testing.T) {
	t.Parallel()
	for _, c := range expected {
		t.Run(c.fault.Field+" "+string(c.fault.Code), func(t *testing.T) {
			t.Parallel()
			input, message := faultWords(t, c.fault)
			require.Equal(t, c.message, message)
			require.Equal(t, c.input, input)
		})
	}
}

// Whatever else the service says, people read a sentence that has none of its words.
func TestUnexpectedFaults(t *testing.T) {
	t.Parallel()
	for _, c := range codes(t) {
		t.Run(string(c), func(t *testing.T) {
			t.Parallel()
			for _, field := range []string{"", "user", "managed", "description", "overlap", "cursor"} {
				_, message := faultWords(t, authtoken.FieldError{Field: field, Code: c, Value: "value", Limit: 7, Latest: at})
				require.Regexp(t, `^[A-Z].*\.$`, message, field)
				require.NotRegexp(t, `description|managed|overlap|cursor|_|value|[{}]|\+00`, message, field)
			}
		})
	}
	_, message := faultWords(t, authtoken.FieldError{Field: "managed", Code: "made_up"})
	require.Equal(t, unexpected, message)
}

// A code that is new needs words, or a reason why not.
func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	known := make(map[authtoken.Code]bool)
	for c := range unreachable {
		known[c] = true
	}
	for _, c := range expected {
		require.NotEqual(t, unexpected, c.message)
		require.NotContains(t, unreachable, c.fault.Code)
		known[c.fault.Code] = true
	}
	for _, c := range codes(t) {
		require.Contains(t, known, c)
	}
	require.Len(t, known, len(codes(t)))
}

// codes returns all codes that there are.
func codes(t *testing.T) []authtoken.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../errors.go", nil, 0)
	require.NoError(t, err)
	var codes []authtoken.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Code" {
			for _, v := range spec.Values {
				code, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				require.NoError(t, err)
				codes = append(codes, authtoken.Code(code))
			}
		}
		return true
	})
	require.Contains(t, codes, authtoken.CodeTaken)
	return codes
}

// What a key may not do is said to whoever has signed in with one.
func TestFaultsOfKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, user     string
		form           url.Values
		input, message string
	}{
		{"kind", "2", url.Values{"intent": {"app_password"}}, "intent",
			"You have signed in with a key. With it, you can't make a token of this kind."},
		{"time", "2", url.Values{"expires": {"168h0m0s"}}, "expires",
			"Choose a time no later than 16 January 2030, 12:00 UTC. The key that you have signed in with stops working then."},
		{"never", "1", url.Values{"expires": {"never"}}, "expires",
			"You have signed in with a key that stops working. A token that you make with it has to expire. Choose when."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var who authtoken.Principal
			s := newSite(t, authtoken.Policy{}, tokenpage.Config{
				Authenticate: func(*http.Request) (authtoken.Principal, error) { return who, nil },
			})
			_, key := s.make(t, authtoken.CreateParams{User: c.user, Expires: s.clock.Now().Add(day)})
			var err error
			who, err = s.svc.Authenticate(t.Context(), key)
			require.NoError(t, err)
			c.form.Set("name", "new")
			w := s.do(t, "", "POST", "?do=new", c.form)
			require.Equal(t, http.StatusBadRequest, w.Code)
			m := summary.FindStringSubmatch(w.Body.String())
			require.NotNil(t, m, w.Body)
			require.Equal(t, []string{c.input, c.message}, []string{m[1], words(m[2])})
		})
	}
}
