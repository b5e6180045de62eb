package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
)

func (a *app) decryptCommand() *cobra.Command {
	var (
		d                   decrypt.Request
		key, passphraseFile string
		overwrite           bool
	)
	cmd := &cobra.Command{
		Use:   "decrypt --key SECRET --in FILE --out DST",
		Short: "Open a fused table: exact sums, counts, means, variances, correlations",
		Long: `Open an encrypted table with the secret key. DST has the id columns and, for every measure NAME, NAME_sum (exact),
NAME_count (values that were not missing) and NAME_mean; with a square NAME_var, with a product A_B_cov and
A_B_cor. Its extension chooses the format: .parquet, .arrow, .csv or .tsv. --ratio adds a column NAME, the sum of one
measure divided by that of another, such as the frequency of an allele.`,
		Example: `  cipherfold decrypt --key keys/secret.age --in fused.cf.parquet --out sums.parquet
  cipherfold decrypt --key keys/secret.json --in fused.cf.parquet --out sums.csv
  cipherfold decrypt --key keys/secret.json --in variants.cf.parquet --out frequencies.tsv --ratio AF=AC/AN`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd, "key", "in", "out"); err != nil {
				return err
			}
			if a.step != nil {
				a.step.Decrypt, a.step.Overwrite = &d, overwrite
				a.step.Key = func(ctx context.Context) (keys.Key, error) {
					return keys.Read(ctx, a.unwatched(false).Files(), key, true, a.passphrase(ctx, passphraseFile))
				}
				return nil
			}
			report, err := a.perform(cmd, work{verb: "decrypt", in: []string{d.In}, out: []string{d.Out}}, overwrite, func(ctx context.Context, o job.Options) (_ *job.Report, err error) {
				if d.Key, err = keys.Read(ctx, a.unwatched(false).Files(), key, true, a.passphrase(ctx, passphraseFile)); err != nil {
					return nil, err
				}
				d.Options = o
				return decrypt.Run(ctx, d)
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s, %s opened, %.1f s (%s values/s)\n",
					report.Out, count(report.Records, "record"), count(report.Ciphertexts, "ciphertext"), report.Seconds, rate(report))
				writePrivacy(w, report.Privacy)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&key, "key", "", "`FILE` secret key")
	f.StringVar(&passphraseFile, "passphrase-file", "", "`FILE` its first line is the passphrase of secret.age")
	f.StringVar(&d.In, "in", "", "`FILE` encrypted table")
	f.StringVar(&d.Out, "out", "", "`DST` table to write: .parquet, .arrow, .csv or .tsv")
	f.StringArrayVar(&d.Ratios, "ratio", nil, "`NAME=A/B...` add a column: the sum of measure A divided by that of B")
	releasePrivacyFlags(f, &d.Privacy)
	a.receiptFlags(f)
	a.watchFlags(f)
	f.Int64Var(&d.RowsPerFile, "rows-per-file", 0, "`N` write DST as a directory of part files of N records each")
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	return cmd
}
