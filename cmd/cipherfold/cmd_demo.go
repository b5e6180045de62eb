package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func init() {
	registerCommand(160, (*app).demoCommand)
}

func (a *app) demoCommand() *cobra.Command {
	var rows, bits int
	var dir, variant string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Three synthetic hospitals, all steps, every result checked",
		Long: `Make three synthetic hospitals whose records miss different values, run every step of both layouts on them
(keygen, encrypt, fuse without a key, decrypt), compare every result with the plain computation, and say what
each party saw.`,
		Example: "  cipherfold demo\n  cipherfold demo --rows 5000 --dir demo-files",
		RunE: func(cmd *cobra.Command, args []string) error {
			if rows < 10 {
				return &commandLineError{fmt.Errorf("--rows %d is fewer than 10", rows), "Give 10 or more."}
			}
			if _, err := keyKind(variant, bits, false); err != nil {
				return err
			}
			if dir == "" {
				temp, err := os.MkdirTemp("", "cipherfold-demo-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(temp)
				dir = temp
			} else if err := emptyDirectory(dir); err != nil {
				return err
			}
			d := &demo{app: a, ctx: cmd.Context(), dir: dir, rows: rows, variant: variant, bits: bits}
			if err := d.run(); err != nil {
				return err
			}
			return a.print(d.result, d.write)
		},
	}
	f := cmd.Flags()
	f.IntVar(&rows, "rows", 500, "`N` patients of each hospital")
	f.StringVar(&dir, "dir", "", "`DIR` new or empty directory to keep all files in (default: a temporary one, removed at the end)")
	f.StringVar(&variant, "variant", "djn", "`NAME` key variant: djn, mhl or textbook")
	f.IntVar(&bits, "bits", 3072, "`N` key size: 2048, 3072 or 4096")
	return cmd
}

// emptyDirectory makes a directory, or takes one without files: the demo must not replace anyone's keys.
func emptyDirectory(dir string) error {
	if err := makeDirectory(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return &outputError{dir, "the directory is not empty", "Name a new directory."}
	}
	return nil
}

// write prints the demo's report.
func (d *demo) write(w io.Writer) {
	r := &d.result
	fmt.Fprintf(w, "Three hospitals, %d patients each, one study. Key: %s, %d bits, kernel %s.\n\n", d.rows, d.variant, d.bits, r.Kernel)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "step\twho\twhat\tseconds\tvalues/s")
	for _, s := range r.Steps {
		perSecond := ""
		if s.Values > 0 {
			perSecond = thousands(int64(float64(s.Values) / max(s.Seconds, 1e-9)))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%s\n", s.Step, s.Who, s.What, s.Seconds, perSecond)
	}
	t.Flush()

	fmt.Fprintf(w, "\nVital signs by ward, all hospitals together (layout records, --by ward):\n\n")
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "ward\tHR values\tHR mean\tHR variance\tSysABP values\tSysABP mean\tcorrelation\tequal to plain\t")
	for _, x := range r.Wards {
		fmt.Fprintf(t, "%s\t%d\t%.3f\t%.3f\t%d\t%.3f\t%+.4f\t%s\t\n", x.Ward, x.HR.N, x.HR.Mean, x.HR.Var, x.SysABP.N, x.SysABP.Mean, x.Cor, yes(x.Equal))
	}
	t.Flush()
	fmt.Fprintf(w, "\nAllele counts of %d variants (layout blocks, one reference list): %d of %d sums and counts equal to plain.\n",
		r.Variants, r.VariantsEqual, r.Variants)

	fmt.Fprintf(w, "\nWhat each party saw\n")
	for _, s := range r.Saw {
		fmt.Fprintf(w, "  %-12s %s\n", s.Who, s.What)
	}
	fmt.Fprintf(w, "\n%s\n", r.Verdict)
	if !strings.HasPrefix(filepath.Base(d.dir), "cipherfold-demo-") {
		fmt.Fprintf(w, "Files are in %s\n", d.dir)
	}
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}
