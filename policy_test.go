package authtoken_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
)

func TestExpiryOnCreate(t *testing.T) {
	t.Parallel()
	const never = time.Duration(-1 << 62) // stands for the zero time
	limited := authtoken.Policy{DefaultLifetime: time.Hour, MaxLifetime: 4 * time.Hour}
	api, app := authtoken.IntentAPI, authtoken.IntentAppPassword
	for _, c := range []struct {
		name    string
		policy  authtoken.Policy
		by      *authtoken.User // nil is trusted code
		owner   int64
		intent  authtoken.Intent
		asked   time.Duration // from now; zero for nothing asked
		want    time.Duration
		tooLong bool
	}{
		{"default", authtoken.Policy{}, &alice, 0, api, 0, 30 * time.Minute, false},
		{"as asked", authtoken.Policy{}, &alice, 0, api, 1000 * time.Hour, 1000 * time.Hour, false},
		{"as asked, other intent", authtoken.Policy{}, &alice, 0, app, 1000 * time.Hour, 1000 * time.Hour, false},
		{"in the past", authtoken.Policy{}, &alice, 0, api, -time.Hour, -time.Hour, false},
		{"not expiring", authtoken.Policy{}, &bob, 0, api, 0, never, false},
		{"owner's maximum", authtoken.Policy{}, &carol, 0, api, 2 * time.Hour, 2 * time.Hour, false},
		{"over the owner's maximum", authtoken.Policy{}, &carol, 0, api, 2*time.Hour + time.Microsecond, 0, true},
		{"the owner's, not the caller's", authtoken.Policy{}, &root, 4, api, 3 * time.Hour, 0, true},
		{"trusted code too", authtoken.Policy{}, nil, 4, api, 3 * time.Hour, 0, true},
		{"default above the maximum", authtoken.Policy{DefaultLifetime: 9 * time.Hour}, &carol, 0, api, 0, 2 * time.Hour, false},

		{"policy's default", limited, &alice, 0, api, 0, time.Hour, false},
		{"policy's maximum", limited, &alice, 0, app, 4 * time.Hour, 4 * time.Hour, false},
		{"over the policy's maximum", limited, &alice, 0, app, 4*time.Hour + time.Microsecond, 0, true},
		{"owner's maximum goes first", limited, &carol, 0, app, 3 * time.Hour, 0, true},
		{"superusers too", limited, &root, 0, api, 5 * time.Hour, 0, true},

		{"authentik, api", authtoken.Authentik(), &alice, 0, api, 0, 30 * time.Minute, false},
		{"authentik, api, whatever asked", authtoken.Authentik(), &root, 0, api, 1000 * time.Hour, 30 * time.Minute, false},
		{"authentik, api, trusted", authtoken.Authentik(), nil, 2, api, 1000 * time.Hour, 1000 * time.Hour, false},
		{"authentik, api, trusted, nothing asked", authtoken.Authentik(), nil, 2, api, 0, 30 * time.Minute, false},
		{"authentik, app", authtoken.Authentik(), &alice, 0, app, 0, never, false},
		{"authentik, app, as asked", authtoken.Authentik(), &alice, 0, app, 30 * time.Minute, 30 * time.Minute, false},
		{"authentik, app, too long", authtoken.Authentik(), &alice, 0, app, 30*time.Minute + time.Microsecond, 0, true},
		{"authentik, app, owner's maximum", authtoken.Authentik(), &carol, 0, app, 2 * time.Hour, 2 * time.Hour, false},
		{"authentik, app, too long, trusted", authtoken.Authentik(), nil, 2, app, time.Hour, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			svc, clock := newService(t, c.policy)
			p := authtoken.CreateParams{Identifier: "one", User: c.owner, Intent: c.intent}
			if c.asked != 0 {
				p.Expires = clock.Now().Add(c.asked)
			}
			var token authtoken.Token
			var err error
			if c.by == nil {
				token, _, err = svc.Create(t.Context(), p)
			} else {
				token, _, err = svc.As(c.by.PK).Create(t.Context(), p)
			}
			if c.tooLong {
				var v *authtoken.ValidationError
				require.ErrorAs(t, err, &v)
				require.True(t, v.Has("expires", authtoken.CodeTooLong))
				require.Regexp(t, `^Token expires exceeds maximum lifetime \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00 UTC\)\.$`, v.Fields[0].Message)
				return
			}
			require.NoError(t, err)
			if c.want == never {
				require.Zero(t, token.Expires)
			} else {
				require.Equal(t, clock.Now().Add(c.want), token.Expires)
			}
		})
	}
}

func TestExpiryOnUpdate(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, policy authtoken.Policy, intent authtoken.Intent) (*authtoken.Access, authtoken.Token, *authtokentest.Clock) {
		svc, clock := newService(t, policy)
		token, _, err := svc.As(alice.PK).Create(t.Context(), authtoken.CreateParams{
			Identifier: "one", Intent: intent, Expires: clock.Now().Add(10 * time.Minute)})
		require.NoError(t, err)
		clock.Advance(time.Minute)
		return svc.As(alice.PK), token, clock
	}

	t.Run("default policy", func(t *testing.T) {
		t.Parallel()
		as, before, clock := start(t, authtoken.Policy{}, authtoken.IntentAPI)
		after, err := as.Update(t.Context(), "one", authtoken.UpdateParams{})
		require.NoError(t, err)
		require.Equal(t, before.Expires, after.Expires, "what is not named stays")
		later := clock.Now().Add(time.Hour)
		after, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Expires: &later})
		require.NoError(t, err)
		require.Equal(t, later, after.Expires)
		after, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Expires: new(time.Time)})
		require.NoError(t, err)
		require.Equal(t, clock.Now().Add(30*time.Minute), after.Expires, "removing it asks for the default")
	})
	t.Run("authentik, api", func(t *testing.T) {
		t.Parallel()
		as, _, clock := start(t, authtoken.Authentik(), authtoken.IntentAPI)
		after, err := as.Update(t.Context(), "one", authtoken.UpdateParams{Expires: new(clock.Now().Add(time.Second))})
		require.NoError(t, err)
		require.Equal(t, clock.Now().Add(30*time.Minute), after.Expires, "renewed, whatever was asked")
	})
	t.Run("authentik, app_password", func(t *testing.T) {
		t.Parallel()
		as, before, clock := start(t, authtoken.Authentik(), authtoken.IntentAppPassword)
		after, err := as.Update(t.Context(), "one", authtoken.UpdateParams{})
		require.NoError(t, err)
		require.Equal(t, before.Expires, after.Expires)
		after, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Expires: new(time.Time)})
		require.NoError(t, err)
		require.Zero(t, after.Expires)
		_, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Expires: new(clock.Now().Add(time.Hour))})
		require.Error(t, err)
		after, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Intent: new(authtoken.IntentAPI)})
		require.NoError(t, err)
		require.Equal(t, clock.Now().Add(30*time.Minute), after.Expires)
	})
}

func TestMaximumLifetimeForbidsNeverExpiring(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{MaxLifetime: time.Hour})
	_, _, err := svc.As(root.PK).Create(t.Context(), authtoken.CreateParams{Identifier: "one", Expiring: new(false)})
	requireFaults(t, err, "expiring: Token must expire, as there is a maximum lifetime.")
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: 2, Expiring: new(false)})
	requireFaults(t, err, "expiring: Token must expire, as there is a maximum lifetime.")
	token, _, err := svc.As(bob.PK).Create(t.Context(), authtoken.CreateParams{Identifier: "one"})
	require.NoError(t, err)
	require.False(t, token.Expiring, "the owner's attribute says so")
}

func TestMaximumLifetimeAttribute(t *testing.T) {
	t.Parallel()
	for text, want := range map[any]time.Duration{
		"hours=2":                       2 * time.Hour,
		"hours=2;minutes=30":            150 * time.Minute,
		"Hours=1.5":                     90 * time.Minute,
		"hours=1;hours=2":               2 * time.Hour,
		"parsecs=3;seconds= 7 ":         7 * time.Second,
		"weeks=1;days=1;milliseconds=5": 8*24*time.Hour + 5*time.Millisecond,
		"microseconds=3":                3 * time.Microsecond,
		"minutes=1e1":                   10 * time.Minute,
		"minutes=-1":                    -time.Minute,
		"weeks=1e300":                   100 * 365 * 24 * time.Hour,
		"":                              0,
		"hours":                         0,
		"hours=2;":                      0,
		"hours=x":                       0,
		"hours=inf":                     0,
		"hours=nan":                     0,
		"hours=0x1p2":                   0,
		"hours=1=2":                     0,
		"parsecs=3":                     0,
		7:                               0,
		true:                            0,
	} {
		u := alice
		u.Attributes = map[string]any{authtoken.AttributeMaximumLifetime: text}
		users, err := authtoken.NewUserList(u)
		require.NoError(t, err)
		svc, clock := authtokentest.NewService(t, authtoken.Config{Users: users})
		ask := func(d time.Duration) error {
			_, _, err := svc.As(u.PK).Create(t.Context(), authtoken.CreateParams{
				Identifier: "t" + time.Duration.String(max(d, -d))[:1], Expires: clock.Now().Add(d)})
			return err
		}
		if want == 0 { // it can't be read, and is no freedom
			want = 30 * time.Minute
		}
		require.Error(t, ask(want+time.Microsecond), "%v", text)
		require.NoError(t, ask(want), "%v", text)
	}
}

func TestChangingIntentIsNoWayRoundTheMaximum(t *testing.T) {
	t.Parallel()
	brief := authtoken.User{PK: 2, Active: true,
		Attributes: map[string]any{authtoken.AttributeMaximumLifetime: "minutes=5"}}
	users, err := authtoken.NewUserList(brief)
	require.NoError(t, err)
	svc, _ := authtokentest.NewService(t, authtoken.Config{Users: users, Policy: authtoken.Authentik()})
	_, _, err = svc.As(brief.PK).Create(t.Context(), authtoken.CreateParams{Identifier: "a"})
	require.NoError(t, err)
	_, err = svc.As(brief.PK).Update(t.Context(), "a", authtoken.UpdateParams{Intent: new(authtoken.IntentAppPassword)})
	var v *authtoken.ValidationError
	require.ErrorAs(t, err, &v)
	require.True(t, v.Has("expires", authtoken.CodeTooLong))
}

func TestTimesAreWhatIsStored(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{DefaultLifetime: time.Minute + 1500})
	token, _ := create(t, svc, authtoken.CreateParams{Identifier: "a", User: 2})
	require.Equal(t, clock.Now().Add(time.Minute+1000), token.Expires)
	token, _, err := svc.Rotate(t.Context(), "a", 1500)
	require.NoError(t, err)
	stored, err := svc.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, token, stored)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "b", User: 2, Expires: time.Time{}.Add(5)})
	requireFaults(t, err, "expires: Datetime value out of range.")
}

// Names in Managed are unique, so that one user could take another's, or the
// application's.
func TestManagedIsForSuperusers(t *testing.T) {
	t.Parallel()
	svc, _ := newService(t, authtoken.Policy{})
	as := svc.As(alice.PK)
	const fault = "managed: Only administrators may set or change this."
	_, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "one", Managed: "app/backup"})
	requireFaults(t, err, fault)
	_, _, err = as.Create(t.Context(), authtoken.CreateParams{Identifier: "one"})
	require.NoError(t, err)
	_, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Managed: new("app/backup")})
	requireFaults(t, err, fault)
	_, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Managed: new("")})
	require.NoError(t, err, "it has none: no change")

	_, err = svc.As(root.PK).Update(t.Context(), "one", authtoken.UpdateParams{Managed: new("app/backup")})
	require.NoError(t, err)
	_, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Managed: new(" app/backup ")})
	require.NoError(t, err, "what it has is no change")
	_, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Managed: new("")})
	requireFaults(t, err, fault)

	svc, _ = newService(t, authtoken.Policy{UsersSetManaged: true})
	token, _, err := svc.As(alice.PK).Create(t.Context(), authtoken.CreateParams{Identifier: "one", Managed: "mine"})
	require.NoError(t, err)
	require.Equal(t, "mine", token.Managed)
}
