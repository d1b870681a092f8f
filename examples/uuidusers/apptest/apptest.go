// Package apptest tests the application of examples/uuidusers, over any database. It is
// not part of what the library promises.
package apptest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/examples/uuidusers/userapp"
)

// Test drives the application over HTTP, as people and programs do.
func Test(t *testing.T, app *userapp.App) {
	for name, test := range map[string]func(*testing.T, *userapp.App){
		"a key from the page":   keyFromPage,
		"a key from the API":    keyFromAPI,
		"from another site":     fromAnotherSite,
		"superuser":             superuser,
		"inactive user":         inactiveUser,
		"deleted user":          deletedUser,
		"deleted and made anew": madeAnew,
		"nobody":                nobody,
		"odd IDs":               oddIDs,
	} {
		t.Run(name, func(t *testing.T) { test(t, app) })
	}
}

// add makes a user of the application.
func add(t *testing.T, app *userapp.App, u authtoken.User) authtoken.User {
	t.Helper()
	u.ID, u.Active, u.Created = uuid.NewString(), true, time.Now().Add(-time.Hour)
	u.Username += "-" + u.ID[:8]
	require.NoError(t, app.Users.Add(t.Context(), u))
	return u
}

// keyOf makes a token of a user's, and returns its key.
func keyOf(t *testing.T, app *userapp.App, u authtoken.User) string {
	t.Helper()
	_, key, err := app.Tokens.As(u.ID).Create(t.Context(), authtoken.CreateParams{Description: "key of " + u.Username})
	require.NoError(t, err)
	return key.Reveal()
}

// do sends a request. Its credentials are a key, or the ID of a user who has signed in
// with a colon after it.
func do(t *testing.T, app *userapp.App, credentials, method, path, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if user, ok := strings.CutSuffix(credentials, ":"); ok {
		r.AddCookie(&http.Cookie{Name: "user", Value: user})
	} else if credentials != "" {
		r.Header.Set("Authorization", "Bearer "+credentials)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

// call calls the API and returns its answer.
func call(t *testing.T, app *userapp.App, credentials, method, path, body string, status int) (answer map[string]any) {
	t.Helper()
	w := do(t, app, credentials, method, path, "application/json", body)
	require.Equal(t, status, w.Code, w.Body)
	if w.Body.Len() > 0 {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	}
	return answer
}

var shownKey = regexp.MustCompile(`<textarea id="key"[^>]*>([^<]+)<`)

// keyFromPage signs in, makes a token on the page, and uses its key.
func keyFromPage(t *testing.T, app *userapp.App) {
	alice := add(t, app, authtoken.User{Username: "alice"})
	w := do(t, app, "", "POST", "/sign-in", "application/x-www-form-urlencoded", url.Values{"username": {alice.Username}}.Encode())
	require.Equal(t, http.StatusSeeOther, w.Code)
	cookie := w.Result().Cookies()[0]
	require.Equal(t, alice.ID, cookie.Value)

	form := url.Values{"name": {"Alice's laptop"}, "intent": {"api"}}
	w = do(t, app, cookie.Value+":", "POST", "/account/tokens?do=new", "application/x-www-form-urlencoded", form.Encode())
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	shown := shownKey.FindStringSubmatch(w.Body.String())
	require.Len(t, shown, 2, w.Body)

	who := call(t, app, shown[1], "GET", "/whoami", "", http.StatusOK)
	require.Equal(t, map[string]any{"user": alice.ID, "username": alice.Username}, who)
	require.Contains(t, do(t, app, cookie.Value+":", "GET", "/account/tokens", "", "").Body.String(), "Alice&#39;s laptop")
}

// keyFromAPI makes a user's first token over the API, as a web page of the application
// would. The key does the rest: it lists, rotates and deletes.
func keyFromAPI(t *testing.T, app *userapp.App) {
	alice := add(t, app, authtoken.User{Username: "alice"})
	session, tokens := alice.ID+":", "/api/v3/core/tokens/"
	name := "ci-" + alice.ID
	made := call(t, app, session, "POST", tokens, `{"identifier":"`+name+`","user":"`+alice.ID+`"}`, http.StatusCreated)
	require.Equal(t, alice.ID, made["user"], "the UUID, as a string")
	key := made["key"].(string)
	require.Equal(t, alice.ID, call(t, app, key, "GET", "/whoami", "", http.StatusOK)["user"])
	require.Contains(t, do(t, app, session, "GET", "/account/tokens", "", "").Body.String(), name)

	second := call(t, app, session, "POST", tokens, `{"identifier":"second-`+alice.ID+`"}`, http.StatusCreated)["key"].(string)
	list := call(t, app, key, "GET", tokens, "", http.StatusOK)
	require.Len(t, list["results"], 2)

	rotated := call(t, app, key, "POST", tokens+name+"/rotate/", "", http.StatusOK)["key"].(string)
	call(t, app, key, "GET", "/whoami", "", http.StatusUnauthorized)
	call(t, app, rotated, "GET", "/whoami", "", http.StatusOK)
	call(t, app, rotated, "DELETE", tokens+name+"/", "", http.StatusNoContent)
	call(t, app, rotated, "GET", "/whoami", "", http.StatusUnauthorized)
	call(t, app, session, "DELETE", tokens+"second-"+alice.ID+"/", "", http.StatusNoContent)
	call(t, app, second, "GET", "/whoami", "", http.StatusUnauthorized)
}

// fromAnotherSite has a browser send a request of another site with the user's session.
func fromAnotherSite(t *testing.T, app *userapp.App) {
	alice := add(t, app, authtoken.User{Username: "alice"})
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/v3/core/tokens/", strings.NewReader(`{"identifier":"evil"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.AddCookie(&http.Cookie{Name: "user", Value: alice.ID})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	require.Equal(t, http.StatusForbidden, w.Code, w.Body)
}

// superuser sees the tokens of all, and finds an owner by name.
func superuser(t *testing.T, app *userapp.App) {
	root := add(t, app, authtoken.User{Username: "root", Superuser: true})
	bob := add(t, app, authtoken.User{Username: "Bob%"})
	other := add(t, app, authtoken.User{Username: "bobby"})
	keyOf(t, app, bob)
	keyOf(t, app, other)
	key := keyOf(t, app, root)
	list := call(t, app, key, "GET", "/api/v3/core/tokens/?user__username="+url.QueryEscape(bob.Username), "", http.StatusOK)
	require.Len(t, list["results"], 1)
	require.Equal(t, bob.ID, list["results"].([]any)[0].(map[string]any)["user"])
	page := do(t, app, root.ID+":", "GET", "/account/tokens?search="+url.QueryEscape("BOB%"), "", "").Body.String()
	require.Contains(t, page, bob.Username)
	require.NotContains(t, page, other.Username)
}

// inactiveUser can't do anything with the keys they have.
func inactiveUser(t *testing.T, app *userapp.App) {
	alice := add(t, app, authtoken.User{Username: "alice"})
	key := keyOf(t, app, alice)
	_, err := app.Users.DB.ExecContext(t.Context(), `UPDATE users SET active = FALSE WHERE id = $1`, alice.ID)
	require.NoError(t, err)
	call(t, app, key, "GET", "/whoami", "", http.StatusUnauthorized)
	require.Equal(t, http.StatusForbidden, do(t, app, alice.ID+":", "GET", "/account/tokens", "", "").Code)
}

// deletedUser has neither good keys nor tokens.
func deletedUser(t *testing.T, app *userapp.App) {
	alice := add(t, app, authtoken.User{Username: "alice"})
	bob := add(t, app, authtoken.User{Username: "bob"})
	key, bobs := keyOf(t, app, alice), keyOf(t, app, bob)
	require.NoError(t, app.DeleteUser(t.Context(), alice.ID))
	require.NoError(t, app.DeleteUser(t.Context(), alice.ID), "again")
	call(t, app, key, "GET", "/whoami", "", http.StatusUnauthorized)
	call(t, app, bobs, "GET", "/whoami", "", http.StatusOK)
	page, err := app.Tokens.Page(t.Context(), authtoken.Filter{User: alice.ID}, 1, 10)
	require.NoError(t, err)
	require.Zero(t, page.Count)
}

// madeAnew deletes a user but not their token, and makes another user with the same ID.
// The key is refused before and after.
func madeAnew(t *testing.T, app *userapp.App) {
	alice := add(t, app, authtoken.User{Username: "alice"})
	key := keyOf(t, app, alice)
	require.NoError(t, app.Users.Delete(t.Context(), alice.ID))
	call(t, app, key, "GET", "/whoami", "", http.StatusUnauthorized)
	alice.Created = time.Now().Add(time.Second)
	require.NoError(t, app.Users.Add(t.Context(), alice))
	call(t, app, key, "GET", "/whoami", "", http.StatusUnauthorized)

	// A new token is the new user's, though the clock of the directory is ahead.
	call(t, app, keyOf(t, app, alice), "GET", "/whoami", "", http.StatusOK)
}

func nobody(t *testing.T, app *userapp.App) {
	require.Equal(t, http.StatusForbidden, do(t, app, "", "GET", "/account/tokens", "", "").Code)
	call(t, app, "", "GET", "/whoami", "", http.StatusUnauthorized)
	require.Equal(t, http.StatusForbidden, do(t, app, "", "GET", "/api/v3/core/tokens/", "", "").Code)
	require.Equal(t, http.StatusForbidden, do(t, app, "", "POST", "/sign-in", "application/x-www-form-urlencoded", "username=nobody").Code)
}

// oddIDs asks the directory for what is no user's ID, as a cookie may.
func oddIDs(t *testing.T, app *userapp.App) {
	alice := add(t, app, authtoken.User{Username: "alice"})
	for _, id := range []string{
		"7", "' OR 1=1 --", strings.ToUpper(alice.ID), "{" + alice.ID + "}", "urn:uuid:" + alice.ID, strings.ReplaceAll(alice.ID, "-", ""),
		alice.ID + " ", uuid.NewString(), uuid.Nil.String(),
	} {
		_, err := app.Users.User(t.Context(), id)
		require.ErrorIs(t, err, authtoken.ErrUserNotFound, id)
		_, err = app.Tokens.As(id).Page(t.Context(), authtoken.Filter{}, 1, 10)
		require.Error(t, err, id)
	}
	found, err := app.Users.Users(t.Context(), []string{alice.ID, "7", uuid.NewString()})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, alice.Username, found[alice.ID].Username)
}
