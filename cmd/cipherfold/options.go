package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/stats"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/blob"
)

// sourceOptions say which table an owner has, and how it is prepared.
type sourceOptions struct {
	measures, squares, products []string
}

// AddFlags adds a flag for each option; they set fields of e.
func (s *sourceOptions) AddFlags(f *pflag.FlagSet, e *dataset.Spec) {
	f.StringArrayVar(&e.In, "in", nil, "`SRC...` files, globs or directories: .parquet, .arrow, .feather, .csv, .tsv, .csv.gz, .tsv.gz, .bed, .bed.gz, .vcf, .vcf.gz")
	f.StringSliceVar(&e.IDs, "id", nil, "`COL,COL` columns that name a record; they stay in the clear, unless they are tokenised")
	f.StringArrayVar(&s.measures, "measure", nil, "`SPEC...` columns of numbers: NAME[:decimals=D][:max=M] and further settings")
	f.StringArrayVar(&s.squares, "square", nil, "`NAME...` also take the squares of a measure, for its variance")
	f.StringArrayVar(&s.products, "product", nil, "`A*B...` also take products of two measures, for covariance and correlation")
	f.StringArrayVar(&e.Nulls, "null", nil, "`TEXT...` what means a missing value in CSV and TSV (default: empty and NA)")
	f.StringArrayVar(&e.Tokenize, "tokenize", nil, "`COL,COL...` replace these columns of --id by one token, and sort by it")
	f.StringVar(&e.TokenKey, "token-key", "", "`FILE` the owners' common key of tokens (cipherfold keygen --token-key)")
	f.StringVar(&e.Duplicates, "duplicates", "", "`WHAT` rows with the same id: refuse, or make one row of them by sum, mean or first (default: refuse in blocks, keep in records)")
	f.StringVar(&e.Pivot, "pivot", "", "`NAMES:VALUES` the table is long: the column with the names of measures, and the one with their values")
	f.StringArrayVar(&e.Constants, "constants", nil, "`FILE...` table with columns measure, mean, sd, low, high for zscore and clip")
	addVCFFlags(f, &e.VCF)
}

// addVCFFlags adds those of VCF files.
func addVCFFlags(f *pflag.FlagSet, v *dataset.VCF) {
	f.StringVar(&v.Samples, "samples", "", "`FILE|A,B,C` VCF: count these samples only; a file has one on each line")
	f.BoolVar(&v.PerSample, "per-sample", false, "VCF: a measure for each sample, its dosage, instead of AC, AN, MISSING, HET and HOM")
	vcfCountsFlag(f, v)
	f.StringVar(&v.Dosage, "dosage", "", "`FIELD` VCF: count alleles by GT or add up DS (default: GT)")
	f.StringVar(&v.Multiallelic, "multiallelic", "", "`WHAT` VCF: split records of several alternative alleles into a row of each, skip or refuse them (default: split)")
	f.StringVar(&v.Symbolic, "symbolic", "", "`WHAT` VCF: keep, skip or refuse alleles that are not bases, such as <DEL> (default: keep)")
	f.StringVar(&v.Alleles, "alleles", "", "`HOW` VCF: trim bases that reference and allele share, or keep them (default: trim)")
	f.StringVar(&v.ChromPrefix, "chrom-prefix", "", "`HOW` VCF: keep names of chromosomes, or strip chr (default: keep)")
	f.StringSliceVar(&v.Filter, "filter", nil, "`NAME,NAME` VCF: only records with one of these in FILTER, such as PASS")
	f.StringVar(&v.AF, "af", "", "`MIN-MAX` VCF: only alleles whose INFO/AF is within")
	f.StringSliceVar(&v.Regions, "region", nil, "`CHROM:FROM-TO,...` VCF: only records at these positions")
}

// complete reads what the flags say, once they are set.
func (s *sourceOptions) complete(f *pflag.FlagSet, e *dataset.Spec) error {
	for _, spec := range s.measures {
		m, err := slots.ParseMeasure(spec)
		if err != nil {
			return err
		}
		e.Measures = append(e.Measures, m)
	}
	e.Squares, e.Products = s.squares, s.products
	if !f.Changed("null") {
		e.Nulls = nil
	}
	return nil
}

// csvSafeFlag adds the flag of verbs that write tables in the clear.
func csvSafeFlag(f *pflag.FlagSet, safe *bool) {
	f.BoolVar(safe, "csv-safe", false, "in CSV and TSV, put ' before texts that a spreadsheet would take for formulas")
}

// furtherFlags adds the flags of columns that a result has when they are asked for.
func furtherFlags(f *pflag.FlagSet, s *stats.Further) {
	f.StringArrayVar(&s.Ratios, "ratio", nil, "`NAME=A/B...` add a column: the sum of measure A divided by that of B")
	f.BoolVar(&s.Intervals, "ratio-interval", false, "also its 95% interval: NAME_low and NAME_high")
	f.BoolVar(&s.Errors, "errors", false, "add standard deviation and error of measures with a square: NAME_sd, NAME_se")
	f.StringArrayVar(&s.Weighted, "weighted-mean", nil, "`NAME=X*W...` add the mean of X weighted by W, whose product was encrypted")
	f.StringArrayVar(&s.Regressions, "regress", nil, "`Y~X1+X2...` add a linear regression: coefficients, standard errors, P, R², from products")
}

// keyOptions say which key a verb works with.
type keyOptions struct {
	file, passphraseFile string
}

// AddFlags adds a flag for each option.
func (o *keyOptions) AddFlags(f *pflag.FlagSet, usage string) {
	f.StringVar(&o.file, "key", "", usage)
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "`FILE` its first line is the passphrase of secret.age")
}

// signOptions are who signs a table.
type signOptions struct{ file, passphraseFile string }

// AddFlags adds the flags that say who signs.
func (o *signOptions) AddFlags(f *pflag.FlagSet, usage string) {
	f.StringVar(&o.file, "sign", "", usage)
	f.StringVar(&o.passphraseFile, "sign-passphrase-file", "", "`FILE` its first line is the passphrase of the key of --sign")
}

// reader returns how to read the key; nil when nobody is to sign.
func (o *signOptions) reader(a *app) func(context.Context) (*trust.Signer, error) {
	if o.file == "" {
		return nil
	}
	var signer *trust.Signer
	return func(ctx context.Context) (_ *trust.Signer, err error) {
		if signer == nil {
			a.warnOfReaders(ctx, "the key that signs", o.file)
			signer, err = trust.ReadSigner(ctx, a.unwatched(false).Files(), o.file, a.passphrase(ctx, o.passphraseFile))
		}
		return signer, err
	}
}

// read reads the key.
func (o *keyOptions) read(ctx context.Context, a *app) (keys.Key, error) {
	k, err := keys.Read(ctx, a.unwatched(false).Files(), o.file, true, a.passphrase(ctx, o.passphraseFile))
	if err == nil && k.Secret != nil {
		a.warnOfReaders(ctx, "the secret key", o.file)
	}
	return k, err
}

// warnOfReaders warns, once, of a secret that others than the owner of its file can read or change. What is encrypted under a
// passphrase they may read. Stores, and systems without such modes, are not asked.
func (a *app) warnOfReaders(ctx context.Context, what, name string) {
	const others = 0o077
	files := a.unwatched(false).Files()
	id, err := blob.Identify(ctx, files, name)
	if err != nil || runtime.GOOS == "windows" || slices.Contains(a.warned, id.Key()) {
		return
	}
	info, err := os.Stat(id.Path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&others == 0 || keys.Sealed(ctx, files, name) {
		return
	}
	a.warned = append(a.warned, id.Key())
	a.log.Warn("other users can read "+what+" or change it; chmod 600 keeps it to you", "file", name, "mode", info.Mode().Perm())
}

// emptyMeans are the flags to which nothing is a value: --by ” is one total, and --null ” says that empty cells are missing. To
// all others it would mean what leaving them out means, which is mostly everything, and who writes --samples "$PEOPLE" does not
// mean everybody when the variable is not set.
var emptyMeans = []string{"by", "null"}

// isEmpty reports whether a flag is given nothing, or a list with nothing among its values.
func isEmpty(flag string, values []string) bool {
	if flag == "by" {
		return len(values) > 1 && slices.Contains(values, "")
	}
	return len(values) == 0 || !slices.Contains(emptyMeans, flag) && slices.ContainsFunc(values, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// hintEmpty is what to do about a flag that is given nothing.
const hintEmpty = "Give it a value, or leave it out."

// refuseEmpty refuses flags that were given nothing.
func refuseEmpty(flags *pflag.FlagSet) error {
	var failed error
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		} else if f.Name == "by" {
			values = strings.Split(values[0], ",")
		}
		if failed == nil && isEmpty(f.Name, values) {
			failed = &commandLineError{fmt.Errorf("%s is empty", fieldOf(f.Name)), hintEmpty}
		}
	})
	return failed
}
