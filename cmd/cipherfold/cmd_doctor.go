package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/inspect"
)

func init() {
	registerCommand(180, (*app).doctorCommand)
}

func (a *app) doctorCommand() *cobra.Command {
	var quick bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can do and which arithmetic is used, and why",
		Example: `  cipherfold doctor
  cipherfold doctor --json --quick`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := inspect.Diagnose(cmd.Context(), a.options(false), quick)
			if err != nil {
				return err
			}
			return a.print(d, func(w io.Writer) {
				fmt.Fprintf(w, "%s, %d cores, %s\nfeatures  %v\n", d.CPU, d.Cores, d.Go, d.Features)
				if d.Switch != "" {
					fmt.Fprintf(w, "%s is in force: it switches features off, of which these are left\n", d.Switch)
				}
				fmt.Fprintln(w)
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, k := range d.Kernels {
					mark := " "
					if k.Name == d.Chosen {
						mark = "*"
					}
					fmt.Fprintf(t, "%s kernel %s\t%s\n", mark, k.Name, k.Why)
				}
				t.Flush()
				if len(d.Estimates) == 0 {
					return
				}
				fmt.Fprintln(w, "\nciphertexts per second and core, measured now, and the memory of the tables of powers")
				t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
				fmt.Fprintln(t, "key\tencrypt\tencrypt as owner\tfold\tdecrypt\ttables\tas owner\t")
				for _, e := range d.Estimates {
					fmt.Fprintf(t, "%s %d\t%s\t%s\t%s\t%s\t%s\t%s\t\n", e.Variant, e.Bits, perSecond(e.Encrypt), perSecond(e.EncryptOwner),
						perSecond(e.Fold), perSecond(e.Decrypt), bytesText(float64(e.TableBytes)), bytesText(float64(e.OwnerBytes)))
				}
				t.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "no measurement")
	return cmd
}

func perSecond(x float64) string {
	if x < 100 {
		return fmt.Sprintf("%.1f", x)
	}
	return thousands(int64(x))
}
