package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/job"
)

func (a *app) encryptCommand() *cobra.Command {
	var (
		e                          job.Encryption
		key, passphraseFile        string
		measures, squares, product []string
		overwrite                  bool
	)
	cmd := &cobra.Command{
		Use:   "encrypt --key KEY --in SRC... --out DST --id COL[,COL] --measure SPEC...",
		Short: "Encrypt columns of a table",
		Long: `Encrypt columns of a table. KEY is public.json, or the secret key for its owner's faster way.

SPEC is NAME[:decimals=D][:max=M]: every value times 10^D must be an integer, and |value| <= M. Without max a
first pass over the source finds one; owners who fuse must give the same. NAME * stands for all columns that
are no ids. Empty cells and NA are missing values: they count for nothing, and means stay right.

Layouts: records (default) keeps one row per record, so that the aggregator can group by any id column;
blocks packs many records of a measure into each ciphertext and is far smaller and faster: for sources
that list the same records in the same order, or are brought into one order by --universe.`,
		Example: `  cipherfold encrypt --key public.json --in rna.parquet --out a.cf.parquet --id gene --measure tpm:decimals=1:max=100000
  cipherfold encrypt --key public.json --in 'vitals/*.csv.gz' --out b.cf.parquet --id ward,patient \
    --measure HR:max=400 SysABP:max=400 --square HR SysABP --product 'HR*SysABP'
  cipherfold encrypt --key public.json --in cohort.tsv --out c.cf.parquet --id gene --measure '*:decimals=2:max=1000' \
    --layout blocks --universe genes.tsv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd, "key", "in", "out", "id", "measure"); err != nil {
				return err
			}
			for _, spec := range measures {
				m, err := job.ParseMeasure(spec)
				if err != nil {
					return err
				}
				e.Measures = append(e.Measures, m)
			}
			e.Squares = squares
			e.Products = product
			if !cmd.Flags().Changed("null") {
				e.Nulls = nil
			}
			var err error
			if e.Key, err = job.ReadKey(cmd.Context(), a.options(false).Files(), key, true, a.passphrase(passphraseFile)); err != nil {
				return err
			}
			e.Options = a.options(overwrite)
			report, err := job.Encrypt(cmd.Context(), e)
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s records, %s ciphertexts, %.1f s (%s values/s)\n",
					report.Out, thousands(report.Records), thousands(report.Ciphertexts), report.Seconds, rate(report))
				var missing []string
				for _, m := range report.Measures {
					if n := report.Missing[m]; n > 0 {
						missing = append(missing, fmt.Sprintf("%s %s", m, thousands(n)))
					}
				}
				if len(missing) > 0 {
					fmt.Fprintf(w, "  missing values: %s\n", strings.Join(missing, ", "))
				}
				if report.Unlisted > 0 {
					fmt.Fprintf(w, "  dropped outside the universe: %s records\n", thousands(report.Unlisted))
				}
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&key, "key", "", "key file")
	f.StringVar(&passphraseFile, "passphrase-file", "", "file whose first line is the passphrase of secret.age")
	f.StringArrayVar(&e.In, "in", nil, "files, globs or directories: .parquet, .arrow, .feather, .csv, .tsv, also .csv.gz and .tsv.gz")
	f.StringVar(&e.Out, "out", "", "encrypted table to write (.cf.parquet by habit)")
	f.StringSliceVar(&e.IDs, "id", nil, "columns that name a record, separated by commas; they stay in the clear")
	f.StringArrayVar(&measures, "measure", nil, "what to encrypt: NAME[:decimals=D][:max=M]")
	f.StringArrayVar(&squares, "square", nil, "also encrypt the squares of measure NAME, for its variance")
	f.StringArrayVar(&product, "product", nil, "also encrypt products A*B, for covariance and correlation")
	f.StringVar(&e.Layout, "layout", job.Records, "records or blocks")
	f.Int64Var(&e.MaxAdds, "max-adds", 0, "records that may ever be added up in one sum (default: 1024 for blocks, 2^20 for records)")
	f.StringArrayVar(&e.Universe, "universe", nil, "public reference list of all record ids in order; records the source lacks become missing values")
	f.BoolVar(&e.DropUnlisted, "drop-unlisted", false, "drop records outside the universe and count them, instead of refusing them")
	f.StringArrayVar(&e.Nulls, "null", nil, "text that means a missing value in CSV and TSV (default: empty and NA)")
	f.StringVar(&e.Source, "source", "", "name of this owner, noted in the table")
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	return cmd
}

func rate(r *job.Report) string { return thousands(int64(float64(r.Values) / max(r.Seconds, 1e-9))) }
