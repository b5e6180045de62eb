package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/bench/biobank"
)

func (a *app) benchBiobankCommand() *cobra.Command {
	var o biobank.Options
	cmd := &cobra.Command{
		Use:   "biobank",
		Short: "A study of many biobanks from VCF files to allele frequencies: seconds and bytes per variant",
		Long: `Make synthetic VCF files, one of each owner, with the same variants and other people; encrypt every owner's allele
counts (AC) and allele numbers (AN) in blocks, fuse them, decrypt allele frequencies, and compare every variant with the
plain counts. Each step is a process of its own. The million variants of eight owners that are the default take some
minutes and a few hundred megabytes.`,
		Example: `  cipherfold bench biobank
  cipherfold bench biobank --variants 10000 --owners 3 --samples 50 --dir study
  cipherfold bench biobank --variant mhl --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Dir != "" {
				if err := makeDirectory(o.Dir); err != nil {
					return err
				}
			}
			if _, err := keyKind(o.Variant, o.Bits, o.TestKey); err != nil {
				return err
			}
			o.Threads, o.Memory, o.Kernel, o.Log = a.threads, int64(a.memory), a.kernel, a.log
			r, err := biobank.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { r.Print(w) })
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Variants, "variants", 1_000_000, "`N` variants")
	f.IntVar(&o.Owners, "owners", 8, "`N` owners")
	f.IntVar(&o.Samples, "samples", 100, "`N` samples of each owner")
	f.IntVar(&o.Bits, "bits", 3072, "`N` key size")
	f.StringVar(&o.Variant, "variant", "djn", "`NAME` key variant: djn, mhl or textbook")
	f.Uint64Var(&o.Seed, "seed", 1, "`N` makes the files what they are")
	f.StringVar(&o.Dir, "dir", "", "`DIR` directory for the files, which stay there (default: a temporary one)")
	f.BoolVar(&o.TestKey, "insecure-test-key", false, "allow fewer than 2048 bits")
	return cmd
}
