package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/batch"
)

// everyCommand are the verbs, and those below them.
func everyCommand(root *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range root.Commands() {
		all = append(append(all, c), everyCommand(c)...)
	}
	return all
}

// TestEmptyOptions: a flag that is given nothing is an error, for every flag of every verb, but for --by ” and --null ”.
func TestEmptyOptions(t *testing.T) {
	p := newPlace(t)
	root := (&app{}).rootCommand()
	flags := 0
	for _, cmd := range everyCommand(root) {
		verb := strings.TrimPrefix(cmd.CommandPath(), "cipherfold ")
		if arguments := map[string]string{"budget": " @/b.json", "run": " @/job.toml", "plan": " @/job.toml", "merge": " @/job.toml", "shard": " @/job.toml 1/2", "verify": " @/r.json", "bench paper-step": " {}"}[verb]; arguments != "" {
			verb += arguments
		}
		each := func(f *pflag.Flag) {
			if f.Value.Type() == "bool" || f.Name == "help" {
				return
			}
			flags++
			for _, value := range []string{"--" + f.Name + " ''", "--" + f.Name + "=", "--" + f.Name + " ' '"} {
				if slices.Contains(emptyMeans, f.Name) {
					continue
				}
				before := p.files()
				r := p.run(verb + " " + value)
				text := f.Value.Type() == "string" || strings.HasPrefix(f.Value.Type(), "string")
				if r.code != exitUsage || text && !strings.Contains(r.err, "--"+f.Name+" is empty\n  hint: ") {
					t.Errorf("%s %s: exit code %d\n%s%s", verb, value, r.code, r.out, r.err)
				}
				p.unchanged(before)
			}
		}
		cmd.LocalFlags().VisitAll(each)
		cmd.InheritedFlags().VisitAll(each)
	}
	if flags < 300 {
		t.Errorf("only %d flags were tried", flags)
	}
	for _, list := range []string{"--id a,,b", "--id ,", "--filter PASS,", "--region ,1:1-2", "--measure x ''", "--in a.csv ''"} {
		flag, _, _ := strings.Cut(list, " ")
		if r := p.run("encrypt " + list); r.code != exitUsage || !strings.Contains(r.err, flag+" is empty") {
			t.Errorf("%s: exit code %d\n%s", list, r.code, r.err)
		}
	}
	for _, list := range []string{"--by ,", "--by ward,", "--by ,ward"} {
		if r := p.run("fuse --in a --out b " + list); r.code != exitUsage || !strings.Contains(r.err, "--by is empty") {
			t.Errorf("%s: exit code %d\n%s", list, r.code, r.err)
		}
	}
}

// TestEmptyKeys is the same for every key of every table of a job file, also for one that is emptied by a variable.
func TestEmptyKeys(t *testing.T) {
	p := newPlace(t)
	t.Setenv("EMPTY", "")
	keys := 0
	for _, table := range append([]string{"job"}, batch.Verbs()...) {
		flags := pflag.NewFlagSet(table, pflag.ContinueOnError)
		if table == "job" {
			a := &app{}
			var overwrite bool
			flags = a.jobFlags(a.runCommand(), &batch.Job{}, &overwrite)
		} else {
			steps[table]().AddFlags(flags)
		}
		flags.VisitAll(func(f *pflag.Flag) {
			typ := f.Value.Type()
			if typ == "bool" || strings.HasPrefix(typ, "int") || slices.Contains(emptyMeans, f.Name) {
				return
			}
			values := []string{`""`, `"${EMPTY}"`, `" ${EMPTY}"`}
			if strings.HasPrefix(typ, "stringS") || strings.HasPrefix(typ, "stringA") {
				values = append(values, `[]`, `[""]`, `["a", "${EMPTY}"]`)
			}
			for _, value := range values {
				keys++
				step := fmt.Sprintf("%s = %s\n", keyOf(f.Name), value)
				if table == "job" {
					step = "[job]\n" + step + "[[fuse]]\nin = \"x\"\nout = \"y\"\n"
				} else {
					step = fmt.Sprintf("[job]\ndir = \"d\"\n[[%s]]\n%s", table, step)
				}
				p.write("job.toml", "version = 1\n"+step)
				before := p.files()
				if r := p.run("run @/job.toml"); r.code != exitUsage || !strings.Contains(r.err, "job.toml: line ") || !strings.Contains(r.err, keyOf(f.Name)+" is empty\n  hint: ") {
					t.Errorf("%s: exit code %d\n%s", step, r.code, r.err)
				}
				p.unchanged(before)
			}
		})
	}
	if keys < 100 {
		t.Errorf("only %d keys were tried", keys)
	}
	p.write("job.toml", "version = 1\n[job]\ndir = \"d\"\n[[fuse]]\nin = \"x\"\nout = \"${NOT_SET}\"\n")
	if r := p.run("run @/job.toml"); r.code != exitUsage || !strings.Contains(r.err, `out: the environment has no "${NOT_SET}"`) {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// TestTotal: --total is --by ”, on a command line and in a job file.
func TestTotal(t *testing.T) {
	p := newPlace(t)
	t.Setenv("XDG_CONFIG_HOME", p.path("config")) // where the job's receipt is signed
	owners("records")(p)
	var first []byte
	for name, how := range map[string]string{"by": "--by ''", "total": "--total", "both": "--total --by ''", "equals": "--by="} {
		p.ok("fuse --quiet --in @/a.cf.parquet @/b.cf.parquet --out @/" + name + ".cf.parquet " + how)
		p.ok("decrypt --quiet --key @/secret.json --in @/" + name + ".cf.parquet --out @/" + name + ".csv")
		got := p.read(name + ".csv")
		if first == nil {
			first = got
		}
		if !bytes.Equal(got, first) || bytes.Count(got, []byte("\n")) != 2 {
			t.Errorf("%s: %s", how, got)
		}
	}
	for name, how := range map[string]string{"by": "by = []", "empty": `by = ""`, "total": "total = true"} {
		p.write("job.toml", fmt.Sprintf("version = 1\n[job]\ndir = %q\n[[fuse]]\nin = [%q, %q]\nout = %q\n%s\n", p.path("job-"+name), p.path("a.cf.parquet"), p.path("b.cf.parquet"), p.path("job-"+name+".cf.parquet"), how))
		p.ok("run --quiet @/job.toml")
		p.ok("decrypt --quiet --key @/secret.json --in @/job-" + name + ".cf.parquet --out @/job-" + name + ".csv")
		if got := p.read("job-" + name + ".csv"); !bytes.Equal(got, first) {
			t.Errorf("%s: %s", how, got)
		}
	}
	if r := p.runContext(context.Background(), "fuse --in @/a.cf.parquet --out @/x.cf.parquet --total --by id"); r.code != exitUsage || !strings.Contains(r.err, "--total and --by exclude each other") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}
