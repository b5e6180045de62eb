package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the scripts of testdata/script, each in a directory of its own with its files and a test key
// (public.json, secret.json) in it. Beside the usual commands of testscript there are
//
//	cipherfold ARGUMENT...   runs the program, which must exit with 0
//	exits CODE ARGUMENT...   runs the program, which must exit with CODE
func TestScripts(t *testing.T) {
	t.Parallel()
	program := func(ts *testscript.TestScript, want int, args []string) {
		code := 0
		if err := ts.Exec(os.Args[0], args...); err != nil {
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				ts.Fatalf("%v", err)
			}
			code = exit.ExitCode()
		}
		if code != want {
			ts.Fatalf("exit code %d, want %d", code, want)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			for file, data := range testKey("djn") {
				if err := os.WriteFile(filepath.Join(e.WorkDir, file), data, 0o600); err != nil {
					return err
				}
			}
			e.Setenv(asProgram, "1")
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "config"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"cipherfold": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg {
					ts.Fatalf("write `exits CODE` for a command that fails")
				}
				program(ts, exitDone, args)
			},
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) == 0 {
					ts.Fatalf("usage: exits CODE ARGUMENT...")
				}
				code, err := strconv.Atoi(args[0])
				if err != nil {
					ts.Fatalf("exits %s: not a number", args[0])
				}
				program(ts, code, args[1:])
			},
		},
	})
}
