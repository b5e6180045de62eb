package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
)

func init() {
	registerCommand(30, (*app).fuseCommand)
	registerStep("fuse", func() stepOptions { return new(fuseOptions) })
}

// fuseOptions are what a fusion can be asked for, on a command line or in a job file.
type fuseOptions struct {
	fuse.Request
	weights, variances []string
	weightDigits       int
	by                 string
	sign               signOptions
	total              bool
	overwrite          bool
}

// AddFlags adds a flag for each option.
func (o *fuseOptions) AddFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.In, "in", nil, "`FILE...` encrypted tables: files, globs or directories")
	f.StringVar(&o.Out, "out", "", "`DST` encrypted table to write")
	f.StringVar(&o.by, "by", "", "`COL,COL` id columns to group by (default: per record id)")
	f.BoolVar(&o.total, "total", false, "add up everything into one total (also written --by '')")
	f.StringArrayVar(&o.weights, "weight", nil, "`FILE=W...` multiply the values of an input by W: an integer, a decimal or a fraction")
	f.StringArrayVar(&o.variances, "variance", nil, "`FILE=V...` give an input the weight 1/V, for means weighted by inverse variance")
	f.IntVar(&o.weightDigits, "weight-digits", 0, "`D` round weights, so that the largest is 10^D (default: their smallest whole multiple)")
	f.BoolVar(&o.Unmatched, "count-unmatched", false, "count the ids that are not in every input")
	f.BoolVar(&o.AllowRepeats, "allow-repeats", false, "let a table be in the sum more than once; then no guarantee of privacy holds for it")
	f.Int64Var(&o.MinGroup, "min-group", 0, "`N` drop groups of fewer records, and count them")
	f.StringVar(&o.Trust, "trust", "", "`FILE` trust file: refuse tables that are not signed by the owners and aggregators in it")
	o.sign.AddFlags(f, "`FILE` the aggregator's key that signs the result (keygen --signer)")
	f.StringVar(&o.Rerandomize, "rerandomize", "auto", "`WHEN` auto, always or never; auto does it when weights are given")
	f.Int64Var(&o.RowsPerFile, "rows-per-file", 0, "`N` write DST as a directory of part files of N records each")
	f.StringVar(&o.ScratchDir, "tmp-dir", "", "`DIR` where to put partial sums that outgrow --memory (default: the directory of --out)")
	f.BoolVar(&o.overwrite, "overwrite", false, "replace an output that exists")
}

func (o *fuseOptions) complete(a *app, f *pflag.FlagSet, hint string) error {
	if err := required(f, hint, "in", "out"); err != nil {
		return err
	}
	switch {
	case o.total && o.by != "":
		return &commandLineError{errors.New("‹total› and ‹by› exclude each other"), "Give one of them."}
	case o.by != "":
		o.By = strings.Split(o.by, ",")
	case o.total || f.Changed("by"):
		o.By = []string{}
	}
	var err error
	if o.Weights, o.WeighAll, err = fuse.ParseWeights(o.weights, o.variances, o.weightDigits); err != nil {
		return err
	}
	if o.WeighAll {
		for _, w := range o.Weights {
			a.log.Info("weight as a whole number", "file", w.File, "weight", w.Weight)
		}
	}
	return nil
}

func (o *fuseOptions) step(a *app) batch.Step {
	o.Sign = o.sign.reader(a)
	return batch.Step{Request: &o.Request, Overwrite: o.overwrite}
}

func (a *app) fuseCommand() *cobra.Command {
	var o fuseOptions
	cmd := &cobra.Command{
		Use:   "fuse --in FILE... --out DST",
		Short: "Add up encrypted tables without a key",
		Long: `Add up encrypted tables without a key: per record id, per group of --by, or, with --total, everything into one
total. In the blocks layout all inputs must list the same records in the same order, except for a total.

The inputs' footers say how large each sum can become; a fusion that could overflow is refused before the
first multiplication. Tables with entirely different measures are joined: a measure that a table lacks is
missing there. Tables that share a measure must have been encrypted with the same list of measures.

Weights are made whole numbers, in the same proportion: NAME_mean is then the weighted mean, and NAME_sum and NAME_count
are multiplied by the weights.`,
		Example: `  cipherfold fuse --in a.cf.parquet b.cf.parquet --out fused.cf.parquet
  cipherfold fuse --in 'owners/*.cf.parquet' --out by-ward.cf.parquet --by ward --min-group 20
  cipherfold fuse --in now.cf.parquet before.cf.parquet --out change.cf.parquet --weight before.cf.parquet=-1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(a, cmd.Flags(), helpOf(cmd)); err != nil {
				return err
			}
			report, err := a.perform(cmd, work{verb: "fuse", in: o.In, out: []string{o.Out}}, o.overwrite, func(ctx context.Context, options job.Options) (*job.Report, error) {
				options.ScratchDir = o.ScratchDir
				o.Options, o.Sign = options, o.sign.reader(a)
				return fuse.Run(ctx, o.Request)
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s, %s folded, %.1f s (%s ciphertexts/s)\n", report.Out, count(report.Records, "record"),
					count(report.Ciphertexts, "ciphertext"), report.Seconds, thousands(int64(float64(report.Ciphertexts)/max(report.Seconds, 1e-9))))
				if report.Unmatched != nil {
					fmt.Fprintf(w, "  ids that are not in every input: %s\n", thousands(*report.Unmatched))
				}
				if report.Spilled > 0 {
					fmt.Fprintf(w, "  partial sums that outgrew --memory: %s MiB in a temporary file\n", thousands(report.Spilled>>20))
				}
				if report.SmallGroups > 0 {
					fmt.Fprintf(w, "  dropped below --min-group: %s\n", count(report.SmallGroups, "group"))
				}
			})
		},
	}
	o.AddFlags(cmd.Flags())
	a.receiptFlags(cmd.Flags())
	a.watchFlags(cmd.Flags())
	return cmd
}
