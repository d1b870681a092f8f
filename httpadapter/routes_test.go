package httpadapter_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/httpadapter"
)

// A condition that no token meets is not the same as none. (RFC 9110, section 13.1.1)
func TestOddIfMatch(t *testing.T) {
	t.Parallel()
	a := newAPI(t, httpadapter.Config{})
	for _, v := range [][]string{{""}, {"", ""}, {" "}, {","}, {`""`}, {`W/"x"`}, {`"*"`}, {`*, "x"`}} {
		t.Run(strings.Join(v, "+"), func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct{ method, path, body string }{
				{"PUT", "", `{"identifier":"key-bob"}`}, {"PATCH", "", `{"description":"x"}`}, {"DELETE", "", ""},
				{"POST", "rotate/", ""}, {"POST", "set_key/", `{"key":"a-key-of-more-than-thirty-two-bytes"}`},
			} {
				r := httptest.NewRequestWithContext(t.Context(), c.method, tokens+"key-bob/"+c.path, strings.NewReader(c.body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+a.keys["akadmin"])
				r.Header["If-Match"] = v
				w := httptest.NewRecorder()
				a.ServeHTTP(w, r)
				require.Equal(t, http.StatusPreconditionFailed, w.Code, c)
			}
		})
	}
}
