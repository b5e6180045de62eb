package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/bench/timing"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

func (a *app) benchTimingCommand() *cobra.Command {
	var o timing.Options
	var out benchOutput
	var variants []string
	cmd := &cobra.Command{
		Use:   "timing",
		Short: "Test whether the time of encryption and decryption depends on their secrets",
		Long: `Time encryption, decryption and their exponentiations for a fixed secret and for random ones, in random order, and
compare the two by Welch's t-test, as dudect does; and test that the same comparison finds the functions that are not
constant time, which get public values only. Exit code 1 when a |t| above 4.5 says that a constant-time operation is
none, or one below that a variable-time one passes for constant.

Keys of up to 1024 bits, which protect nothing and are made for this test alone, get all the measurements; longer ones,
for which the same code runs longer, get a twentieth. Nothing else should run on the core meanwhile.`,
		Example: `  cipherfold bench timing --measurements 50000 --variant djn
  chrt -f 50 taskset -c 1 cipherfold bench timing --json bench/results`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(a); err != nil {
				return err
			}
			if cmd.Flags().Changed("measurements") && o.Measurements == 0 {
				return &commandLineError{fmt.Errorf("--measurements 0 measures nothing"), "Leave it out for the default."}
			}
			for _, v := range variants {
				o.Variants = append(o.Variants, paillier.Variant(v))
			}
			o.Kernel, o.Log = a.kernel, a.log
			f, err := timing.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := out.write(cmd, a, f); err != nil {
				return err
			}
			a.answered = true
			return timing.Error(f)
		},
	}
	out.flag(cmd)
	f := cmd.Flags()
	f.IntSliceVar(&o.Bits, "bits", timing.BitsDefault, "`N[,N]` key sizes")
	f.StringSliceVar(&variants, "variant", []string{"djn", "mhl"}, "`NAME[,NAME]` key variants: djn, mhl")
	f.IntVar(&o.Measurements, "measurements", timing.MeasurementsDefault, "`N` measurements of each operation with keys of up to 1024 bits")
	f.Float64Var(&o.Seconds, "seconds", 0, "`S` most time for each operation (default: as long as it takes)")
	return cmd
}
