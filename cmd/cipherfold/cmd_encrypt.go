package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
)

func init() {
	registerCommand(20, (*app).encryptCommand)
	registerStep("encrypt", func() stepOptions { return new(encryptOptions) })
}

// encryptOptions are what an encryption can be asked for, on a command line or in a job file.
type encryptOptions struct {
	encrypt.Request
	source    sourceOptions
	key       keyOptions
	sign      signOptions
	overwrite bool
}

// AddFlags adds a flag for each option.
func (o *encryptOptions) AddFlags(f *pflag.FlagSet) {
	o.key.AddFlags(f, "`FILE` public.json, or the secret key")
	o.source.AddFlags(f, &o.Spec)
	f.StringVar(&o.Out, "out", "", "`DST` encrypted table to write (.cf.parquet by habit)")
	f.StringVar(&o.Layout, "layout", slots.Records, "`NAME` records or blocks")
	f.Int64Var(&o.MaxAdds, "max-adds", 0, "`N` records that may ever be added up in one sum (default: 1024 for blocks, 2^20 for records)")
	f.StringArrayVar(&o.Universe, "universe", nil, "`FILE...` public list of all record ids in order; records that the source lacks become missing values")
	f.BoolVar(&o.DropUnlisted, "drop-unlisted", false, "drop records outside the universe and count them, instead of refusing them")
	f.BoolVar(&o.TokenSamples, "token-samples", false, "VCF: note tokens of the samples in the table, so that fuse refuses people who are in two tables")
	f.StringArrayVar(&o.DisjointFrom, "disjoint-from", nil, "`FILE...` VCF: refuse a sample whose token is in these encrypted tables")
	ownerPrivacyFlags(f, &o.Privacy)
	f.StringVar(&o.Fingerprint, "fingerprint", "", "`HEX` refuse any other public key than the one with this fingerprint")
	o.sign.AddFlags(f, "`FILE` the owner's key that signs the table (keygen --signer)")
	f.StringVar(&o.Source, "source", "", "`NAME` this owner, noted in the table")
	f.StringVar(&o.TableCache, "table-cache", keys.CacheAuto, "`WHEN` auto, on or off: keep the tables of powers of a public key beside its file for next time; auto does it when they took long to make")
	f.Int64Var(&o.RowsPerFile, "rows-per-file", 0, "`N` write DST as a directory of part files of N records each")
	f.BoolVar(&o.overwrite, "overwrite", false, "replace an output that exists")
}

func (o *encryptOptions) complete(_ *app, f *pflag.FlagSet, hint string) error {
	if err := required(f, hint, "key", "in", "out", "id", "measure"); err != nil {
		return err
	}
	if f.Changed("max-adds") && o.MaxAdds == 0 {
		return &commandLineError{errors.New("‹max_adds› 0 leaves no room for a single record"), "Leave it out for the default."}
	}
	if f.Changed("fingerprint") && o.Fingerprint == "" {
		return &commandLineError{errors.New("‹fingerprint› is empty"), "Give the 64 hex digits that keygen printed, or leave it out."}
	}
	return o.source.complete(f, &o.Spec)
}

func (o *encryptOptions) step(a *app) batch.Step {
	o.Sign = o.sign.reader(a)
	return batch.Step{Request: &o.Request, Overwrite: o.overwrite, Key: func(ctx context.Context) (keys.Key, error) { return o.key.read(ctx, a) }}
}

func (a *app) encryptCommand() *cobra.Command {
	var o encryptOptions
	cmd := &cobra.Command{
		Use:   "encrypt --key KEY --in SRC... --out DST --id COL[,COL] --measure SPEC...",
		Short: "Encrypt columns of a table",
		Long: `Encrypt columns of a table. KEY is public.json, or the secret key for its owner's faster way.

SPEC is NAME[:decimals=D][:max=M]: every value times 10^D must be an integer, and |value| <= M. Without max a
first pass over the source finds one; owners who fuse must give the same. NAME * stands for all columns that
are no ids. Empty cells and NA are missing values: they count for nothing, and means stay right.

More settings of a SPEC prepare values, in this order: unit=TEXT (noted), range=LOW..HIGH (others are refused), tpm
(parts of a million), log2 (of x + 1), zscore=MEAN/SD, clip=LOW..HIGH, missing=zero|mean|median|refuse. Owners must
declare the same; fuse refuses tables that were prepared differently.

An id is COL[:as=NAME][:ensembl|:variant]: as names it anew, ensembl drops the version of an Ensembl identifier,
variant trims CHROM:POS:REF:ALT. --tokenize replaces ids by tokens that only holders of the token key can make.

A VCF has the ids chrom, pos, ref, alt, a row for each alternative allele, and the measures AC, AN, MISSING, HET
and HOM, or with --per-sample one for each sample.

Layouts: records (default) keeps one row per record, so that the aggregator can group by any id column;
blocks packs many records of a measure into each ciphertext and is far smaller and faster: for sources
that list the same records in the same order, or are brought into one order by --universe.`,
		Example: `  cipherfold encrypt --key public.json --in rna.parquet --out a.cf.parquet --id gene --measure tpm:decimals=1:max=100000
  cipherfold encrypt --key public.json --in 'vitals/*.csv.gz' --out b.cf.parquet --id ward,patient \
    --measure HR:max=400 SysABP:max=400 --square HR SysABP --product 'HR*SysABP'
  cipherfold encrypt --key public.json --in chr22.vcf.gz --out v.cf.parquet --id chrom,pos,ref,alt \
    --measure AC:max=20000 AN:max=20000 --layout blocks --universe sites.vcf.gz --drop-unlisted
  cipherfold encrypt --key public.json --in rna.tsv --out r.cf.parquet --id Gene:as=gene:ensembl --tokenize gene \
    --token-key token.json --pivot 'Cell line:TPM' --measure '*:decimals=4:unit=TPM:range=0..:log2:missing=zero'
  cipherfold encrypt --key public.json --in cohort.tsv --out c.cf.parquet --id gene --measure '*:decimals=2:max=1000' \
    --layout blocks --universe genes.tsv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(a, cmd.Flags(), helpOf(cmd)); err != nil {
				return err
			}
			report, err := a.perform(cmd, work{verb: "encrypt", in: o.In, out: []string{o.Out}}, o.overwrite, func(ctx context.Context, options job.Options) (_ *job.Report, err error) {
				if o.Key, err = o.key.read(ctx, a); err != nil {
					return nil, err
				}
				o.Options, o.Sign = options, o.sign.reader(a)
				return encrypt.Run(ctx, o.Request)
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s, %s, %.1f s (%s values/s)\n",
					report.Out, count(report.Records, "record"), count(report.Ciphertexts, "ciphertext"), report.Seconds, rate(report))
				writeMissing(w, report)
				writePrepared(w, report)
				writePrivacy(w, report.Privacy)
				if report.Unlisted > 0 {
					fmt.Fprintf(w, "  dropped outside the universe: %s\n", count(report.Unlisted, "record"))
				}
			})
		},
	}
	o.AddFlags(cmd.Flags())
	a.receiptFlags(cmd.Flags())
	a.watchFlags(cmd.Flags())
	return cmd
}

// missingListed is how many measures are named that miss values.
const missingListed = 4

// writeMissing says how many values are missing, and of which measures most.
func writeMissing(w io.Writer, r *job.Report) {
	total := int64(0)
	var names []string
	for _, name := range r.Measures {
		if r.Missing[name] > 0 {
			total += r.Missing[name]
			names = append(names, name)
		}
	}
	if total == 0 {
		return
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(r.Missing[b], r.Missing[a]) })
	var listed []string
	for _, name := range names[:min(len(names), missingListed)] {
		listed = append(listed, fmt.Sprintf("%s %s", name, thousands(r.Missing[name])))
	}
	if more := len(names) - len(listed); more > 0 {
		listed = append(listed, fmt.Sprintf("and %s", count(int64(more), "more measure")))
	}
	fmt.Fprintf(w, "  missing: %s of %s (%s)\n", thousands(total), count(r.Values, "value"), strings.Join(listed, ", "))
}

// writePrepared says what the preparation filled, and what was left out of VCF files.
func writePrepared(w io.Writer, r *job.Report) {
	filled := int64(0)
	for _, n := range r.Filled {
		filled += n
	}
	if filled > 0 {
		fmt.Fprintf(w, "  filled: %s\n", count(filled, "missing value"))
	}
	if r.Variants == nil {
		return
	}
	var left []string
	for _, x := range r.Variants.Omissions() {
		left = append(left, count(x.Count, x.Noun)+" "+x.Reason)
	}
	if left != nil {
		fmt.Fprintf(w, "  left out of %s: %s\n", count(r.Variants.Records, "VCF record"), strings.Join(left, ", "))
	}
}

func rate(r *job.Report) string { return thousands(int64(float64(r.Values) / max(r.Seconds, 1e-9))) }
