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
	registerCommand(120, (*app).summarizeCommand)
	registerCommand(130, (*app).combineCommand)
}

func (a *app) summarizeCommand() *cobra.Command {
	var (
		s         analyze.Summary
		source    sourceOptions
		overwrite bool
		csvSafe   bool
	)
	cmd := &cobra.Command{
		Use:   "summarize --in SRC... --out DST --id COL[,COL] --measure SPEC...",
		Short: "Sum up a table in the clear, without any protection",
		Long: `Sum up one owner's table in the clear: the sums, counts, means and variances of every id. It takes the same
description of the table as encrypt, and its result has the columns of a decrypted table.

Owners who send such summaries to be combined do feature-level fusion: cheap, and everybody who gets a summary
reads it. It is here to compare with what encryption gives, and to check a description before encrypting.`,
		Example: `  cipherfold summarize --in vitals.csv --out summary.csv --id ward --measure HR:max=400 --square HR
  cipherfold summarize --in chr22.vcf.gz --out counts.tsv --id chrom,pos,ref,alt --measure AC AN --ratio AF=AC/AN`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "in", "out", "id", "measure"); err != nil {
				return err
			}
			if err := source.complete(cmd.Flags(), &s.Spec); err != nil {
				return err
			}
			report, err := a.perform(cmd, work{verb: "summarize", in: s.In, out: []string{s.Out}}, overwrite, func(ctx context.Context, o job.Options) (*job.Report, error) {
				o.CSVSafe = csvSafe
				s.Options = o
				return analyze.Summarize(ctx, s)
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s, %.1f s, not encrypted\n", report.Out, count(report.Records, "record"), report.Seconds)
				writeMissing(w, report)
				writePrepared(w, report)
			})
		},
	}
	f := cmd.Flags()
	source.AddFlags(f, &s.Spec)
	f.StringVar(&s.Out, "out", "", "`DST` table to write: .parquet, .arrow, .csv or .tsv")
	furtherFlags(f, &s.Further)
	a.receiptFlags(f)
	a.watchFlags(f)
	csvSafeFlag(f, &csvSafe)
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	return cmd
}

func (a *app) combineCommand() *cobra.Command {
	var c analyze.Combination
	var overwrite, csvSafe bool
	cmd := &cobra.Command{
		Use:   "combine --in FILE... --out DST",
		Short: "Combine summaries in the clear, for comparison with an encrypted fusion",
		Long: `Combine summaries that summarize or decrypt wrote. pooled counts every value once, as if all were in one table:
means and variances are those of the encrypted fusion, but for rounding. average is the mean of the owners' means, each of
which counts the same.`,
		Example: `  cipherfold combine --in north.csv south.csv --out all.csv
  cipherfold combine --in 'owners/*.csv' --out features.csv --method average`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "in", "out"); err != nil {
				return err
			}
			report, err := a.perform(cmd, work{verb: "combine", in: c.In, out: []string{c.Out}}, overwrite, func(ctx context.Context, o job.Options) (*job.Report, error) {
				o.CSVSafe = csvSafe
				c.Options = o
				return analyze.Combine(ctx, c)
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s from %s, %.1f s, not encrypted\n", report.Out, count(report.Records, "record"), count(int64(len(report.Inputs)), "table"), report.Seconds)
			})
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&c.In, "in", nil, "`FILE...` summaries: files, globs or directories")
	f.StringVar(&c.Out, "out", "", "`DST` table to write: .parquet, .arrow, .csv or .tsv")
	f.StringVar(&c.Method, "method", analyze.Pooled, "`NAME` pooled or average")
	a.receiptFlags(f)
	a.watchFlags(f)
	csvSafeFlag(f, &csvSafe)
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	return cmd
}
