package main

import (
	"context"
	"fmt"
	"io"
	"slices"

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
	var page string
	cmd := &cobra.Command{
		Use:   "assoc --cases FILE... --controls FILE... --out DST",
		Short: "Test decrypted sums of cases against those of controls",
		Long: `Test, record by record, whether cases and controls differ, given their decrypted tables and nothing else.

allelic (default) compares allele frequencies by Pearson's chi-square of the counts of alleles, from AC_sum and AN_sum.
trend and logistic compare the number of alleles that people have, from HET_sum and HOM_sum besides: by the test of
Cochran and Armitage, and by logistic regression. welch compares the means of a measure that was encrypted with
--square.

The result has the frequencies or means, the effect (OR or DIFF) with SE and a 95% interval, the statistic and P;
P_EXACT (Fisher) where counts are small; P_BONF and P_BH, adjusted for the number of tests; P_GC by genomic control.
What is undefined is empty. Records that only one table has are counted and left out.

Several tables of cases and of controls are cohorts. They are combined by weights inverse to variances (meta) or as
Mantel and Haenszel do (mh), and so are strata: values of an id column, such as sex, that tables were fused by.`,
		Example: `  cipherfold assoc --cases cases.parquet --controls controls.parquet --out assoc.tsv --by-p
  cipherfold assoc --cases cases.csv --controls controls.csv --out diff.csv --test welch --measure tpm
  cipherfold assoc --cases a1.csv b1.csv --controls a0.csv b0.csv --out meta.tsv --test trend
  cipherfold assoc --cases cases.csv --controls controls.csv --out adjusted.tsv --stratum sex --combine mh`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "cases", "controls", "out"); err != nil {
				return err
			}
			if err := a.canReport(cmd.Context(), page, overwrite); err != nil {
				return err
			}
			report, err := a.perform(cmd, work{verb: "assoc", in: slices.Concat(x.Cases, x.Controls), out: []string{x.Out}}, overwrite, func(ctx context.Context, o job.Options) (*job.Report, error) {
				o.CSVSafe = csvSafe
				x.Options = o
				return analyze.Associate(ctx, x)
			})
			if err == nil {
				err = a.writePage(cmd.Context(), page, overwrite, report)
			}
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s tested, %.1f s\n", report.Out, count(report.Records, "record"), report.Seconds)
				if *report.Unmatched > 0 {
					fmt.Fprintf(w, "  in one table only: %s\n", count(*report.Unmatched, "record"))
				}
				if s := report.Association; s.Tests > 0 {
					fmt.Fprintf(w, "  P values: %s, the least %.3g; below 0.05 after Bonferroni: %s; lambda %.3f\n",
						thousands(s.Tests), s.Least, thousands(s.Significant), s.Lambda)
				}
			})
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&x.Cases, "cases", nil, "`FILE...` decrypted table of the cases, one for each cohort")
	f.StringArrayVar(&x.Controls, "controls", nil, "`FILE...` decrypted table of the controls, in the same order")
	f.StringVar(&x.Out, "out", "", "`DST` table to write: .parquet, .arrow, .csv or .tsv")
	f.StringVar(&x.Test, "test", analyze.Allelic, "`NAME` allelic, trend, logistic or welch")
	f.StringVar(&x.Measure, "measure", "", "`NAME` welch: the measure whose means are compared")
	f.StringSliceVar(&x.Strata, "stratum", nil, "`COL,COL` ids by whose values groups are compared apart, and then combined")
	f.StringVar(&x.Combine, "combine", analyze.Meta, "`HOW` cohorts and strata: meta (fixed effects) or mh (Mantel-Haenszel)")
	f.StringVar(&x.Alternative, "alternative", analyze.TwoSided, "`WHAT` P is two-sided, or that the effect in cases is greater, or less")
	f.BoolVar(&x.ByP, "by-p", false, "rows in the order of P, empty ones last")
	pageFlag(f, &page)
	a.receiptFlags(f)
	a.watchFlags(f)
	csvSafeFlag(f, &csvSafe)
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	return cmd
}
