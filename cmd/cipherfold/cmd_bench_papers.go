package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/bench/papers"
	"github.com/cipherfold/cipherfold/bench/papers/paper2"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

func (a *app) benchPapersCommand() *cobra.Command {
	var (
		o         papers.Options
		paper     int
		out, from string
		overwrite bool
		largest   int
		raw       benchOutput
	)
	cmd := &cobra.Command{
		Use:   "papers --paper 1|2 [--out DIR]",
		Short: "Repeat a published experiment and write a report of what it should have shown",
		Long: `Repeat the experiments of a paper: its tables computed anew, its figures measured, its mistakes shown. Paper 1 is
"Genomic Data Fusion using Paillier Cryptosystem" (Shobha and Nalini, 2024), paper 2 "Privacy Protection for Wireless
Medical Sensor Data" (Yi et al., 2016). DIR gets one self-contained HTML page, its numbers as CSV, and the raw results
as JSON, from which --from draws the page again.

With the defaults paper 1, of which every step is a process of its own, takes several minutes on 2 cores, and paper 2
much longer; keep the machine quiet. For paper 2, --rows is the n of its TABLE 1 (10,000), --largest how far the growth
of this program's own protocols is measured (1,000,000 records), --bits N the size of their keys (2048 and 3072), and
--json FILE|DIR keeps the table for BENCHMARKS.md.`,
		Example: `  cipherfold bench papers --paper 1 --out paper1
  cipherfold bench papers --paper 1 --out draft --quick
  cipherfold bench papers --paper 1 --out paper1 --from paper1/paper1.json --overwrite
  cipherfold bench papers --paper 2 --out paper2 --json bench/results
  cipherfold bench papers --paper 2 --out draft2 --quick`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if paper != 1 && paper != 2 {
				return &commandLineError{fmt.Errorf("no experiments of paper %d", paper), "There are --paper 1 and --paper 2."}
			}
			if !cmd.Flags().Changed("out") {
				out = fmt.Sprintf("paper%d", paper)
			}
			if paper == 2 {
				return a.secondPaper(cmd, o, largest, out, from, overwrite, &raw)
			}
			if raw.json != "" && raw.json != jsonToStdout || cmd.Flags().Changed("largest") {
				return &commandLineError{errors.New("--json FILE and --largest are for --paper 2"), "Leave them out."}
			}
			if raw.json == jsonToStdout {
				a.json = true
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
	raw.flag(cmd)
	f := cmd.Flags()
	f.IntVar(&paper, "paper", 1, "`N` which paper")
	f.StringVar(&out, "out", "paper1", "`DIR` directory for the report")
	f.StringVar(&from, "from", "", "`FILE` draw the report of these raw results instead of measuring")
	f.IntVar(&o.Records, "rows", papers.RecordsDefault, "`N` records of each source, at most")
	f.IntVar(&o.Sources, "sources", papers.SourcesDefault, "`N` sources, at most")
	f.IntVar(&o.Bits, "bits", papers.BitsDefault, "`N` key size")
	f.IntVar(&largest, "largest", paper2.LargestDefault, "`N` records of the largest run of paper 2")
	f.BoolVar(&o.Quick, "quick", false, "few and small runs, measured once, to try the report")
	f.BoolVar(&o.TestKey, "insecure-test-key", false, "allow fewer than 2048 bits")
	f.BoolVar(&overwrite, "overwrite", false, "replace a report that exists")
	return cmd
}

// secondPaper measures TABLE 1 of the second paper, or reads what was measured before, and writes its report.
func (a *app) secondPaper(cmd *cobra.Command, first papers.Options, largest int, out, from string, overwrite bool, raw *benchOutput) error {
	if err := raw.check(a); err != nil {
		return err
	}
	if cmd.Flags().Changed("sources") {
		return &commandLineError{errors.New("--sources is for --paper 1"), "Leave it out."}
	}
	if from == "" && cmd.Flags().Changed("bits") { // asked before keys are made
		if _, err := keyKind(string(paillier.DJN), first.Bits, first.TestKey); err != nil {
			return err
		}
	}
	o := paper2.Options{Threads: a.threads, Kernel: a.kernel, Quick: first.Quick, TestKey: first.TestKey, Log: a.log}
	for flag, f := range map[string]func(){
		"rows":    func() { o.Records = first.Records },
		"largest": func() { o.Largest = largest },
		"bits":    func() { o.Ours = []int{first.Bits} },
	} {
		if cmd.Flags().Changed(flag) {
			f()
		}
	}
	if err := makeDirectory(out); err != nil {
		return err
	}
	var r *paper2.Result
	var err error
	if from == "" {
		r, err = paper2.Run(cmd.Context(), o)
	} else {
		r, err = paper2.ReadFile(cmd.Context(), from)
	}
	if err != nil {
		return err
	}
	page, err := r.Write(cmd.Context(), out, overwrite)
	if err != nil {
		return err
	}
	if raw.json != "" {
		return raw.write(cmd, a, r.File())
	}
	return a.print(map[string]any{"out": page}, func(w io.Writer) { fmt.Fprintln(w, page) })
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
