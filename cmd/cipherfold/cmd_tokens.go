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
	registerCommand(150, (*app).tokensCommand)
}

func (a *app) tokensCommand() *cobra.Command {
	var l analyze.TokenList
	var overwrite, csvSafe bool
	cmd := &cobra.Command{
		Use:   "tokens --in SRC... --out DST --id COL[,COL] --tokenize COL[,COL] --token-key KEY",
		Short: "List ids with their tokens, to find one's own records in a result",
		Long: `List the ids of a table with the tokens that encrypt --tokenize replaces them by: the columns of --id, normalised as
declared, and the tokens as NAME_token. For owners, who have the token key; the list is as secret as the ids.`,
		Example: `  cipherfold tokens --in rna.tsv --out genes.csv --id gene:ensembl --tokenize gene --token-key token.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "in", "out", "id", "tokenize", "token-key"); err != nil {
				return err
			}
			if !cmd.Flags().Changed("null") {
				l.Nulls = nil
			}
			report, err := a.perform(cmd, work{verb: "tokens", in: l.In, out: []string{l.Out}}, overwrite, func(ctx context.Context, o job.Options) (*job.Report, error) {
				o.CSVSafe = csvSafe
				l.Options = o
				return analyze.ListTokens(ctx, l)
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s\n", report.Out, count(report.Records, "row"))
			})
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&l.In, "in", nil, "`SRC...` files, globs or directories, as for encrypt")
	f.StringVar(&l.Out, "out", "", "`DST` list to write: .parquet, .arrow, .csv or .tsv")
	f.StringSliceVar(&l.IDs, "id", nil, "`COL,COL` columns that name a record, as for encrypt")
	f.StringArrayVar(&l.Tokenize, "tokenize", nil, "`COL,COL...` columns of --id that one token stands for")
	f.StringVar(&l.TokenKey, "token-key", "", "`FILE` the owners' common key of tokens")
	f.StringArrayVar(&l.Nulls, "null", nil, "`TEXT...` what means a missing value in CSV and TSV (default: empty and NA)")
	addVCFFlags(f, &l.VCF)
	a.receiptFlags(f)
	a.watchFlags(f)
	csvSafeFlag(f, &csvSafe)
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	return cmd
}
