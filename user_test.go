package authtoken_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
)

// An application knows its users by what it likes.
func TestUserIDs(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("𝄞", 255)
	for name, id := range map[string]string{
		"number":         "7",
		"negative":       "-7",
		"leading zeros":  "007",
		"UUID":           "0199d3f0-7b5c-7a10-8f3e-2f1f0c9a4b6d",
		"email":          "Ärger+test@example.com",
		"inner space":    "two words",
		"outer space":    " 7 ",
		"255 characters": longest,
	} {
		for directory, users := range map[string]authtoken.Directory{
			"any user": nil, "a list": userList(t, authtoken.User{ID: id, Active: true}, root),
		} {
			t.Run(name+"/"+directory, func(t *testing.T) {
				t.Parallel()
				svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
				token, key := create(t, svc, authtoken.CreateParams{Identifier: "one", User: id})
				require.Equal(t, id, token.User)
				require.Equal(t, id, check(t, svc, key).User.ID)
				as := svc.As(id)
				_, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "two"})
				require.NoError(t, err)
				create(t, svc, authtoken.CreateParams{Identifier: "foreign", User: root.ID})
				page, err := as.Page(t.Context(), authtoken.Filter{User: id}, 1, 10)
				require.NoError(t, err)
				require.Equal(t, []string{"one", "two"}, identifiers(page.Tokens))
				revoked, err := svc.Revoke(t.Context(), authtoken.Filter{User: id})
				require.NoError(t, err)
				require.Len(t, revoked, 2)
			})
		}
	}
	for name, id := range map[string]string{
		"256 characters": longest + "x",
		"null character": "7\x00",
		"not UTF-8":      "7\xff",
	} {
		for directory, users := range map[string]authtoken.Directory{"any user": nil, "one by one": new(oneByOne)} {
			t.Run(name+"/"+directory, func(t *testing.T) {
				t.Parallel()
				svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users})
				_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: id})
				requireFaults(t, err, "user "+strconv.Quote(id)+" does not exist")
				_, err = svc.As(id).User(t.Context())
				require.ErrorIs(t, err, authtoken.ErrUserNotFound)
				if users, ok := users.(*oneByOne); ok {
					require.Empty(t, users.asked)
				}
			})
		}
	}
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		svc, _ := authtokentest.NewService(t, authtoken.Config{})
		_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one"})
		requireFaults(t, err, "user is required")
		_, err = svc.As("").User(t.Context())
		require.ErrorIs(t, err, authtoken.ErrForbidden)
	})
}

// An ID may be given out again. Its new user gets none of the old one's keys.
func TestKeysOlderThanTheirUser(t *testing.T) {
	t.Parallel()
	elsewhere := time.FixedZone("", -5*3600)
	for name, c := range map[string]struct {
		after time.Duration // from the token to the user
		err   error
	}{
		"before":             {-time.Hour, nil},
		"at the same moment": {0, nil},
		"a nanosecond after": {time.Nanosecond, nil}, // times are exact to the microsecond
		"just after":         {time.Microsecond, authtoken.ErrKeyUser},
		"long after":         {1000 * time.Hour, authtoken.ErrKeyUser},
	} {
		for cached, size := range map[string]int{"cached": 10, "not cached": 0} {
			t.Run(name+"/"+cached, func(t *testing.T) {
				t.Parallel()
				users := &switchable{Directory: userList(t, alice)}
				told := new(recorder)
				svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users, CacheSize: size, Observer: told})
				token, retired := create(t, svc, authtoken.CreateParams{Identifier: "one", User: alice.ID, Expiring: new(false)})
				_, rotated, err := svc.Rotate(t.Context(), "one", time.Hour)
				require.NoError(t, err)
				key := rotated.Reveal()
				as := svc.For(check(t, svc, key))
				check(t, svc, retired)
				told.take()

				again := alice
				again.Created = token.Created.Add(c.after).In(elsewhere)
				users.Directory = userList(t, again)
				for _, key := range []string{key, retired} {
					_, err = svc.Authenticate(t.Context(), key)
					require.ErrorIs(t, err, c.err)
					if c.err != nil {
						require.ErrorIs(t, err, authtoken.ErrRefused)
						require.Equal(t, []string{"refused one - " + c.err.Error()}, told.take())
					}
					_, err = svc.Check(t.Context(), authtoken.Credentials{Key: authtoken.KeyOf(key), Username: new("alice")})
					require.ErrorIs(t, err, c.err)
					told.take()
				}
				_, _, err = as.Create(t.Context(), authtoken.CreateParams{Identifier: "two"})
				require.ErrorIs(t, err, c.err)
				require.ErrorIs(t, as.Delete(t.Context(), "one"), c.err)
			})
		}
	}
}

// The clock that a user was made by may be ahead of the one that a token is made by.
func TestTokensAreNoOlderThanTheirOwner(t *testing.T) {
	t.Parallel()
	for by, access := range map[string]func(svc *authtoken.Service) *authtoken.Access{
		"trusted code": func(svc *authtoken.Service) *authtoken.Access { return &svc.Access },
		"a superuser":  func(svc *authtoken.Service) *authtoken.Access { return svc.As(root.ID) },
		"the owner":    func(svc *authtoken.Service) *authtoken.Access { return svc.As(alice.ID) },
	} {
		for when, ahead := range map[string]time.Duration{
			"made before":         -time.Hour,
			"made now":            0,
			"a nanosecond ahead":  time.Nanosecond,
			"a microsecond ahead": time.Microsecond,
			"a minute ahead":      time.Minute + 1500*time.Nanosecond,
		} {
			t.Run(by+"/"+when, func(t *testing.T) {
				t.Parallel()
				users := &switchable{}
				svc, clock := authtokentest.NewService(t, authtoken.Config{Users: users})
				owner := alice
				owner.Created = clock.Now().Add(ahead).In(time.FixedZone("", 3600))
				users.Directory = userList(t, root, owner)

				token, key, err := access(svc).Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: owner.ID})
				require.NoError(t, err)
				require.Equal(t, clock.Now().Add(max(ahead, 0).Truncate(time.Microsecond)), token.Created)
				require.Equal(t, clock.Now().Add(30*time.Minute), token.Expires)
				stored, err := svc.Get(t.Context(), "one")
				require.NoError(t, err)
				require.Equal(t, token, stored)
				check(t, svc, key.Reveal())

				clock.Advance(time.Minute)
				changed, err := access(svc).Update(t.Context(), "one", authtoken.UpdateParams{Description: new("x")})
				require.NoError(t, err)
				require.Equal(t, token.Created, changed.Created)
			})
		}
	}
}

func TestUserList(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		users []authtoken.User
		want  string
	}{
		"no ID": {
			[]authtoken.User{{Username: "x"}},
			`user "x": ID "" is not 1 to 255 characters`,
		},
		"long ID": {
			[]authtoken.User{{ID: strings.Repeat("x", 256), Username: "x"}},
			`user "x": ID "` + strings.Repeat("x", 256) + `" is not 1 to 255 characters`,
		},
		"null character": {
			[]authtoken.User{{ID: "\x00", Username: "x"}},
			`user "x": ID "\x00" is not 1 to 255 characters`,
		},
		"ID twice": {
			[]authtoken.User{{ID: "1", Username: "x"}, {ID: "1", Username: "y"}},
			`user "y": ID "1" occurs twice`,
		},
		"username twice": {
			[]authtoken.User{{ID: "1", Username: "x"}, {ID: "2", Username: "x"}},
			`user "2": username "x" occurs twice`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := authtoken.NewUserList(c.users...)
			require.EqualError(t, err, c.want)
		})
	}
	t.Run("no usernames", func(t *testing.T) {
		t.Parallel()
		l := userList(t, authtoken.User{ID: "1"}, authtoken.User{ID: "3"}, alice)
		_, err := l.UserNamed(t.Context(), "")
		require.ErrorIs(t, err, authtoken.ErrUserNotFound)
	})
	t.Run("matching", func(t *testing.T) {
		t.Parallel()
		l := userList(t, authtoken.User{ID: "10", Username: "Alina"}, authtoken.User{ID: "9", Username: "Kalif"}, alice, bob)
		ids, err := l.UsersMatching(t.Context(), "aLI")
		require.NoError(t, err)
		require.Equal(t, []string{"2", "9", "10"}, ids)
	})
}

func TestAnyUser(t *testing.T) {
	t.Parallel()
	u, err := authtoken.AnyUser{}.User(t.Context(), "7")
	require.NoError(t, err)
	require.Equal(t, authtoken.User{ID: "7", Active: true}, u)
	for _, id := range []string{"", "\x00", "\xff", strings.Repeat("x", 256)} {
		t.Run(strconv.Quote(id), func(t *testing.T) {
			t.Parallel()
			_, err := authtoken.AnyUser{}.User(t.Context(), id)
			require.ErrorIs(t, err, authtoken.ErrUserNotFound)
		})
	}
}
