package main

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/inspect"
)

func init() {
	registerCommand(170, (*app).selftestCommand)
}

func (a *app) selftestCommand() *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "selftest [--vectors FILE...]",
		Short: "Check known answers with every arithmetic kernel of this machine",
		Long: `Check known answers with every arithmetic kernel that this machine can run: a built-in set, and files of the
format paillier-vectors-1. Every entry of the textbook, djn, mhl, protocol and encoding files is computed and compared;
sections that this version does not implement (threshold keys) are reported as not checked.`,
		Example: "  cipherfold selftest\n  cipherfold selftest --vectors vectors/*.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := inspect.Selftest(cmd.Context(), a.options(false), files)
			if err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) {
				for _, f := range s.Files {
					fmt.Fprintf(w, "%s\n", f.File)
					if len(f.Checked) > 0 {
						fmt.Fprintf(w, "  checked      %s\n", counts(f.Checked))
					}
					if len(f.NotChecked) > 0 {
						fmt.Fprintf(w, "  not checked  %s\n", strings.Join(f.NotChecked, ", "))
					}
				}
				fmt.Fprintf(w, "%d entries of %d files checked with kernels %s: all right\n", s.Entries, len(s.Files), strings.Join(s.Kernels, ", "))
			})
		},
	}
	cmd.Flags().StringArrayVar(&files, "vectors", nil, "`FILE...` known answers")
	return cmd
}

// counts lists sections and their numbers of entries, in order of their names.
func counts(m map[string]int) string {
	var out []string
	for name, n := range m {
		out = append(out, fmt.Sprintf("%s %d", name, n))
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}
