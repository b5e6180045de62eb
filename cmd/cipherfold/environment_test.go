package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every flag of every verb reads a variable of its own, the command line goes before it, and what is wrong names the variable.
func TestEnvironment(t *testing.T) {
	p := newPlace(t)
	owners("records")(p)
	t.Setenv("CIPHERFOLD_IN", p.path("a.cf.parquet")+"\n"+p.path("b.cf.parquet"))
	t.Setenv("CIPHERFOLD_OUT", p.path("from-environment.cf.parquet"))
	t.Setenv("CIPHERFOLD_MIN_GROUP", "-1")
	if r := p.run("fuse"); r.code != exitUsage || !strings.Contains(r.err, "--min-group -1 is negative") {
		t.Fatalf("exit code %d, %s", r.code, r.err)
	}
	if r := p.run("fuse --min-group 0 --json"); r.code != exitDone || !strings.Contains(r.out, "from-environment.cf.parquet") || !strings.Contains(r.out, "b.cf.parquet") {
		t.Fatalf("exit code %d, %s%s", r.code, r.out, r.err)
	}
	t.Setenv("CIPHERFOLD_THREADS", "many")
	if r := p.run("fuse --min-group 0 --overwrite"); r.code != exitUsage || !strings.Contains(r.err, "CIPHERFOLD_THREADS: --threads many is not a whole number") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
	t.Setenv("CIPHERFOLD_THREADS", "")
	if r := p.run("doctor --quick"); r.code != exitUsage || !strings.Contains(r.err, "CIPHERFOLD_THREADS is empty") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}

// No two flags share a variable, and none takes one that means something else.
func TestEnvironmentNames(t *testing.T) {
	taken := map[string]bool{"CIPHERFOLD_CPU": true, "CIPHERFOLD_TESTS": true} // the processor's switch, and that of tests
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		seen := map[string]string{}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			name := environmentOf(f.Name)
			if other, ok := seen[name]; ok || taken[name] {
				t.Errorf("%s: --%s and --%s both read %s", cmd.CommandPath(), f.Name, other, name)
			}
			seen[name] = f.Name
		})
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	visit((&app{}).rootCommand())
}
