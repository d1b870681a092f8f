package httpadapter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store/memory"
)

// counting is a directory of many users that counts how often it is asked.
type counting struct{ calls int }

func (c *counting) User(_ context.Context, pk string) (authtoken.User, error) {
	if pk != "1" {
		c.calls++
	}
	return authtoken.User{ID: pk, Username: fmt.Sprint("u", pk), Active: true, Superuser: pk == "1"}, nil
}

func (c *counting) Users(_ context.Context, ids []string) (map[string]authtoken.User, error) {
	c.calls++
	found := make(map[string]authtoken.User, len(ids))
	for _, id := range ids {
		found[id] = authtoken.User{ID: id, Username: fmt.Sprint("u", id), Active: true}
	}
	return found, nil
}

// A page of tokens of as many users as there can be costs one question.
func TestListAsksForOwnersOnce(t *testing.T) {
	t.Parallel()
	users := new(counting)
	svc, err := authtoken.New(memory.New(), authtoken.Config{Users: users})
	require.NoError(t, err)
	const owners = 1000
	for i := range owners {
		_, _, err := svc.Create(t.Context(), authtoken.CreateParams{Identifier: fmt.Sprint("t", i), User: strconv.Itoa(i + 2)})
		require.NoError(t, err)
	}
	h, err := httpadapter.New(svc, httpadapter.Config{Authenticate: func(*http.Request) (authtoken.Principal, error) {
		return authtoken.SignedIn("1"), nil
	}})
	require.NoError(t, err)
	users.calls = 0
	w := (&api{Handler: h}).do(t, "", "GET", tokens+"?page_size=1000", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, 1, users.calls)
	var page struct {
		Results []struct {
			User    int64
			UserObj struct{ Username string } `json:"user_obj"`
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	require.Len(t, page.Results, owners)
	for _, token := range page.Results {
		require.Equal(t, fmt.Sprint("u", token.User), token.UserObj.Username)
	}
}
