package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/authtoken/authtoken/store"
)

var (
	// ErrClosed is returned by every method of a closed store.
	ErrClosed = errors.New("postgres: store is closed")

	// ErrInDoubt is returned by a write if the connection broke while it was under way
	// and its effect is unknown. It never replaces the error of a write that certainly
	// had no effect.
	ErrInDoubt = errors.New("the connection broke, and whether the write took effect is not known")
)

// SQLSTATE codes of PostgreSQL.
const (
	codeSerialization  = "40001" // others changed what a transaction has read
	codeDeadlock       = "40P01"
	codeTooMany        = "53300" // connections
	codeShutdown       = "57P01"
	codeCrash          = "57P02"
	codeStarting       = "57P03"
	codeUnique         = "23505"
	codeUndefinedTable = "42P01"
	codeUnknownSetting = "42704"
	codeInvalidName    = "42602"
)

// code returns PostgreSQL's code for err, or "" if err isn't PostgreSQL's.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// dsnFault says why a DSN can't be used, without quoting it. In a DSN that can't be
// parsed, any part may be the password, and pgx quotes the DSN or pieces of it.
// dsnFault does not wrap err either: pgx keeps the DSN in it.
func dsnFault(err error) error {
	what := "it can't be parsed"
	if e, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		// The message after the DSN, up to the first value.
		fault := *e
		fault.ConnString = ""
		_, what, _ = strings.Cut(fault.Error(), ": ")
		what, _, _ = strings.Cut(what, " (")
		what, _, _ = strings.Cut(what, ":")
	}
	return fmt.Errorf("the DSN can't be used: %s", what)
}

// unknownSetting reports whether the server refused a connection because it does not
// know a setting in the DSN. Its message names the setting, but pgx takes any text with
// an equals sign for one.
func unknownSetting(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return connecting && (code(err) == codeUnknownSetting || code(err) == codeInvalidName)
}

// unsureError is the error of a write that may have taken effect.
type unsureError struct{ error }

func (e *unsureError) Unwrap() error { return e.error }

// unsure returns err as an unsureError, unless the statement that failed with it
// certainly had no effect: nothing was sent, or PostgreSQL reported an error and kept
// the connection. ErrConnClosed proves neither. The pool lends no closed connection,
// and pgx also returns it if the connection breaks while it waits for the answer to a
// statement without arguments.
func unsure(err error) error {
	if err == nil || pgconn.SafeToRetry(err) && !errors.Is(err, pgconn.ErrConnClosed) {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.SeverityUnlocalized == "ERROR" {
		return err
	}
	return &unsureError{err}
}

// passing reports whether err is temporary: others were in the way, or the server was
// away or went away.
func passing(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case codeSerialization, codeDeadlock, codeTooMany, codeShutdown, codeCrash, codeStarting:
			return true
		}
		return e.SeverityUnlocalized != "ERROR" && !connecting // it ended the connection
	}
	_, network := errors.AsType[net.Error](err)
	return connecting || network || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

func isUnsure(err error) bool {
	_, ok := errors.AsType[*unsureError](err)
	return ok
}

// wrap adds the name of the operation to err, unless callers expect err as it is.
func wrap(op string, err error) error {
	switch {
	case err == nil, store.IsOutcome(err), errors.Is(err, ErrClosed):
		return err
	case code(err) == codeUndefinedTable:
		return fmt.Errorf("postgres: %s: the tables are not there; Migrate makes them: %w", op, err)
	}
	return fmt.Errorf("postgres: %s: %w", op, err)
}
