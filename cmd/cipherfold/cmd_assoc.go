package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/analyze"
	"github.com/cipherfold/cipherfold/engine/job"
)

func init() {
	registerCommand(140, (*app).assocCommand)
}

func (a *app) assocCommand() *cobra.Command {
	var x analyze.Association
	var overwrite, csvSafe bool
	cmd := &cobra.Command{
		Use:   "assoc --cases FILE --controls FILE --out DST",
		Short: "Test decrypted sums of cases against those of controls",
		Long: `Test, record by record, whether cases and controls differ, given their decrypted tables and nothing else.

allelic (default) compares allele frequencies by Pearson's chi-square of the counts of alleles, from AC_sum and AN_sum:
AF_cases, AF_controls, OR, CHISQ (one degree of freedom), P. welch compares the means of a measure that was encrypted with
--square: MEAN_cases, MEAN_controls, DIFF, T, DF, P. Records that only one table has are counted and left out.`,
		Example: `  cipherfold assoc --cases cases.parquet --controls controls.parquet --out assoc.tsv
  cipherfold assoc --cases cases.csv --controls controls.csv --out diff.csv --test welch --measure tpm`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "cases", "controls", "out"); err != nil {
				return err
			}
			report, err := a.perform(cmd, work{verb: "assoc", in: []string{x.Cases, x.Controls}, out: []string{x.Out}}, overwrite, func(ctx context.Context, o job.Options) (*job.Report, error) {
				o.CSVSafe = csvSafe
				x.Options = o
				return analyze.Associate(ctx, x)
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s tested, %.1f s\n", report.Out, count(report.Records, "record"), report.Seconds)
				if *report.Unmatched > 0 {
					fmt.Fprintf(w, "  in one table only: %s\n", count(*report.Unmatched, "record"))
				}
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&x.Cases, "cases", "", "`FILE` decrypted table of the cases")
	f.StringVar(&x.Controls, "controls", "", "`FILE` decrypted table of the controls")
	f.StringVar(&x.Out, "out", "", "`DST` table to write: .parquet, .arrow, .csv or .tsv")
	f.StringVar(&x.Test, "test", analyze.Allelic, "`NAME` allelic or welch")
	f.StringVar(&x.Measure, "measure", "", "`NAME` welch: the measure whose means are compared")
	a.receiptFlags(f)
	a.watchFlags(f)
	csvSafeFlag(f, &csvSafe)
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	return cmd
}
