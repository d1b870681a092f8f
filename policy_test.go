package authtoken_test

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/authtokentest"
)

func TestExpiringIsForSuperusersToChoose(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]authtoken.Policy{"default": {}, "Authentik": authtoken.Authentik()} {
		for _, c := range []struct {
			by    authtoken.User
			user  string
			asked *bool
			want  bool
		}{
			{alice, "", nil, true}, {alice, "", new(false), true},
			{bob, "", nil, false}, {bob, "", new(true), false},
			{root, "", nil, true}, {root, "", new(false), false},
			{root, bob.ID, nil, true}, {root, alice.ID, new(false), false},
		} {
			asked := "nothing"
			if c.asked != nil {
				asked = strconv.FormatBool(*c.asked)
			}
			t.Run(name+"/"+c.by.Username+" for "+cmp.Or(c.user, "themselves")+" asks "+asked, func(t *testing.T) {
				t.Parallel()
				svc, _ := newService(t, policy)
				as := svc.As(c.by.ID)
				token, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: c.user, Expiring: c.asked})
				require.NoError(t, err)
				require.Equal(t, c.want, token.Expiring)

				token, err = as.Update(t.Context(), "one", authtoken.UpdateParams{Expiring: new(!c.want)})
				require.NoError(t, err)
				require.Equal(t, c.want != c.by.Superuser, token.Expiring, "nor can others change it afterwards")
			})
		}
	}
}

func TestIntentsThatMayBeAskedFor(t *testing.T) {
	t.Parallel()
	both := []authtoken.Intent{authtoken.IntentAPI, authtoken.IntentAppPassword}
	for name, c := range map[string]struct {
		policy  authtoken.Policy
		by      authtoken.User
		allowed []authtoken.Intent
	}{
		"default, superuser":   {authtoken.Policy{}, root, authtoken.Intents()},
		"default, user":        {authtoken.Policy{}, alice, both},
		"Authentik, superuser": {authtoken.Authentik(), root, both},
		"Authentik, user":      {authtoken.Authentik(), alice, both},
		"none, user":           {authtoken.Policy{UserIntents: []authtoken.Intent{}}, alice, nil},
		"none, superuser":      {authtoken.Policy{SuperuserIntents: []authtoken.Intent{}}, root, nil},
	} {
		for _, intent := range authtoken.Intents() {
			t.Run(name+"/"+string(intent), func(t *testing.T) {
				t.Parallel()
				svc, _ := newService(t, c.policy)
				_, _, err := svc.As(c.by.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "one", Intent: intent})
				if slices.Contains(c.allowed, intent) {
					require.NoError(t, err)
				} else {
					requireFaults(t, err, "intent may not be chosen or changed by this user")
				}
				create(t, svc, authtoken.CreateParams{Identifier: "trusted", User: alice.ID, Intent: intent})
			})
		}
	}
}

// An intent that a user may not ask for is not for them to use either: whoever
// may rotate or be shown a recovery key has one.
func TestIntentsThatMayNotBeUsed(t *testing.T) {
	t.Parallel()
	for _, intent := range []authtoken.Intent{authtoken.IntentRecovery, authtoken.IntentVerification} {
		for name, access := range map[string]func(t *testing.T, svc *authtoken.Service) *authtoken.Access{
			"person": func(_ *testing.T, svc *authtoken.Service) *authtoken.Access { return svc.As(alice.ID) },
			"key": func(t *testing.T, svc *authtoken.Service) *authtoken.Access {
				return svc.For(check(t, svc, loginKey(t, svc, alice)))
			},
		} {
			t.Run(string(intent)+"/"+name, func(t *testing.T) {
				t.Parallel()
				svc, _ := newService(t, authtoken.Policy{})
				before, key := create(t, svc, authtoken.CreateParams{Identifier: "r", User: alice.ID, Intent: intent})
				as := access(t, svc)
				_, err := as.Update(t.Context(), "r", authtoken.UpdateParams{Description: new("mine")})
				require.ErrorIs(t, err, authtoken.ErrForbidden)
				_, err = as.Update(t.Context(), "r", authtoken.UpdateParams{Intent: new(authtoken.IntentAPI)})
				require.ErrorIs(t, err, authtoken.ErrForbidden)
				_, _, err = as.Rotate(t.Context(), "r", 0)
				require.ErrorIs(t, err, authtoken.ErrForbidden)
				_, err = as.Reveal(t.Context(), "r")
				require.ErrorIs(t, err, authtoken.ErrForbidden)
				require.ErrorIs(t, as.SetKey(t.Context(), "r", importedKey), authtoken.ErrForbidden)

				page, err := as.Page(t.Context(), authtoken.Filter{Intent: intent}, 1, 10)
				require.NoError(t, err)
				require.Equal(t, []authtoken.Token{before}, page.Tokens)
				_, err = svc.Authenticate(t.Context(), key, intent)
				require.NoError(t, err, "the key that was handed out is still the only one")

				_, err = svc.As(root.ID).Update(t.Context(), "r", authtoken.UpdateParams{Description: new("checked")})
				require.NoError(t, err, "superusers may")
				require.NoError(t, as.Delete(t.Context(), "r"))
			})
		}
	}
}

func TestExpiryOnCreate(t *testing.T) {
	t.Parallel()
	const never = time.Duration(-1 << 62) // stands for the zero time
	limited := authtoken.Policy{DefaultLifetime: time.Hour, MaxLifetime: 4 * time.Hour}
	api, app := authtoken.IntentAPI, authtoken.IntentAppPassword
	for _, c := range []struct {
		name    string
		policy  authtoken.Policy
		by      *authtoken.User // nil is trusted code
		owner   string
		intent  authtoken.Intent
		asked   time.Duration // from now; zero for nothing asked
		want    time.Duration // or, if tooLate, the last time that is allowed
		tooLate bool
	}{
		{"default", authtoken.Policy{}, &alice, "", api, 0, 30 * time.Minute, false},
		{"as asked", authtoken.Policy{}, &alice, "", api, 1000 * time.Hour, 1000 * time.Hour, false},
		{"as asked, other intent", authtoken.Policy{}, &alice, "", app, 1000 * time.Hour, 1000 * time.Hour, false},
		{"in the past", authtoken.Policy{}, &alice, "", api, -time.Hour, -time.Hour, false},
		{"not expiring", authtoken.Policy{}, &bob, "", api, 0, never, false},
		{"owner's maximum", authtoken.Policy{}, &carol, "", api, 2 * time.Hour, 2 * time.Hour, false},
		{"over the owner's maximum", authtoken.Policy{}, &carol, "", api, 2*time.Hour + time.Microsecond, 2 * time.Hour, true},
		{"the owner's, not the caller's", authtoken.Policy{}, &root, "4", api, 3 * time.Hour, 2 * time.Hour, true},
		{"trusted code too", authtoken.Policy{}, nil, "4", api, 3 * time.Hour, 2 * time.Hour, true},
		{"nothing asked, within the owner's maximum", authtoken.Policy{}, &carol, "", api, 0, 30 * time.Minute, false},
		{"default above the maximum", authtoken.Policy{DefaultLifetime: 9 * time.Hour}, &carol, "", api, 0, 2 * time.Hour, false},

		{"policy's default", limited, &alice, "", api, 0, time.Hour, false},
		{"policy's maximum", limited, &alice, "", app, 4 * time.Hour, 4 * time.Hour, false},
		{"over the policy's maximum", limited, &alice, "", app, 4*time.Hour + time.Microsecond, 4 * time.Hour, true},
		{"owner's maximum goes first", limited, &carol, "", app, 3 * time.Hour, 2 * time.Hour, true},
		{"superusers too", limited, &root, "", api, 5 * time.Hour, 4 * time.Hour, true},

		{"authentik, api", authtoken.Authentik(), &alice, "", api, 0, 30 * time.Minute, false},
		{"authentik, api, whatever asked", authtoken.Authentik(), &root, "", api, 1000 * time.Hour, 30 * time.Minute, false},
		{"authentik, api, trusted", authtoken.Authentik(), nil, "2", api, 1000 * time.Hour, 1000 * time.Hour, false},
		{"authentik, api, trusted, nothing asked", authtoken.Authentik(), nil, "2", api, 0, 30 * time.Minute, false},
		{"authentik, app", authtoken.Authentik(), &alice, "", app, 0, never, false},
		{"authentik, app, as asked", authtoken.Authentik(), &alice, "", app, 30 * time.Minute, 30 * time.Minute, false},
		{"authentik, app, too long", authtoken.Authentik(), &alice, "", app, 30*time.Minute + time.Microsecond, 30 * time.Minute, true},
		{"authentik, app, owner's maximum", authtoken.Authentik(), &carol, "", app, 2 * time.Hour, 2 * time.Hour, false},
		{"authentik, app, too long, trusted", authtoken.Authentik(), nil, "2", app, time.Hour, 30 * time.Minute, true},
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
				token, _, err = svc.As(c.by.ID).Create(t.Context(), p)
			}
			if c.tooLate {
				latest := clock.Now().Add(c.want)
				requireFaults(t, err, "expires is after the latest time allowed: "+latest.Format(time.RFC3339Nano))
				v, _ := errors.AsType[*authtoken.ValidationError](err)
				require.Equal(t, authtoken.FieldError{Field: "expires", Code: authtoken.CodeTooLate, Latest: latest}, v.Fields[0])
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
		token, _, err := svc.As(alice.ID).Create(t.Context(), authtoken.CreateParams{
			Identifier: "one", Intent: intent, Expires: clock.Now().Add(10 * time.Minute)})
		require.NoError(t, err)
		clock.Advance(time.Minute)
		return svc.As(alice.ID), token, clock
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

// A time that no store can hold is refused, unless the policy puts another in its place.
func TestFixedLifetimeTakesAnyTime(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]time.Time{
		"the first there is, but for a nanosecond": time.Time{}.Add(1),
		"the year 0":     time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		"the year 10000": time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, clock := newService(t, authtoken.Authentik())
			as := svc.As(alice.ID)
			token, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "api", Expires: at})
			require.NoError(t, err)
			require.Equal(t, clock.Now().Add(30*time.Minute), token.Expires)
			token, err = as.Update(t.Context(), "api", authtoken.UpdateParams{Expires: &at})
			require.NoError(t, err)
			require.Equal(t, clock.Now().Add(30*time.Minute), token.Expires)

			app := authtoken.CreateParams{Identifier: "app", Intent: authtoken.IntentAppPassword, Expires: at}
			_, _, err = as.Create(t.Context(), app)
			requireFaults(t, err, "expires is invalid")
			_, err = as.Update(t.Context(), "api", authtoken.UpdateParams{Intent: &app.Intent, Expires: &at})
			requireFaults(t, err, "expires is invalid")
			_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "api2", User: alice.ID, Expires: at})
			requireFaults(t, err, "expires is invalid")
		})
	}
}

func TestMaximumLifetimeForbidsNeverExpiring(t *testing.T) {
	t.Parallel()
	limited := authtoken.Policy{MaxLifetime: time.Hour}
	for name, c := range map[string]struct {
		policy  authtoken.Policy
		by      *authtoken.User // nil is trusted code
		owner   string
		refused bool
	}{
		"superuser":                {limited, &root, root.ID, true},
		"superuser, for another":   {limited, &root, alice.ID, true},
		"trusted code":             {limited, nil, alice.ID, true},
		"the owner's maximum":      {authtoken.Policy{}, nil, carol.ID, true},
		"owner who keeps tokens":   {limited, nil, bob.ID, false},
		"optional expiry":          {authtoken.Policy{MaxLifetime: time.Hour, OptionalExpiry: true}, nil, alice.ID, false},
		"no maximum":               {authtoken.Policy{}, nil, alice.ID, false},
		"keeps tokens, superusers": {limited, &root, bob.ID, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, _ := newService(t, c.policy)
			as := &svc.Access
			if c.by != nil {
				as = svc.As(c.by.ID)
			}
			token, _, err := as.Create(t.Context(), authtoken.CreateParams{Identifier: "one", User: c.owner, Expiring: new(false)})
			create(t, svc, authtoken.CreateParams{Identifier: "two", User: c.owner})
			_, errLater := as.Update(t.Context(), "two", authtoken.UpdateParams{Expiring: new(false)})
			if c.refused {
				requireFaults(t, err, "expiring may not be chosen or changed by this user")
				requireFaults(t, errLater, "expiring may not be chosen or changed by this user")
				return
			}
			require.NoError(t, err)
			require.False(t, token.Expiring)
			require.NoError(t, errLater)
		})
	}
}

// The tokens that such a user makes never expire, whatever the maximum.
func TestKeepsTokens(t *testing.T) {
	t.Parallel()
	keeper := func(u authtoken.User) authtoken.User { u.KeepsTokens = true; return u }
	for name, c := range map[string]struct {
		user   authtoken.User
		policy authtoken.Policy
		asked  *bool
		want   bool // whether the token expires
	}{
		"no maximum":           {keeper(alice), authtoken.Policy{}, nil, false},
		"asks for expiry":      {keeper(alice), authtoken.Policy{}, new(true), false},
		"the policy's maximum": {keeper(alice), authtoken.Policy{MaxLifetime: time.Hour}, nil, false},
		"their own maximum":    {keeper(carol), authtoken.Policy{}, nil, false},
		"a superuser":          {keeper(root), authtoken.Policy{}, nil, true},
		"a superuser asks":     {keeper(root), authtoken.Policy{MaxLifetime: time.Hour}, new(false), false},
		"nobody else":          {alice, authtoken.Policy{}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, clock := authtokentest.NewService(t, authtoken.Config{Users: userList(t, c.user), Policy: c.policy})
			token, key, err := svc.As(c.user.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "one", Expiring: c.asked})
			require.NoError(t, err)
			require.Equal(t, c.want, token.Expiring)
			clock.Advance(10 * 365 * 24 * time.Hour)
			_, err = svc.Authenticate(t.Context(), key.Reveal())
			require.Equal(t, c.want, errors.Is(err, authtoken.ErrKeyExpired))
		})
	}
}

// A negative MaxLifetime is not no limit: a token has expired as soon as it is made.
func TestNegativeMaxLifetime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asked  time.Duration // from now; zero for nothing asked
		policy authtoken.Policy
		fault  bool
	}{
		"nothing asked":        {0, authtoken.Policy{}, false},
		"the last moment":      {-time.Minute, authtoken.Policy{}, false},
		"just after":           {-time.Minute + time.Microsecond, authtoken.Policy{}, true},
		"later":                {time.Hour, authtoken.Policy{}, true},
		"the policy allows it": {time.Hour, authtoken.Policy{MaxLifetime: 2 * time.Hour}, true},
	} {
		for by, access := range map[string]func(svc *authtoken.Service) *authtoken.Access{
			"trusted code": func(svc *authtoken.Service) *authtoken.Access { return &svc.Access },
			"the owner":    func(svc *authtoken.Service) *authtoken.Access { return svc.As(alice.ID) },
		} {
			t.Run(name+"/"+by, func(t *testing.T) {
				t.Parallel()
				u := alice
				u.MaxLifetime = -time.Minute
				svc, clock := authtokentest.NewService(t, authtoken.Config{Users: userList(t, u), Policy: c.policy})
				p := authtoken.CreateParams{Identifier: "one", User: u.ID}
				if c.asked != 0 {
					p.Expires = clock.Now().Add(c.asked)
				}
				latest := clock.Now().Add(-time.Minute)
				token, key, err := access(svc).Create(t.Context(), p)
				if c.fault {
					requireFaults(t, err, "expires is after the latest time allowed: "+latest.Format(time.RFC3339Nano))
					return
				}
				require.NoError(t, err)
				require.Equal(t, latest, token.Expires)
				_, err = svc.Authenticate(t.Context(), key.Reveal())
				require.ErrorIs(t, err, authtoken.ErrKeyExpired)
			})
		}
	}
}

func TestChangingIntentIsNoWayRoundTheMaximum(t *testing.T) {
	t.Parallel()
	brief := alice
	brief.MaxLifetime = 5 * time.Minute
	svc, clock := authtokentest.NewService(t, authtoken.Config{Users: userList(t, brief), Policy: authtoken.Authentik()})
	_, _, err := svc.As(brief.ID).Create(t.Context(), authtoken.CreateParams{Identifier: "a"})
	require.NoError(t, err)
	_, err = svc.As(brief.ID).Update(t.Context(), "a", authtoken.UpdateParams{Intent: new(authtoken.IntentAppPassword)})
	latest := clock.Now().Add(5 * time.Minute)
	requireFaults(t, err, "expires is after the latest time allowed: "+latest.Format(time.RFC3339Nano))
}

func TestTimesAreWhatIsStored(t *testing.T) {
	t.Parallel()
	svc, clock := newService(t, authtoken.Policy{DefaultLifetime: time.Minute + 1500})
	token, _ := create(t, svc, authtoken.CreateParams{Identifier: "a", User: alice.ID})
	require.Equal(t, clock.Now().Add(time.Minute+1000), token.Expires)
	token, _, err := svc.Rotate(t.Context(), "a", 1500)
	require.NoError(t, err)
	stored, err := svc.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, token, stored)
	_, _, err = svc.Create(t.Context(), authtoken.CreateParams{Identifier: "b", User: alice.ID, Expires: time.Time{}.Add(5)})
	requireFaults(t, err, "expires is invalid")
}
