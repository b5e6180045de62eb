package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
)

func init() {
	registerCommand(40, (*app).decryptCommand)
	registerStep("decrypt", func() stepOptions { return new(decryptOptions) })
}

// decryptOptions are what a decryption can be asked for, on a command line or in a job file.
type decryptOptions struct {
	decrypt.Request
	key       keyOptions
	overwrite bool
}

// AddFlags adds a flag for each option.
func (o *decryptOptions) AddFlags(f *pflag.FlagSet) {
	o.key.AddFlags(f, "`FILE` secret key")
	f.StringVar(&o.In, "in", "", "`FILE` encrypted table")
	f.StringVar(&o.Out, "out", "", "`DST` table to write: .parquet, .arrow, .csv or .tsv")
	furtherFlags(f, &o.Further)
	f.StringVar(&o.Trust, "trust", "", "`FILE` trust file: refuse a sum that is not of exactly the owners in it, each once, signed by an aggregator in it")
	f.Int64Var(&o.MinOwners, "min-owners", 0, "`N` refuse a sum of fewer owners' tables")
	f.Int64Var(&o.MinCount, "min-count", 0, "`N` suppress what rests on fewer than N values: sums, counts, means and all that follows from them")
	f.BoolVar(&o.Unfused, "unfused", false, "open also a table that is no fusion of several: an owner's rows")
	f.BoolVar(&o.LocateRefused, "locate-refused", false, "when a sum is out of range, tell which one: for you alone")
	releasePrivacyFlags(f, &o.Privacy)
	f.Int64Var(&o.RowsPerFile, "rows-per-file", 0, "`N` write DST as a directory of part files of N records each")
	csvSafeFlag(f, &o.CSVSafe)
	f.BoolVar(&o.overwrite, "overwrite", false, "replace an output that exists")
}

func (o *decryptOptions) complete(_ *app, f *pflag.FlagSet, hint string) error {
	return required(f, hint, "key", "in", "out")
}

func (o *decryptOptions) step(a *app) batch.Step {
	return batch.Step{Request: &o.Request, Overwrite: o.overwrite, Key: func(ctx context.Context) (keys.Key, error) { return o.key.read(ctx, a) }}
}

func (a *app) decryptCommand() *cobra.Command {
	var o decryptOptions
	var page string
	cmd := &cobra.Command{
		Use:   "decrypt --key SECRET --in FILE --out DST",
		Short: "Open a fused table: exact sums, counts, means, variances, correlations",
		Long: `Open an encrypted table with the secret key. DST has the id columns and, for every measure NAME, NAME_sum (exact),
NAME_count (values that were not missing) and NAME_mean; with a square NAME_var, with a product A_B_cov and
A_B_cor. Its extension chooses the format: .parquet, .arrow, .csv or .tsv. --ratio adds a column NAME, the sum of one
measure divided by that of another, such as the frequency of an allele.

A table that is no fusion of several owners' tables is refused without --unfused: it has an owner's rows.
--min-count N leaves out sums, counts, means and all that follows from them where fewer than N values were added
up, and what would betray them by the totals of this table. It knows nothing of other releases, nor of what owners
know; docs/user-guide.md has its limits.`,
		Example: `  cipherfold decrypt --key keys/secret.age --in fused.cf.parquet --out sums.parquet
  cipherfold decrypt --key keys/secret.json --in fused.cf.parquet --out sums.csv
  cipherfold decrypt --key keys/secret.json --in variants.cf.parquet --out frequencies.tsv --ratio AF=AC/AN`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(a, cmd.Flags(), helpOf(cmd)); err != nil {
				return err
			}
			if err := a.canReport(cmd.Context(), page, o.overwrite); err != nil {
				return err
			}
			report, err := a.perform(cmd, work{verb: "decrypt", in: []string{o.In}, out: []string{o.Out}}, o.overwrite, func(ctx context.Context, options job.Options) (_ *job.Report, err error) {
				if o.Key, err = o.key.read(ctx, a); err != nil {
					return nil, err
				}
				options.CSVSafe = o.CSVSafe
				o.Options = options
				return decrypt.Run(ctx, o.Request)
			})
			if err == nil {
				err = a.writePage(cmd.Context(), page, o.overwrite, report)
			}
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s, %s opened, %.1f s (%s values/s)\n",
					report.Out, count(report.Records, "record"), count(report.Ciphertexts, "ciphertext"), report.Seconds, rate(report))
				writeOriginals(w, report.Originals)
				writePrivacy(w, report.Privacy)
				if s := report.Suppressed; s != nil {
					fmt.Fprintf(w, "  suppressed: %s of fewer than %s", count(s.Small, "result"), count(s.Least, "value"))
					if s.Further > 0 {
						fmt.Fprintf(w, ", and %d more so that no total betrays them", s.Further)
					}
					fmt.Fprintln(w)
				}
			})
		},
	}
	o.AddFlags(cmd.Flags())
	pageFlag(cmd.Flags(), &page)
	a.receiptFlags(cmd.Flags())
	a.watchFlags(cmd.Flags())
	return cmd
}
