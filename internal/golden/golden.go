// Package golden replays recorded requests against a handler and compares the
// answers with those of a compatible server.
//
// testdata/golden.json is a list of scenarios, each a list of steps. In them,
// <now+N> stands for the time N seconds from now, and in answers <uuid> for any
// UUID, <key> for any key, <user:N> for that user of testdata/users.json and
// <any> for anything. An answer may have more fields than are expected.
package golden

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
	"github.com/authtoken/authtoken/store"
)

//go:embed testdata
var testdata embed.FS

type scenario struct {
	Name  string
	Steps []step
}

type step struct {
	As            *string
	Authorization *string
	Method        string
	Path          string
	Body          *string
	ContentType   string `json:"content_type"`
	Expect        struct {
		Status int
		JSON   json.RawMessage
	}
}

// Inspect is called with each request, its body, which is read by then, and its
// answer.
type Inspect func(t *testing.T, r *http.Request, sent []byte, answer *http.Response, body []byte)

// Run replays all scenarios, each over a store of its own. inspect may be nil.
func Run(t *testing.T, newStore func(t *testing.T) store.Store, inspect Inspect) {
	var scenarios []scenario
	decode(t, "golden.json", &scenarios)
	var wire []json.RawMessage
	decode(t, "users.json", &wire)
	f, err := testdata.Open("testdata/users.json")
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := httpadapter.ReadProfiles(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			r := &replay{profiles: profiles, wire: wire, start: time.Now().UTC(), inspect: inspect}
			r.handler = r.serve(t, newStore(t))
			for i, st := range s.Steps {
				r.step(t, i+1, st)
			}
		})
	}
	t.Logf("%d scenarios", len(scenarios))
}

func decode(t *testing.T, name string, into any) {
	t.Helper()
	text, err := testdata.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type replay struct {
	profiles []httpadapter.Profile
	wire     []json.RawMessage
	start    time.Time
	handler  http.Handler
	inspect  Inspect
}

// serve sets up what every scenario starts from: a token for each user, made
// by the superuser.
func (r *replay) serve(t *testing.T, st store.Store) http.Handler {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var users []authtoken.User
	for _, p := range r.profiles {
		users = append(users, p.User())
	}
	directory, err := authtoken.NewUserList(users...)
	check(err)
	sealer, err := authtoken.NewAESSealer(bytes.Repeat([]byte{7}, 32))
	check(err)
	svc, err := authtoken.New(st, authtoken.Config{
		Policy: authtoken.Authentik(),
		Users:  directory,
		Sealer: sealer,
	})
	check(err)
	super := svc.As(users[0].ID)
	for _, u := range users {
		identifier := "seed-" + u.Username
		_, _, err := super.Create(t.Context(), authtoken.CreateParams{
			Identifier: identifier, User: u.ID, Expiring: new(false),
		})
		check(err)
		check(super.SetKey(t.Context(), identifier, keyOf(u.Username)))
	}
	h, err := httpadapter.New(svc, httpadapter.Config{Profiles: httpadapter.ProfileList(r.profiles...)})
	check(err)
	return h
}

func keyOf(username string) string {
	return "seed-key-of-" + username + "-0123456789abcdefghijklmnopqrstuv"
}

func (r *replay) step(t *testing.T, n int, st step) {
	t.Helper()
	var body []byte
	if st.Body != nil {
		body = []byte(r.fill(*st.Body))
	}
	req := httptest.NewRequestWithContext(t.Context(), st.Method, st.Path, bytes.NewReader(body))
	if st.ContentType != "" {
		req.Header.Set("Content-Type", st.ContentType)
	}
	switch {
	case st.As != nil:
		req.Header.Set("Authorization", "Bearer "+keyOf(*st.As))
	case st.Authorization != nil:
		req.Header.Set("Authorization", *st.Authorization)
	}
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, req)
	answer := rec.Body.Bytes()
	if r.inspect != nil {
		r.inspect(t, req, body, rec.Result(), answer)
	}

	where := fmt.Sprintf("step %d, %s %s", n, st.Method, st.Path)
	if rec.Code != st.Expect.Status {
		t.Fatalf("%s: status %d, want %d: %s", where, rec.Code, st.Expect.Status, answer)
	}
	if st.Expect.JSON == nil {
		return
	}
	var want, got any
	if err := json.Unmarshal(st.Expect.JSON, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%s: answer is no JSON: %v: %s", where, err, answer)
	}
	if fault := r.compare("", want, got); fault != "" {
		t.Fatalf("%s: %s\n got %s\nwant %s", where, fault, answer, st.Expect.JSON)
	}
}

var nowPlus = regexp.MustCompile(`<now\+(-?\d+)>`)

// fill puts times where a body has placeholders for them.
func (r *replay) fill(body string) string {
	return nowPlus.ReplaceAllStringFunc(body, func(s string) string {
		return time.Now().UTC().Add(seconds(s)).Format("2006-01-02T15:04:05.000000Z")
	})
}

func seconds(placeholder string) time.Duration {
	n, _ := strconv.Atoi(nowPlus.FindStringSubmatch(placeholder)[1])
	return time.Duration(n) * time.Second
}

// compare returns what is wrong with got, or "".
func (r *replay) compare(path string, want, got any) string {
	mismatch := fmt.Sprintf("%s is %v, want %v", path, got, want)
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return mismatch
		}
		for name, w := range want {
			g, ok := object[name]
			if !ok {
				return fmt.Sprintf("%s has no %s", path, name)
			}
			if fault := r.compare(path+"."+name, w, g); fault != "" {
				return fault
			}
		}
		// Errors about fields that are right are not extra fields.
		if _, ok := want["pk"]; !ok && len(object) != len(want) && isFaults(object) {
			return mismatch
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return mismatch
		}
		for i := range want {
			if fault := r.compare(fmt.Sprintf("%s[%d]", path, i), want[i], list[i]); fault != "" {
				return fault
			}
		}
		return ""
	case string:
		if !r.matches(want, got) {
			return mismatch
		}
		return ""
	default:
		if want != got {
			return mismatch
		}
		return ""
	}
}

// isFaults reports whether object says what is wrong with a request's fields.
func isFaults(object map[string]any) bool {
	for _, v := range object {
		if _, ok := v.([]any); !ok {
			return false
		}
	}
	return true
}

func (r *replay) matches(want string, got any) bool {
	if n, ok := strings.CutPrefix(want, "<user:"); ok {
		pk, _ := strconv.Atoi(strings.TrimSuffix(n, ">"))
		var user any
		_ = json.Unmarshal(r.wire[pk-1], &user)
		return r.compare("user", user, got) == ""
	}
	text, ok := got.(string)
	switch {
	case !ok:
		return false
	case want == "<uuid>":
		return uuid.Validate(text) == nil && len(text) == 36
	case want == "<key>":
		return len(text) >= 32
	case nowPlus.MatchString(want):
		at, err := time.Parse(time.RFC3339Nano, text)
		since := at.Sub(r.start.Add(seconds(want)))
		return err == nil && strings.HasSuffix(text, "Z") && since >= -time.Second && since < time.Minute
	default:
		pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "<any>", `(?s).*`)
		return regexp.MustCompile("^" + pattern + "$").MatchString(text)
	}
}
