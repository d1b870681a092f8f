package authtoken_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
)

func TestCreateTrimsAndKeeps(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	expires := time.Date(2031, 2, 3, 4, 5, 6, 7891, time.FixedZone("", 3600))
	token, _ := create(t, svc, authtoken.CreateParams{
		Identifier: " ci\n", Intent: authtoken.IntentRecovery, Description: "\u00a0two  words\u2028", Managed: " m ",
		Expires: expires, Expiring: new(false),
	})
	require.Equal(t, "ci", token.Identifier)
	require.Equal(t, "two  words", token.Description)
	require.Equal(t, "m", token.Managed)
	require.Equal(t, time.Date(2031, 2, 3, 3, 5, 6, 7000, time.UTC), token.Expires)
	require.False(t, token.Expiring)
}

func TestCreateReportsAllFaultsInOrder(t *testing.T) {
	t.Parallel()
	last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for name, c := range map[string]struct {
		by   string // empty is trusted code
		p    authtoken.CreateParams
		want []string
	}{
		"each field": {"", authtoken.CreateParams{
			Expires: last.Add(time.Second), Description: "\xff\x00", User: "9\x00", Intent: "x",
			Identifier: strings.Repeat("ä", 256), Managed: " ",
			Invalid: []authtoken.FieldError{{Field: "other", Code: authtoken.CodeTaken}, {Field: "expiring", Code: authtoken.CodeBlank}},
		}, []string{
			"identifier is longer than 255 characters",
			"identifier is invalid",
			`user "9\x00" does not exist`,
			`intent "x" is not one of the choices`,
			"description is not valid UTF-8",
			"description has a null character",
			"managed must not be blank",
			"expires is invalid",
			"expiring must not be blank",
			"other is taken",
		}},
		"names that are taken": {"", authtoken.CreateParams{Identifier: "taken", Managed: "taken", User: "7"}, []string{
			"identifier is taken",
			"managed is taken",
		}},
		"a name that is taken, and others": {"", authtoken.CreateParams{Identifier: "taken", Intent: "x"}, []string{
			"identifier is taken",
			"user is required",
			`intent "x" is not one of the choices`,
		}},
		"rules about several fields": {carol.ID, authtoken.CreateParams{Identifier: "one", Expires: last, Intent: authtoken.IntentRecovery}, []string{
			"intent may not be chosen or changed by this user",
			"expires is after the latest time allowed: 2030-01-01T02:00:00Z",
		}},
		"rules about expiry": {root.ID, authtoken.CreateParams{Identifier: "one", User: carol.ID, Expires: last, Expiring: new(false)}, []string{
			"expires is after the latest time allowed: 2030-01-01T02:00:00Z",
			"expiring may not be chosen or changed by this user",
		}},
		"fields before rules": {carol.ID, authtoken.CreateParams{Identifier: "a b", Expires: last, Intent: authtoken.IntentRecovery}, []string{
			"identifier is invalid",
		}},
		"names before rules": {carol.ID, authtoken.CreateParams{Identifier: "taken", Expires: last, Intent: authtoken.IntentRecovery}, []string{
			"identifier is taken",
		}},
		"Invalid goes before the field": {"", authtoken.CreateParams{Identifier: "a b", User: "7", Expires: last.Add(time.Second),
			Invalid: []authtoken.FieldError{{Field: "identifier", Code: authtoken.CodeRequired}, {Field: "expires", Code: authtoken.CodeBlank}},
		}, []string{
			"identifier is required",
			"expires must not be blank",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, clock := newService(t, authtoken.Policy{})
			clock.Set(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
			as := &svc.Access
			if c.by != "" {
				as = svc.As(c.by)
			}
			if c.p.User == "7" {
				c.p.User = alice.ID
			}
			create(t, svc, authtoken.CreateParams{Identifier: "taken", User: alice.ID, Managed: "taken"})
			_, _, err := as.Create(t.Context(), c.p)
			requireFaults(t, err, c.want...)
			page, err := svc.Page(t.Context(), authtoken.Filter{}, 1, 10)
			require.NoError(t, err)
			require.Equal(t, []string{"taken"}, identifiers(page.Tokens))
		})
	}
}

func TestIdentifierFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		identifier string
		want       []string // nil if there is nothing wrong with it
	}{
		"all characters": {"azAZ09_-", nil},
		"255 characters": {strings.Repeat("x", 255), nil},
		"256 characters": {strings.Repeat("x", 256), []string{"identifier is longer than 255 characters"}},
		"white space":    {" \t", []string{"identifier must not be blank"}},
		"a space":        {"a b", []string{"identifier is invalid"}},
		"a dot":          {"a.b", []string{"identifier is invalid"}},
		"a letter":       {"ä", []string{"identifier is invalid"}},
		"not UTF-8":      {"\xff", []string{"identifier is invalid"}},
		"null character": {"a\x00", []string{"identifier has a null character", "identifier is invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := authtokentest.NewService(t, authtoken.Config{})
			create(t, svc, authtoken.CreateParams{Identifier: "one"})
			_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: c.identifier, User: "7"})
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			requireFaults(t, err, c.want...)
			_, err = svc.Update(t.Context(), "one", authtoken.UpdateParams{Identifier: &c.identifier})
			requireFaults(t, err, c.want...)
		})
	}
	t.Run("empty, of an update", func(t *testing.T) {
		t.Parallel()
		svc, _ := authtokentest.NewService(t, authtoken.Config{})
		create(t, svc, authtoken.CreateParams{Identifier: "one"})
		_, err := svc.Update(t.Context(), "one", authtoken.UpdateParams{Identifier: new("")})
		requireFaults(t, err, "identifier must not be blank")
	})
}

func TestUpdateFaultsDoNotPileUp(t *testing.T) {
	t.Parallel()
	svc, _ := authtokentest.NewService(t, authtoken.Config{})
	create(t, svc, authtoken.CreateParams{Identifier: "one"})
	invalid := make([]authtoken.FieldError, 1, 8)
	invalid[0] = authtoken.FieldError{Field: "expires", Code: authtoken.CodeInvalid}
	p := authtoken.UpdateParams{Identifier: new(""), Invalid: invalid}
	for range 2 {
		_, err := svc.Update(t.Context(), "one", p)
		requireFaults(t, err, "identifier must not be blank", "expires is invalid")
	}
	require.Equal(t, "expires", invalid[0].Field, "the caller's slice is left alone")
}

// A token never changes owner.
func TestUpdateOfTheOwner(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user string
		want string
	}{
		"the owner":     {alice.ID, ""},
		"another user":  {bob.ID, "user may not be chosen or changed by this user"},
		"no such user":  {"99", `user "99" does not exist`},
		"nobody":        {"", `user "" does not exist`},
		"another zero":  {"02", `user "02" does not exist`},
		"what is no ID": {"\x00", `user "\x00" does not exist`},
	} {
		for by, access := range map[string]func(svc *authtoken.Service) *authtoken.Access{
			"trusted code": func(svc *authtoken.Service) *authtoken.Access { return &svc.Access },
			"superuser":    func(svc *authtoken.Service) *authtoken.Access { return svc.As(root.ID) },
			"owner":        func(svc *authtoken.Service) *authtoken.Access { return svc.As(alice.ID) },
		} {
			t.Run(name+"/"+by, func(t *testing.T) {
				t.Parallel()
				svc, _ := newService(t, authtoken.Policy{})
				create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
				token, err := access(svc).Update(t.Context(), "one", authtoken.UpdateParams{User: &c.user})
				if c.want == "" {
					require.NoError(t, err)
					require.Equal(t, alice.ID, token.User)
				} else {
					requireFaults(t, err, c.want)
				}
			})
		}
	}
}

func TestDirectoryErrors(t *testing.T) {
	t.Parallel()
	users := &switchable{Directory: userList(t, alice)}
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
	create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID})
	users.err = errDisk
	_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "two", User: alice.ID})
	require.ErrorIs(t, err, errDisk)
	_, err = svc.Update(t.Context(), "one", authtoken.UpdateParams{})
	require.ErrorIs(t, err, errDisk)
}

// Names in Managed are unique, so that one user could take another's, or the
// application's.
func TestManagedIsForSuperusers(t *testing.T) {
	t.Parallel()
	const fault = "managed may not be chosen or changed by this user"
	for name, c := range map[string]struct {
		policy authtoken.Policy
		by     authtoken.User
		before string // what the token has
		asked  string
		want   []string
	}{
		"a user sets it":           {authtoken.Policy{}, alice, "", "app/backup", []string{fault}},
		"a user changes it":        {authtoken.Policy{}, alice, "app/backup", "mine", []string{fault}},
		"a user removes it":        {authtoken.Policy{}, alice, "app/backup", "", []string{fault}},
		"no change":                {authtoken.Policy{}, alice, "app/backup", " app/backup ", nil},
		"no change of nothing":     {authtoken.Policy{}, alice, "", "", nil},
		"a superuser sets it":      {authtoken.Policy{}, root, "", "app/backup", nil},
		"the policy lets users":    {authtoken.Policy{UsersSetManaged: true}, alice, "", "mine", nil},
		"a user who may, to blank": {authtoken.Policy{UsersSetManaged: true}, alice, "mine", " ", []string{"managed must not be blank"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, c.policy)
			create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Managed: c.before})
			token, err := svc.As(c.by.ID).Update(t.Context(), "one", authtoken.UpdateParams{Managed: &c.asked})
			if c.want != nil {
				requireFaults(t, err, c.want...)
				return
			}
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(c.asked), token.Managed)
		})
	}
	t.Run("of a new token", func(t *testing.T) {
		t.Parallel()
		svc, _ := newService(t, authtoken.Policy{})
		_, _, err := svc.As(alice.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "one", Managed: "app/backup"})
		requireFaults(t, err, fault)
		_, _, err = svc.As(root.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "one", Managed: "app/backup"})
		require.NoError(t, err)
	})
}
