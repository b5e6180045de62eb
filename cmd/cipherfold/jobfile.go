package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/batch/jobfile"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
)

// The keys of a step in a job file are the flags of its verb, with underscores for dashes. Both set the fields of one struct,
// so that a job file and a command line cannot mean different things.

// stepOptions are the options of a verb that can be a step of a job.
type stepOptions interface {
	// AddFlags adds a flag for each option.
	AddFlags(f *pflag.FlagSet)

	// complete reads what the flags say, once they are set. hint says where to read about them.
	complete(a *app, f *pflag.FlagSet, hint string) error

	// step is the step of a job that the options ask for.
	step(a *app) batch.Step
}

// steps are the verbs that can be steps of a job, by the names of their tables in a job file.
var steps = map[string]func() stepOptions{}

// registerStep makes a verb one that can be a step of a job.
func registerStep(verb string, options func() stepOptions) { steps[verb] = options }

// readJob reads a job file.
func (a *app) readJob(cmd *cobra.Command, name string) (*batch.Job, error) {
	text, err := job.ReadFile(cmd.Context(), a.options(false).Files(), name, jobfile.BytesMax)
	if err != nil {
		return nil, err
	}
	j := &batch.Job{File: name}
	overwrite := false
	head := a.jobFlags(cmd, j, &overwrite)
	schemas := map[string]jobfile.Schema{"job": schemaOf(head)}
	for verb, options := range steps {
		flags := pflag.NewFlagSet(verb, pflag.ContinueOnError)
		options().AddFlags(flags)
		schemas[verb] = schemaOf(flags)
	}
	a.jobFile = true
	file, err := jobfile.Parse(name, text, batch.Verbs(), schemas, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	if _, err := setFlags(head, &file.Job); err != nil {
		return nil, err
	}
	if j.Dir == "" {
		return nil, file.Job.Refuse("dir", `Name the job directory, such as: dir = "jobs/NAME".`, "[job] has no dir")
	}
	if j.PartRows < 0 {
		return nil, file.Job.Refuse("part_rows", "It is how many records a part has; leave it out to have it chosen.", "part_rows is negative")
	}
	if err := a.begin(); err != nil { // anew, with threads and memory as the job has them
		return nil, err
	}
	j.Options = a.unwatched(false)
	j.Options.Watch, j.Options.Keyed, j.Over, j.Signer = a.watch, a.keyed, a.watching.meter.Over, a.signer
	for i := range file.Steps {
		s, err := a.readStep(cmd.Context(), &file.Steps[i])
		if err != nil {
			return nil, err
		}
		s.Overwrite = s.Overwrite || overwrite
		j.Steps = append(j.Steps, *s)
	}
	return j, nil
}

// resources are flags that [job] may set too. One on the command line goes before.
var resources = []string{"threads", "memory", "kernel", "tmp-dir", "receipt-key"}

// unusedReceiptKeyFlag lets a verb that signs nothing read the job file of one that does.
func (a *app) unusedReceiptKeyFlag(f *pflag.FlagSet) {
	a.receiptKeyFlag(f)
	_ = f.MarkHidden("receipt-key") // it is there
}

// jobFlags are the keys of [job].
func (a *app) jobFlags(cmd *cobra.Command, j *batch.Job, overwrite *bool) *pflag.FlagSet {
	f := pflag.NewFlagSet("job", pflag.ContinueOnError)
	f.StringVar(&j.Name, "name", "", "what the job is called")
	f.StringVar(&j.Dir, "dir", "", "its directory")
	f.Int64Var(&j.PartRows, "part-rows", 0, "records of a part")
	f.BoolVar(overwrite, "overwrite", false, "replace outputs that exist")
	for _, name := range resources {
		switch r := lookup(cmd, name); {
		case r == nil:
		case r.Changed:
			given := *r
			given.Value = unheeded{r.Value}
			f.AddFlag(&given)
		default:
			f.AddFlag(r)
		}
	}
	return f
}

// unheeded is the value of a flag that was given, and cannot be set any more.
type unheeded struct{ pflag.Value }

func (unheeded) Set(string) error { return nil }

// schemaOf are the keys that set flags.
func schemaOf(flags *pflag.FlagSet) jobfile.Schema {
	s := jobfile.Schema{}
	flags.VisitAll(func(f *pflag.Flag) {
		kind := jobfile.Text
		switch typ := f.Value.Type(); {
		case typ == "bool":
			kind = jobfile.Bool
		case strings.HasPrefix(typ, "int"):
			kind = jobfile.Number
		case typ == "stringArray", typ == "stringSlice", f.Name == "by":
			kind = jobfile.List
		}
		s[keyOf(f.Name)] = kind
	})
	return s
}

func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// noParameters are flags that say how a step is done and not what it is: they may change between two runs of a job.
var noParameters = []string{"overwrite", "passphrase-file", "sign", "sign-passphrase-file", "locate-refused"}

// setFlags sets flags by the keys of a table, and returns what was set.
func setFlags(flags *pflag.FlagSet, t *jobfile.Table) (map[string]receipt.Values, error) {
	parameters := map[string]receipt.Values{}
	for key, v := range t.Keys {
		f := flags.Lookup(strings.ReplaceAll(key, "_", "-"))
		if isEmpty(f.Name, v.Values) && !(f.Name == "by" && len(v.Values) == 0) {
			return nil, t.Refuse(key, hintEmpty, "%s is empty", key)
		}
		var err error
		if list, ok := f.Value.(pflag.SliceValue); ok {
			err = list.Replace(v.Values)
			f.Changed = true
		} else {
			err = flags.Set(f.Name, strings.Join(v.Values, ","))
		}
		if err != nil {
			return nil, t.Refuse(key, "", "%s", flagText(err))
		}
		if !slices.Contains(noParameters, f.Name) {
			parameters[f.Name] = v.Values
		}
	}
	return parameters, nil
}

// readStep reads a step from its table.
func (a *app) readStep(ctx context.Context, t *jobfile.Table) (*batch.Step, error) {
	options := steps[t.Name]()
	flags := pflag.NewFlagSet(t.Name, pflag.ContinueOnError)
	options.AddFlags(flags)
	set, err := setFlags(flags, t)
	if err != nil {
		return nil, err
	}
	if err := options.complete(a, flags, fmt.Sprintf("See: «%s ‹help›»", t.Name)); err != nil {
		f := taken(err)
		if f.Kind != job.Usage {
			return nil, err
		}
		return nil, t.Refuse("", f.Hint, "[[%s]]: %s", t.Name, f.Message)
	}
	a.warnOfTokenKey(ctx, flags)
	a.stepFiles = append(a.stepFiles, a.filesOf(ctx, flags, true)...)
	s := options.step(a)
	s.Line, s.Parameters, s.Told = t.Line, set, parameters(flags)
	return &s, nil
}

// jobFileArgument checks the arguments of run and its kin.
func jobFileArgument(cmd *cobra.Command, args []string) error {
	hint := fmt.Sprintf("See: %s --help", cmd.CommandPath())
	switch len(args) {
	case 0:
		return &commandLineError{fmt.Errorf("no job file is given"), hint}
	case 1:
		return nil
	}
	return &commandLineError{fmt.Errorf("%q is one argument too many", args[1]), hint}
}

// workOf is a job for those who watch.
func (a *app) workOf(cmd *cobra.Command, file string, j *batch.Job) work {
	in, out := j.Files(cmd.Context())
	return work{flags: cmd.Flags(), files: a.filesOfJob(file, j), verb: cmd.Name(), name: j.Name, in: in, out: out, shared: cmd.Name() == "shard"}
}

// filesOfJob are the files of a job that no flag names: the job file, those of its steps and those of its directory.
func (a *app) filesOfJob(file string, j *batch.Job) []job.FileUse {
	files := append([]job.FileUse{{Option: "the job file", Name: file, Access: job.Reads}}, a.stepFiles...)
	for _, name := range j.OwnFiles() {
		files = append(files, job.FileUse{Option: "‹dir›", Name: name, Access: job.Replaces, Own: true})
	}
	return files
}

// writeSummary says what a job did.
func writeSummary(w io.Writer, s *batch.Summary) {
	for _, x := range s.Steps {
		fmt.Fprintf(w, "%-10s %s: %s, %s, %.1f s\n", x.Name, x.Report.Out, count(x.Report.Records, "record"), count(x.Report.Ciphertexts, "ciphertext"), x.Report.Seconds)
		writeMissing(w, x.Report)
		writePrivacy(w, x.Report.Privacy)
	}
	if s.Already {
		fmt.Fprintf(w, "already done: the job, its inputs and its outputs are as they were (%s)\n", s.Dir)
	}
}

// writeStatus says how far a job has come.
func writeStatus(w io.Writer, s *batch.Status) {
	ready := 0
	for _, x := range s.Steps {
		if x.Done {
			ready++
		}
	}
	state := "done"
	if !s.Finished {
		state = fmt.Sprintf("%d of %s done", ready, count(int64(len(s.Steps)), "step"))
	}
	fmt.Fprintf(w, "%s\n  job directory of %q, begun %s by %s %s\n  state        %s\n", s.Dir, s.Plan.Name,
		s.Plan.Created.UTC().Format("2006-01-02 15:04:05 UTC"), s.Plan.Program.Name, s.Plan.Program.Version, state)
	for _, x := range s.Steps {
		how := "to do"
		switch {
		case x.Done:
			how = "done, " + count(x.Report.Records, "record")
		case x.Parts > 0:
			how = fmt.Sprintf("%d of %s made", x.Made, count(int64(x.Parts), "part"))
		}
		fmt.Fprintf(w, "  %-12s %s: %s\n", x.Name, x.Out, how)
	}
}
