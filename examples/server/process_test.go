//go:build unix

package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program as users have it: built, run, and told to stop.
func TestBinary(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "server")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)

	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, binary, nil, "-events", "-db", inFile(t)).start(t)
			s := p.ready(t, "")
			answer := s.slowly(t, http.MethodPost, "", `{"identifier": "late"}`, func() {
				require.NoError(t, p.Process.Signal(sig))
			})
			require.Equal(t, http.StatusCreated, answer)
			require.NoError(t, p.Wait())
			require.NotRegexp(t, `level=(WARN|ERROR)`, p.stderr.String())
			require.Contains(t, p.stderr.String(), `msg="token created" token=late`)
		})
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"flag": {[]string{"-x"}, 2, "server: flag provided but not defined: -x (-h lists the flags)\n"},
		"file": {[]string{"-users", "absent.json"}, 1, "server: -users: open absent.json: no such file or directory\n"},
		"help": {[]string{"-h"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, binary, nil, c.args...).start(t)
			_ = p.Wait()
			require.Equal(t, c.code, p.ProcessState.ExitCode())
			require.Equal(t, c.says, p.stderr.String())
		})
	}
}

// Without -db, the tokens are in the current folder.
func TestDefaultFile(t *testing.T) {
	t.Parallel()
	p := newProcess(t, self(t), nil)
	p.Dir = t.TempDir()
	p.start(t).ready(t, "")
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.Wait())
	require.FileExists(t, filepath.Join(p.Dir, "authtoken.db"))
}
