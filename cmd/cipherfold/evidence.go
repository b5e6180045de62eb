package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/printable"
)

// evidence is where a receipt goes and who signs it.
type evidence struct {
	file    string
	private string // where its private part goes; "": beside it
	key     string
}

// receiptFlags adds the flags of verbs that write data.
func (a *app) receiptFlags(f *pflag.FlagSet) {
	f.StringVar(&a.evidence.file, "receipt", "", "`FILE` write a signed receipt there: what was read and written, with digests, and how (see verify)")
	f.StringVar(&a.evidence.private, "receipt-private", "", "`FILE` write there what opens the receipt's commitments, for you alone (default: beside it, with .private.json)")
	a.receiptKeyFlag(f)
}

func (a *app) receiptKeyFlag(f *pflag.FlagSet) {
	f.StringVar(&a.evidence.key, "receipt-key", "", "`FILE` Ed25519 key that signs it (default: receipt.key in the user's configuration, made at first use)")
}

// signer returns who signs receipts.
func (a *app) signer(ctx context.Context) (*receipt.Signer, error) {
	name := a.evidence.key
	if name == "" {
		var err error
		if name, err = receipt.DefaultKeyFile(); err != nil {
			return nil, &commandLineError{fmt.Errorf("there is no directory for the key that signs receipts: %w", err), "Name a file for it with --receipt-key."}
		}
	}
	s, err := receipt.LoadOrCreateSigner(ctx, name)
	if err != nil {
		return nil, err
	}
	if s.Created {
		a.log.Info("made a key that signs receipts; give its public part to those who check them", "key", s.File, "public", s.File+receipt.PublicSuffix)
	} else {
		a.warnOfReaders(ctx, "the key that signs receipts", s.File)
	}
	return s, nil
}

// workers is how many goroutines may work at a time.
func (a *app) workers() int {
	if a.threads > 0 {
		return a.threads
	}
	return runtime.GOMAXPROCS(0)
}

// perform does a verb that makes one report, watched, and with a receipt if one is asked for.
func (a *app) perform(cmd *cobra.Command, w work, overwrite bool, f func(ctx context.Context, o job.Options) (*job.Report, error)) (*job.Report, error) {
	var report *job.Report
	w.flags = cmd.Flags()
	a.warnOfTokenKey(cmd.Context(), w.flags)
	err := a.watched(cmd.Context(), w, func(ctx context.Context) ([]*job.Report, error) {
		var err error
		if a.evidence.file == "" {
			report, err = f(ctx, a.options(overwrite))
		} else {
			report, err = a.withReceipt(ctx, cmd, w, overwrite, f)
		}
		if err != nil {
			return nil, err
		}
		return []*job.Report{report}, nil
	})
	return report, err
}

// warnOfTokenKey warns of a key of tokens that others can read.
func (a *app) warnOfTokenKey(ctx context.Context, flags *pflag.FlagSet) {
	if f := flags.Lookup("token-key"); f != nil && f.Value.String() != "" {
		a.warnOfReaders(ctx, "the key of tokens", f.Value.String())
	}
}

func (a *app) withReceipt(ctx context.Context, cmd *cobra.Command, w work, overwrite bool, f func(ctx context.Context, o job.Options) (*job.Report, error)) (*job.Report, error) {
	for _, name := range slices.Concat(w.in, w.out) {
		if err := printable.Check(name); err != nil {
			return nil, &commandLineError{fmt.Errorf("--receipt: %s cannot be named in a receipt: %w", name, err), "Give the file another name."}
		}
	}
	private := a.evidence.private
	if private == "" {
		if strings.Contains(a.evidence.file, "://") {
			return nil, &commandLineError{fmt.Errorf("--receipt %s: its private part must not be where others read", a.evidence.file), "Give --receipt-private FILE, a file on this machine."}
		}
		private = receipt.PrivateName(a.evidence.file)
	}
	signer, err := a.signer(ctx)
	if err != nil {
		return nil, err
	}
	o := a.options(overwrite)
	// Begun before the job, so that what stands in its way is said before hours of work.
	out, err := receipt.Create(ctx, o.FS, a.evidence.file, private, overwrite)
	if err != nil {
		return nil, err
	}
	defer out.Abort()
	recorder := receipt.NewRecorder(a.unwatched(false).Files(), a.workers())
	recorder.Secret(secretFiles(cmd)...)
	o.FS = a.watching.meter.Over(recorder)
	r := receipt.Receipt{Started: time.Now(), Program: receipt.ThisProgram(), Machine: receipt.ThisMachine()}
	report, err := f(ctx, o)
	if err != nil {
		return nil, err
	}
	late := func(err error) error {
		return fmt.Errorf("%s is complete, but not its receipt: %w", report.Out, err)
	}
	if r.Inputs, r.Outputs, err = recorder.Files(ctx); err != nil {
		return nil, late(err)
	}
	r.Ended = time.Now()
	for _, in := range report.Inputs {
		receipt.SetRows(r.Inputs, in.File, in.Rows)
	}
	if len(r.Outputs) == 1 {
		receipt.SetRows(r.Outputs, report.Out, report.Records)
	}
	step := receipt.StepOf(w.verb, parameters(cmd.LocalNonPersistentFlags()), report)
	step.Started, step.Ended = r.Started, r.Ended
	for _, f := range r.Inputs {
		step.Inputs = append(step.Inputs, f.Path)
	}
	for _, f := range r.Outputs {
		step.Outputs = append(step.Outputs, f.Path)
	}
	r.Steps = []receipt.Step{step}
	if err := out.Commit(ctx, &r, signer); err != nil {
		return nil, late(err)
	}
	a.log.Info("receipt written", "file", a.evidence.file, "signed_by", signer.Public().ID(), "private_part", private)
	return report, nil
}

// notParameters are flags that do not say what is computed: files, which a receipt has with their digests, and how the job
// works and is watched.
var notParameters = []string{"in", "out", "overwrite", "table-cache", "receipt", "receipt-private", "report", "metrics-addr", "metrics-file", "lineage", "profile", "help"}

// secret reports whether a flag names a file with a key or a passphrase. A receipt has the fingerprint of the key instead.
func secret(flag string) bool {
	return flag == "key" || flag == "sign" || flag == "sign-passphrase-file" || strings.HasSuffix(flag, "-key") || strings.HasPrefix(flag, "passphrase")
}

func secretFiles(cmd *cobra.Command) (names []string) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if secret(f.Name) && f.Value.String() != "" {
			names = append(names, f.Value.String())
		}
	})
	return names
}

// untold is the annotation of a flag whose value no receipt tells, such as a member's own weight.
const untold = "cipherfold.untold"

// parameters are flags as they were given, and the defaults that are not empty.
func parameters(flags *pflag.FlagSet) map[string]receipt.Values {
	out := map[string]receipt.Values{}
	flags.VisitAll(func(f *pflag.Flag) {
		usual := strings.Trim(f.DefValue, "[]")
		if _, ok := f.Annotations[untold]; ok {
			return
		}
		if secret(f.Name) || slices.Contains(notParameters, f.Name) || !f.Changed && (usual == "" || usual == "0" || usual == "false") {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			out[f.Name] = list.GetSlice()
		} else {
			out[f.Name] = receipt.Values{f.Value.String()}
		}
	})
	return out
}
