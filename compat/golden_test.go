package compat_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/internal/golden"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

// stores are the stores that the scenarios run over.
var stores = map[string]func(t *testing.T) store.Store{
	"memory": func(*testing.T) store.Store { return memory.New() },
	"sqlite": func(t *testing.T) store.Store {
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), sqlite.Config{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	},
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, newStore := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := our(t)
			golden.Run(t, newStore, func(t *testing.T, r *http.Request, sent []byte, answer *http.Response, body []byte) {
				x := &exchange{r, sent, answer.StatusCode, answer.Header, body}
				require.NoError(t, doc.checkAnswer(x))
				if x.status < 300 {
					if err := doc.checkRequest(x); !liberty(err) {
						t.Error(err)
					}
				}
			})
		})
	}
}

// liberty reports whether err is nil, or about a request that the handler accepts and the
// document does not describe: one with a time in another form than RFC 3339, or with white
// space around an identifier.
func liberty(err error) bool {
	switch err := err.(type) { //nolint:errorlint // one layer at a time
	case nil:
		return true
	case openapi3.MultiError:
		return !slices.ContainsFunc(err, func(e error) bool { return !liberty(e) })
	case *openapi3filter.RequestError:
		return err.Err != nil && liberty(err.Err)
	case *openapi3.SchemaError:
		text, _ := err.Value.(string)
		switch field := strings.Join(err.JSONPointer(), "."); field {
		case "expires":
			return err.SchemaField == "format"
		case "identifier":
			return err.SchemaField == "pattern" && strings.TrimSpace(text) != text
		}
	}
	return false
}
