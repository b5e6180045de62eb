package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/kernelbench"
	"github.com/cipherfold/cipherfold/bench/pipeline"
	"github.com/cipherfold/cipherfold/bench/render"
	"github.com/cipherfold/cipherfold/bench/spill"
)

func init() {
	registerCommand(190, (*app).benchCommand)
}

func (a *app) benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench kernels|pipeline|spill|timing|papers|biobank|render",
		Short: "Measure the kernels and whole jobs on this machine, beside other libraries",
		Long: `Measure this machine. kernels times every operation of every arithmetic kernel, and math/big, GMP and OpenSSL in
the same run; pipeline times whole jobs from Parquet to Parquet; timing tests whether times depend on secrets; papers
repeats a published experiment; biobank times a study of VCF files; render writes BENCHMARKS.md
from the results kept under bench/results.`,
		Example: "  cipherfold bench kernels --bits 3072\n  cipherfold bench pipeline --rows 100000 --variant mhl",
		RunE:    func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	for _, c := range []*cobra.Command{a.benchKernelsCommand(), a.benchPipelineCommand(), a.benchTimingCommand(), a.benchSpillCommand(), a.benchPapersCommand(), a.benchBiobankCommand(), a.benchRenderCommand(), a.benchPaperStepCommand()} {
		cmd.AddCommand(c)
	}
	return cmd
}

// benchOutput is where results go: tables to standard output, or with --json the result file instead; with --json FILE
// tables to standard output and the result file to FILE, or under a telling name into FILE when that is a directory.
type benchOutput struct {
	json string
}

// jsonToStdout is the value of --json without a file.
const jsonToStdout = "-"

func (o *benchOutput) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.json, "json", "", "`[FILE]` write raw results as JSON: to a new file, into a directory under a telling name, or to standard output")
	cmd.Flags().Lookup("json").NoOptDefVal = jsonToStdout
	// --json may come without its value, so pflag takes the value of "--json FILE" for an argument.
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if o.json == jsonToStdout && len(args) > 0 {
			o.json, args = args[0], args[1:]
		}
		return noArguments(cmd, args)
	}
}

// check refuses an impossible output before anything is measured.
func (o *benchOutput) check(a *app) error {
	if o.json == "" || o.json == jsonToStdout {
		a.json = o.json != ""
		return nil
	}
	if err := bench.Target(o.json).Check(); err != nil {
		return &commandLineError{fmt.Errorf("--json: %w", err), "Name a new file or an existing directory."}
	}
	return nil
}

func (o *benchOutput) write(cmd *cobra.Command, a *app, f *bench.File) error {
	if a.json {
		_, err := a.out.Write(f.Marshal())
		return err
	}
	render.Print(a.out, f)
	if o.json == "" {
		return nil
	}
	name, err := bench.Target(o.json).Save(cmd.Context(), f, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "\nraw results  %s\n", name)
	return err
}

// benchSizes is the flag that both measurements share.
func benchSizes(cmd *cobra.Command, bits *[]int, peers, insecure *bool) {
	f := cmd.Flags()
	f.IntSliceVar(bits, "bits", []int{2048, 3072}, "`N[,N]` key sizes")
	f.BoolVar(peers, "peers", false, "measure GMP and OpenSSL too, if this program was built with -tags peers; math/big always")
	f.BoolVar(insecure, "insecure-test-key", false, "allow fewer than 2048 bits")
}

func (a *app) benchKernelsCommand() *cobra.Command {
	var o kernelbench.Options
	var out benchOutput
	cmd := &cobra.Command{
		Use:   "kernels",
		Short: "Operations per second and core of every kernel, and of other libraries in the same run",
		Long: `Measure encryption, decryption, sums, products, weighted sums, re-randomization, key generation and bare modular
multiplication with every arithmetic kernel that this machine can run (or the one of --kernel), on one core, in turn
with other libraries. Rates are per second of that core's time.`,
		Example: `  cipherfold bench kernels --bits 3072
  cipherfold bench kernels --bits 2048,3072 --seconds 3 --peers --json bench/results`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(a); err != nil {
				return err
			}
			o.Kernel, o.Log = a.kernel, a.log
			f, err := kernelbench.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			return out.write(cmd, a, f)
		},
	}
	out.flag(cmd)
	benchSizes(cmd, &o.Bits, &o.Peers, &o.TestKey)
	cmd.Flags().Float64Var(&o.Seconds, "seconds", kernelbench.SecondsDefault, "`S` time for each operation by each implementation, over all rounds")
	cmd.Flags().IntVar(&o.Rounds, "rounds", kernelbench.RoundsDefault, "`N` turns that each takes")
	return cmd
}

func (a *app) benchPipelineCommand() *cobra.Command {
	var o pipeline.Options
	var out benchOutput
	cmd := &cobra.Command{
		Use:   "pipeline",
		Short: "Whole jobs from Parquet to Parquet: time, memory, share of the kernels",
		Long: `Make Parquet tables of random 32-bit values in a temporary directory; encrypt each owner's, fuse them, decrypt the
result and compare it with the plain sums, each step in a process of its own. All combinations of layouts, variants
and key sizes are measured; of several rounds, the one with the median time is reported. The peers do textbook
encryptions on as many cores before and after each round.`,
		Example: `  cipherfold bench pipeline --rows 100000 --variant mhl
  cipherfold bench pipeline --rows 1000000 --variant djn,mhl --bits 2048,3072 --peers --json bench/results`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(a); err != nil {
				return err
			}
			o.Threads, o.Memory, o.Kernel, o.Log = a.threads, int64(a.memory), a.kernel, a.log
			f, err := pipeline.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			return out.write(cmd, a, f)
		},
	}
	out.flag(cmd)
	benchSizes(cmd, &o.Bits, &o.Peers, &o.TestKey)
	f := cmd.Flags()
	f.IntVar(&o.Rows, "rows", 1_000_000, "`N` rows of each owner's table")
	f.IntSliceVar(&o.Measures, "measures", []int{1}, "`N[,N]` measures of each row; several take --layout records, and are fused by group")
	f.IntVar(&o.Owners, "owners", 2, "`N` owners")
	f.StringSliceVar(&o.Layouts, "layout", []string{"blocks"}, "`NAME[,NAME]` blocks, records or both")
	f.StringSliceVar(&o.Variants, "variant", []string{"djn"}, "`NAME[,NAME]` key variants: djn, mhl, textbook")
	f.IntVar(&o.Rounds, "rounds", pipeline.RoundsDefault, "`N` times that everything is run")
	f.Float64Var(&o.Seconds, "seconds", pipeline.PeerSecondsDefault, "`S` time for each peer before and after each round")
	return cmd
}

func (a *app) benchSpillCommand() *cobra.Command {
	var o spill.Options
	var out benchOutput
	var memory bytesFlag
	cmd := &cobra.Command{
		Use:   "spill",
		Short: "A fusion by group whose groups outgrow the memory, beside the same one in much memory",
		Long: `Make owners' encrypted tables of two measures in the records layout, and fuse them by their key, with the memory of
--budget and with more than is needed, each as a process of its own whose time and peak of memory are taken. The
results must be the same bytes, and every group's decrypted sums and counts equal plain ones. The tables are made of
65 536 encryptions under one key, which they repeat. For --rows 20000000 of 2 owners at 2048 bits they take 21 GB,
and the fusion as much again for a while.`,
		Example: `  cipherfold bench spill --rows 100000 --budget 96MiB
  cipherfold bench spill --rows 1000000,5000000,20000000 --budget 1GiB --dir /data --json bench/results`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(a); err != nil {
				return err
			}
			o.Memory, o.Threads, o.Log = int64(memory), a.threads, a.log
			f, err := spill.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			return out.write(cmd, a, f)
		},
	}
	out.flag(cmd)
	memory = 1 << 30
	f := cmd.Flags()
	f.IntSliceVar(&o.Rows, "rows", []int{1_000_000}, "`N[,N]` rows of each owner's table")
	f.IntVar(&o.RowsPerKey, "rows-per-key", 4, "`N` rows of each owner for each key")
	f.IntVar(&o.Owners, "owners", 2, "`N` owners")
	f.IntVar(&o.Bits, "bits", 2048, "`N` size of the key")
	f.StringVar(&o.Order, "order", bench.OrderRandom, "`NAME` of the rows: random, cyclic, sorted or skewed")
	f.Var(&memory, "budget", "`SIZE` --memory of the fusion that is measured")
	f.IntVar(&o.Rounds, "rounds", 1, "`N` times that everything is run")
	f.StringVar(&o.Dir, "dir", "", "`DIR` for the tables (default: the system's directory for temporary files)")
	f.BoolVar(&o.TestKey, "insecure-test-key", false, "allow fewer than 2048 bits")
	return cmd
}

func (a *app) benchRenderCommand() *cobra.Command {
	var results, out string
	cmd := &cobra.Command{
		Use:     "render",
		Short:   "Write BENCHMARKS.md from the newest results of each kind",
		Example: "  cipherfold bench render",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := render.Markdown(os.DirFS(results))
			if err != nil {
				return err
			}
			if err := os.WriteFile(out, text, 0o644); err != nil {
				return err
			}
			return a.print(map[string]any{"out": out}, func(w io.Writer) { fmt.Fprintln(w, out) })
		},
	}
	cmd.Flags().StringVar(&results, "results", render.ResultsDir, "`DIR` result files")
	cmd.Flags().StringVar(&out, "out", render.Document, "`FILE` document to write")
	return cmd
}
