package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
)

func TestIsOutcome(t *testing.T) {
	t.Parallel()
	for _, err := range []error{store.ErrNotFound, store.ErrTaken, store.ErrStale, store.ErrLimit, &store.TakenError{Field: store.FieldPK}} {
		require.True(t, store.IsOutcome(err), err)
		require.True(t, store.IsOutcome(fmt.Errorf("wrapped: %w", err)), err)
	}
	for _, err := range []error{nil, context.Canceled, errors.New("token not found")} {
		require.False(t, store.IsOutcome(err), "%v", err)
	}
}
