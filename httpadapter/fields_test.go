package httpadapter_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

const (
	notABoolean = `{"expiring":["Must be a valid boolean."]}`
	notASlug    = `{"identifier":["Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens."]}`
	outOfRange  = `{"expires":["Datetime value out of range."]}`
)

// Django REST framework also accepts values of other JSON types, and so does the handler.
// The answers are those of the framework.
func TestValues(t *testing.T) {
	t.Parallel()
	wrongUser := func(kind string) string {
		return `{"user":["Incorrect type. Expected pk value, received ` + kind + `."]}`
	}
	noUser := func(pk string) string { return `{"user":["Invalid pk \"` + pk + `\" - object does not exist."]}` }
	notAnIntent := func(s string) string { return `{"intent":["\"` + s + `\" is not a valid choice."]}` }
	for _, c := range []struct{ field, sent, want string }{ // want is the value in the answer, or the faults
		{"user", `"2"`, `2`},
		{"user", `" 2 "`, `2`},
		{"user", `"+2"`, `2`},
		{"user", `"02"`, `2`},
		{"user", `2.0`, `2`},
		{"user", `2e0`, `2`},
		{"user", `20E-1`, `2`},
		{"user", `2.5`, wrongUser("float")}, // the framework takes it for 2
		{"user", `1e999`, wrongUser("float")},
		{"user", `"2.0"`, wrongUser("str")},
		{"user", `"abc"`, wrongUser("str")},
		{"user", `" "`, wrongUser("str")},
		{"user", `""`, `{"user":["This field may not be null."]}`},
		{"user", `true`, wrongUser("bool")},
		{"user", `[2]`, wrongUser("list")},
		{"user", `99`, noUser("99")},
		{"user", `99.0`, noUser("99.0")},
		{"user", `1e2`, noUser("100.0")},
		{"user", `"099"`, noUser("099")},
		{"user", `-1`, noUser("-1")},
		{"user", `1e300`, noUser("1e+300")},
		{"user", `"9223372036854775808"`, noUser("9223372036854775808")},

		{"expiring", `false`, `false`},
		{"expiring", `"false"`, `false`},
		{"expiring", `"False"`, `false`},
		{"expiring", `"FALSE"`, `false`},
		{"expiring", `"f"`, `false`},
		{"expiring", `"no"`, `false`},
		{"expiring", `"N"`, `false`},
		{"expiring", `"off"`, `false`},
		{"expiring", `"0"`, `false`},
		{"expiring", `0`, `false`},
		{"expiring", `0.0`, `false`},
		{"expiring", `-0.0`, `false`},
		{"expiring", `"True"`, `true`},
		{"expiring", `"t"`, `true`},
		{"expiring", `"YES"`, `true`},
		{"expiring", `"y"`, `true`},
		{"expiring", `"On"`, `true`},
		{"expiring", `"1"`, `true`},
		{"expiring", `1`, `true`},
		{"expiring", `1.0`, `true`},
		{"expiring", `2`, notABoolean},
		{"expiring", `"2"`, notABoolean},
		{"expiring", `"1.0"`, notABoolean},
		{"expiring", `" true"`, notABoolean},
		{"expiring", `"maybe"`, notABoolean},
		{"expiring", `""`, notABoolean},
		{"expiring", `[true]`, notABoolean},
		{"expiring", `{}`, notABoolean},

		{"description", `5`, `"5"`},
		{"description", `-0`, `"0"`},
		{"description", `123456789012345678901234567890`, `"123456789012345678901234567890"`},
		{"description", `1.0`, `"1.0"`},
		{"description", `1.50`, `"1.5"`},
		{"description", `-0.0`, `"-0.0"`},
		{"description", `0.0001`, `"0.0001"`},
		{"description", `1e-5`, `"1e-05"`},
		{"description", `1E+2`, `"100.0"`},
		{"description", `1e15`, `"1000000000000000.0"`},
		{"description", `1e16`, `"1e+16"`},
		{"description", `1e999`, `"inf"`},
		{"description", `-1e999`, `"-inf"`},
		{"description", `true`, `{"description":["Not a valid string."]}`},
		{"description", `["a"]`, `{"description":["Not a valid string."]}`},
		{"description", `{}`, `{"description":["Not a valid string."]}`},
		{"managed", `7`, `"7"`},
		{"managed", `false`, `{"managed":["Not a valid string."]}`},
		{"identifier", `7`, `"7"`},
		{"identifier", `-7`, `"-7"`},
		{"identifier", `1e-5`, `"1e-05"`},
		{"identifier", `1.5`, notASlug},
		{"identifier", `true`, notASlug},
		{"identifier", `["a"]`, notASlug},
		{"intent", `1.50`, notAnIntent("1.5")},
		{"intent", `1e3`, notAnIntent("1000.0")},
		{"intent", `true`, notAnIntent("True")},

		{"expires", `"2030-11-26"`, `"2030-11-26T00:00:00Z"`},
		{"expires", `"20301126T0304Z"`, `"2030-11-26T03:04:00Z"`},
		{"expires", `"2030-W48-2T03,5"`, `{"expires":["Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."]}`},
		{"expires", `"2030-W48-2T03:04:05,5"`, `"2030-11-26T03:04:05.500000Z"`},
		{"expires", `"2030-11-26T03:04:05+00:00:05"`, `"2030-11-26T03:04:00Z"`},
		{"expires", `"0001-01-01T00:00:00Z"`, outOfRange},
		{"expires", `"0001-01-01T00:00:00.000001Z"`, `"0001-01-01T00:00:00.000001Z"`},
		{"expires", `"0001-01-01T00:00:00+00:01"`, outOfRange},
		{"expires", `"9999-12-31T23:59:59-00:01"`, outOfRange},
	} {
		t.Run(c.field+" "+c.sent, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, httpadapter.Config{})
			body := `{"identifier":"new","` + c.field + `":` + c.sent + `}` // the last of two identifiers counts
			w := a.do(t, "akadmin", "POST", tokens, body)
			if strings.HasPrefix(c.want, "{") {
				requireAnswer(t, w, http.StatusBadRequest, c.want)
				return
			}
			require.Equal(t, http.StatusCreated, w.Code, w.Body)
			var shown map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &shown))
			require.Equal(t, c.want, string(shown[c.field]))
		})
	}
}

// If the policy overwrites the time in a request, any time that the framework accepts is
// accepted.
func TestExpiresThatIsOverwritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, intent, expires string
		status                int
	}{
		{"the first instant", "api", "0001-01-01T00:00:00Z", http.StatusCreated},
		{"before it", "api", "0001-01-01T00:00:00+01:00", http.StatusBadRequest},
		{"the first instant, kept", "app_password", "0001-01-01T00:00:00Z", http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAPIWith(t, authtoken.Config{Policy: authtoken.Authentik()}, httpadapter.Config{})
			w := a.do(t, "alice", "POST", tokens, `{"identifier":"new","intent":"`+c.intent+`","expires":"`+c.expires+`"}`)
			require.Equal(t, c.status, w.Code, w.Body)
			if c.status == http.StatusBadRequest {
				require.JSONEq(t, outOfRange, w.Body.String())
			}
		})
	}
}
