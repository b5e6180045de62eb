package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every verb has help: what it is for, an example that names it, and all its flags, in lines that fit a terminal.
func TestHelp(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	root := (&app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}).rootCommand()
	help := p.ok("--help")
	if bare := p.ok(""); bare != help {
		t.Errorf("without a verb:\n%s", bare)
	}
	for _, part := range []string{"Exit codes: 0 done; 1 failed; 2 usage; 3 input refused", "4 interrupted"} {
		if !strings.Contains(help, part) {
			t.Errorf("cipherfold --help does not say %q", part)
		}
	}
	texts := map[string]string{"": help}
	all := 0
	var visit func(*cobra.Command)
	visit = func(parent *cobra.Command) {
		for _, cmd := range parent.Commands() {
			if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
				continue
			}
			all++
			line := strings.TrimPrefix(cmd.CommandPath(), "cipherfold ")
			text := p.ok(line + " --help")
			texts[line] = text
			if again := p.ok("help " + line); again != text {
				t.Errorf("help %s differs from %[1]s --help", line)
			}
			if parent == root && !strings.Contains(help, "\n  "+cmd.Name()+" ") {
				t.Errorf("cipherfold --help does not list %s", cmd.Name())
			}
			if cmd.Runnable() && !strings.Contains(text, "Examples:\n  cipherfold "+line) {
				t.Errorf("%s --help has no example", line)
			}
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if !f.Hidden && !strings.Contains(text, "\n  --"+f.Name+" ") {
					t.Errorf("%s --help does not list --%s", line, f.Name)
				}
				if strings.TrimSpace(f.Usage) == "" {
					t.Errorf("%s --%s is not explained", line, f.Name)
				}
			})
			visit(cmd)
		}
	}
	visit(root)
	if all < 8 {
		t.Errorf("%d verbs", all)
	}
	for line, text := range texts {
		for row := range strings.Lines(text) {
			if n := utf8.RuneCountInString(row) - 1; n > helpColumns+4 {
				t.Errorf("%s --help has a line of %d columns: %s", line, n, row)
			}
			if strings.Contains(row, "`") {
				t.Errorf("%s --help: %s", line, row)
			}
		}
	}
}

// An error is JSON also when the mistake stands before --json, but not when --json is no flag of ours.
func TestJSONOfMistakes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for line, want := range map[string]bool{
		"fuse --bogus --json": true, "--bogus --json": true, "fuse --threads x --json": true, "frobnicate --json": true,
		"fuse --bogus": false, "fuse --bogus -- --json": false,
	} {
		r := p.run(line)
		if r.code != exitUsage || strings.Contains(r.out, `"kind": "usage"`) != want || !want && r.out != "" {
			t.Errorf("%s: exit code %d, %q", line, r.code, r.out)
		}
	}
}
