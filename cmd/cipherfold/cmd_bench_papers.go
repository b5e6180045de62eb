package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/bench/papers"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

func (a *app) benchPapersCommand() *cobra.Command {
	var (
		o         papers.Options
		paper     int
		out, from string
		overwrite bool
	)
	cmd := &cobra.Command{
		Use:   "papers --paper 1 [--out DIR]",
		Short: "Repeat a published experiment and write a report of what it should have shown",
		Long: `Repeat the experiments of a paper: its tables computed anew, its figures measured, its mistakes shown. Paper 1 is
"Genomic Data Fusion using Paillier Cryptosystem" (Shobha and Nalini, 2024). DIR gets one self-contained HTML page,
its numbers as CSV, and the raw results as JSON, from which --from draws the page again.

Every step is a process of its own. With the defaults this takes several minutes on 2 cores; keep the machine quiet.`,
		Example: `  cipherfold bench papers --paper 1 --out paper1
  cipherfold bench papers --paper 1 --out draft --quick
  cipherfold bench papers --paper 1 --out paper1 --from paper1/paper1.json --overwrite`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if paper != 1 {
				return &commandLineError{fmt.Errorf("no experiments of paper %d", paper), "There is --paper 1."}
			}
			if from == "" { // asked before a step, which makes a key, is started
				if _, err := keyKind(string(paillier.DJN), o.Bits, o.TestKey); err != nil {
					return err
				}
			}
			if err := makeDirectory(out); err != nil {
				return err
			}
			r, err := a.paper(cmd, o, from)
			if err != nil {
				return err
			}
			page, err := r.Write(cmd.Context(), out, overwrite)
			if err != nil {
				return err
			}
			return a.print(map[string]any{"out": page}, func(w io.Writer) { fmt.Fprintln(w, page) })
		},
	}
	f := cmd.Flags()
	f.IntVar(&paper, "paper", 1, "`N` which paper")
	f.StringVar(&out, "out", "paper1", "`DIR` directory for the report")
	f.StringVar(&from, "from", "", "`FILE` draw the report of these raw results instead of measuring")
	f.IntVar(&o.Records, "rows", papers.RecordsDefault, "`N` records of each source, at most")
	f.IntVar(&o.Sources, "sources", papers.SourcesDefault, "`N` sources, at most")
	f.IntVar(&o.Bits, "bits", papers.BitsDefault, "`N` key size")
	f.BoolVar(&o.Quick, "quick", false, "few and small runs, measured once, to try the report")
	f.BoolVar(&o.TestKey, "insecure-test-key", false, "allow fewer than 2048 bits")
	f.BoolVar(&overwrite, "overwrite", false, "replace a report that exists")
	return cmd
}

// paper measures, or reads what was measured before.
func (a *app) paper(cmd *cobra.Command, o papers.Options, from string) (*papers.Result, error) {
	if from == "" {
		for flag, value := range map[string]*int{"rows": &o.Records, "sources": &o.Sources} {
			if !cmd.Flags().Changed(flag) {
				*value = 0 // --quick has smaller defaults
			}
		}
		o.Threads, o.Log = a.threads, a.log
		return papers.Paper1(cmd.Context(), o)
	}
	return papers.ReadFile(cmd.Context(), from)
}

// benchPaperStepCommand is what processes of an experiment are started as.
func (a *app) benchPaperStepCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "paper-step JSON",
		Short:  "One step of an experiment of a paper",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := papers.Step(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return json.NewEncoder(a.out).Encode(v)
		},
	}
}
