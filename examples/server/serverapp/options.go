package serverapp

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/authtoken/authtoken"
	"github.com/authtoken/authtoken/httpadapter"
)

// Names of environment variables.
const (
	envBootstrapKey = "AUTHTOKEN_BOOTSTRAP_KEY"
	envSealKey      = "AUTHTOKEN_SEAL_KEY"
)

// options are what the flags and the environment say.
type options struct {
	addr     string
	db       string
	users    authtoken.Directory
	profiles []httpadapter.Profile
	events   bool // to be logged
	policy   authtoken.Policy
	scopes   []authtoken.Scope

	bootstrapKey string           // "" if the server is to make one
	sealer       authtoken.Sealer // nil for none
}

// usageError is a fault in the flags.
type usageError struct{ fault string }

func (e *usageError) Error() string { return e.fault + " (-h lists the flags)" }

// flags returns the flags. Parsing them sets o and usersFile.
func (a App) flags(o *options, usersFile *string) *flag.FlagSet {
	fs := flag.NewFlagSet("server", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // what is wrong comes back as an error
	fs.StringVar(&o.addr, "addr", "127.0.0.1:8080", "listen on `host:port`; port 0 picks a free one")
	fs.StringVar(&o.db, "db", a.DB, a.DBUsage)
	fs.BoolVar(&o.events, "events", false, "log what happens to tokens, and which keys are refused")
	fs.StringVar(usersFile, "users", "", "`file` with a JSON list of users, in the form of user_obj,\none of them an active superuser with pk 1; without it there is\nonly that one, called admin")
	fs.Func("policy", "`name` of what tokens may be like: default, or authentik for exactly what it does", func(name string) error {
		switch name {
		case "default":
			o.policy = authtoken.Policy{}
		case "authentik":
			o.policy = authtoken.Authentik()
		default:
			return errors.New("there are default and authentik")
		}
		return nil
	})
	fs.Func("scopes", "`names` of what tokens can be limited to, separated by commas, such as\nnotes:read,notes:write; each implies those before it", func(names string) error {
		o.scopes = nil
		var before []string
		for name := range strings.SplitSeq(names, ",") {
			o.scopes = append(o.scopes, authtoken.Scope{Name: name, Implies: slices.Clone(before)})
			before = append(before, name)
		}
		return nil
	})
	return fs
}

// help lists the flags.
func (a App) help(w io.Writer) error {
	fs := a.flags(new(options), new(string))
	fs.SetOutput(w)
	fmt.Fprintln(w, "Serves the token API of authentik under /api/v3/.\n\nFlags:")
	fs.PrintDefaults()
	_, err := fmt.Fprintf(w, `
Environment:
  %s
    	key that the token %q gets at start; without it, a new
    	one is made and shown when that token is made
  %s
    	64 hexadecimal digits; keys can be shown again, encrypted with it
`, envBootstrapKey, bootstrapToken, envSealKey)
	return err
}

// parse returns the options. The error names the flag, the file or the variable that
// is wrong. It says nothing about the names in -scopes: authtoken.New checks those.
func (a App) parse(args []string, getenv func(string) string) (*options, error) {
	var o options
	var usersFile string
	fs := a.flags(&o, &usersFile)
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, &usageError{err.Error()}
	}
	if o.scopes != nil {
		// Clients of authentik name no scopes, and get tokens as before.
		o.policy.Scopes, o.policy.DefaultScopes = o.scopes, []string{authtoken.ScopeAll}
	}
	if fs.NArg() > 0 {
		return nil, &usageError{fmt.Sprintf("unexpected argument %q", fs.Arg(0))}
	}
	if _, _, err := net.SplitHostPort(o.addr); err != nil {
		return nil, &usageError{fmt.Sprintf("invalid value %q for flag -addr: it is not host:port", o.addr)}
	}

	var err error
	if o.profiles, o.users, err = readUsers(usersFile); err != nil {
		return nil, fmt.Errorf("-users: %w", err)
	}
	o.bootstrapKey = getenv(envBootstrapKey)
	if o.sealer, err = newSealer(getenv(envSealKey)); err != nil {
		return nil, fmt.Errorf("%s: %w", envSealKey, err)
	}
	return &o, nil
}

// readUsers returns the users in the file. If path is empty, there is one user, the
// owner of the bootstrap token. That owner must be an active superuser.
func readUsers(path string) ([]httpadapter.Profile, authtoken.Directory, error) {
	profiles := []httpadapter.Profile{{
		ID: bootstrapUser, Username: "admin", Name: "Administrator", Active: true, Superuser: true,
	}}
	if path != "" {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		if profiles, err = httpadapter.ReadProfiles(f); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	var users []authtoken.User
	for _, p := range profiles {
		users = append(users, p.User())
	}
	list, err := authtoken.NewUserList(users...)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	owns := func(u authtoken.User) bool { return u.ID == bootstrapUser && u.Active && u.Superuser }
	if !slices.ContainsFunc(users, owns) {
		return nil, nil, fmt.Errorf("%s: no active superuser with pk %s, who the token %q belongs to",
			path, bootstrapUser, bootstrapToken)
	}
	return profiles, list, nil
}

// newSealer returns nil for no key. The error does not quote the key.
func newSealer(hexKey string) (authtoken.Sealer, error) {
	if hexKey == "" {
		return nil, nil
	}
	key, err := hex.DecodeString(hexKey)
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("it must be 64 hexadecimal digits; it has %d characters", len(hexKey))
	}
	return authtoken.NewAESSealer(key)
}
