package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/peers"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Options say what Run measures: every combination of layout, variant, size and number of measures.
type Options struct {
	Rows     int   // of each owner
	Measures []int // of each row; nil is one. Tables of several are in the layout records and fused by group
	Owners   int
	Layouts  []string
	Variants []string
	Bits     []int
	Threads  int     // of each process; 0 means all cores
	Memory   int64   // budget of each process; 0 means job.MemoryDefault
	Kernel   string  // "" means the best available
	Rounds   int     // the median of so many is reported; 0 means PipelineRoundsDefault
	Seconds  float64 // for a peer, before and after each round; 0 means PeerSecondsDefault
	Peers    bool    // the libraries behind the build tag too; math/big always
	TestKey  bool    // allow fewer than 2048 bits
	Program  string  // cipherfold; "" means this process's own

	Log *slog.Logger // nil discards
}

// Defaults of PipelineOptions.
const (
	measuresMax        = 65_000 // as many columns as Parquet files have here
	RoundsDefault      = 3
	PeerSecondsDefault = 2
)

// Run measures whole jobs, from Parquet to Parquet: each owner encrypts a table of 32-bit values, all are fused, the
// result is decrypted and compared with the plain sums. Every step is a process of its own, whose peak of memory is the
// step's. In the same run the peers do textbook encryptions on as many cores, before and after each round.
func Run(ctx context.Context, o Options) (*bench.File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	libraries, err := peers.Chosen(o.Peers, o.Log)
	if err != nil {
		return nil, err
	}
	bench.WarnUnknownCommit(o.Log)
	dir, err := os.MkdirTemp("", "cipherfold-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	o.Log.Info("making tables", "rows", o.Rows, "owners", o.Owners)
	for owner := range o.Owners {
		for _, measures := range o.Measures {
			p := &path{measures: measures}
			if p.wide() {
				err = writeWide(ctx, p.input(dir, owner), owner, o.Rows, measures)
			} else {
				err = writeInput(ctx, p.input(dir, owner), owner, o.Rows)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	f := &bench.File{Version: bench.FileVersion, Machine: bench.ThisMachine(), Results: []bench.Result{}, Pipeline: []bench.Stage{}}
	f.Machine.Cores = bench.CoresUsed(o.Threads)
	for _, bits := range o.Bits {
		stages, results, err := o.size(ctx, dir, bits, libraries)
		if err != nil {
			return nil, err
		}
		f.Pipeline = append(f.Pipeline, stages...)
		f.Results = append(f.Results, results...)
	}
	return f, nil
}

func (o *Options) check() error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rounds == 0 {
		o.Rounds = RoundsDefault
	}
	if o.Seconds == 0 {
		o.Seconds = PeerSecondsDefault
	}
	if o.Memory == 0 {
		o.Memory = job.MemoryDefault
	}
	if o.Program == "" {
		var err error
		if o.Program, err = os.Executable(); err != nil {
			return err
		}
	}
	if o.Measures == nil {
		o.Measures = []int{1}
	}
	for _, n := range o.Measures {
		if n < 1 || n > measuresMax {
			return &job.UsageError{Cause: fmt.Sprintf("%d measures", n), Hint: fmt.Sprintf("There can be 1 to %d.", measuresMax)}
		}
		if n > 1 && slices.Contains(o.Layouts, slots.Blocks) {
			return &job.UsageError{Cause: "tables of several measures are measured in the layout records", Hint: "Give --layout records."}
		}
	}
	if o.Rows < 1 || o.Owners < 1 || o.Rounds < 1 || o.Seconds < 0 {
		return &job.UsageError{Cause: fmt.Sprintf("%d rows of %d owners in %d rounds, %v seconds for peers", o.Rows, o.Owners, o.Rounds, o.Seconds), Hint: "All must be positive."}
	}
	for _, x := range []struct {
		what        string
		given, have []string
	}{{"layout", o.Layouts, bench.Layouts}, {"variant", o.Variants, bench.Variants}} {
		if len(x.given) == 0 {
			return &job.UsageError{Cause: "no " + x.what, Hint: fmt.Sprintf("There are %v.", x.have)}
		}
		for _, name := range x.given {
			if !slices.Contains(x.have, name) {
				return &job.UsageError{Cause: fmt.Sprintf("unknown %s %q", x.what, name), Hint: fmt.Sprintf("There are %v.", x.have)}
			}
		}
	}
	if len(o.Bits) == 0 {
		return &job.UsageError{Cause: "no key size", Hint: "Give --bits 2048,3072."}
	}
	return nil
}

func inputName(owner int) string { return "owner" + strconv.Itoa(owner) + ".parquet" }

// path is one combination and the results of its rounds.
type path struct {
	layout, keys string
	measures     int
	variant      paillier.Variant
	rounds       [][]bench.Stage
}

// size measures all combinations with keys of one size.
func (o *Options) size(ctx context.Context, dir string, bits int, libraries []peers.Library) (stages []bench.Stage, results []bench.Result, err error) {
	var paths []*path
	var key *paillier.SecretKey
	for _, name := range o.Variants {
		variant := paillier.Variant(name)
		keys := filepath.Join(dir, fmt.Sprintf("%s-%d", name, bits))
		if key, err = o.writeKey(ctx, keys, variant, bits); err != nil {
			return nil, nil, err
		}
		for _, layout := range o.Layouts {
			for _, measures := range o.Measures {
				paths = append(paths, &path{layout: layout, variant: variant, keys: keys, measures: measures})
			}
		}
	}
	contest, err := newContest(ctx, key, libraries, bench.CoresUsed(o.Threads))
	if err != nil {
		return nil, nil, err
	}
	defer contest.free()
	for round := range o.Rounds {
		if err := contest.measure(ctx, o.Seconds); err != nil {
			return nil, nil, err
		}
		for _, p := range paths {
			o.Log.Info("running", "bits", bits, "variant", p.variant, "layout", p.layout, "measures", p.measures, "round", round+1, "of", o.Rounds)
			s, err := o.run(ctx, dir, p, bits)
			if err != nil {
				return nil, nil, err
			}
			p.rounds = append(p.rounds, s)
		}
		if err := contest.measure(ctx, o.Seconds); err != nil {
			return nil, nil, err
		}
	}
	for _, p := range paths {
		stages = append(stages, medianRound(p.rounds)...)
	}
	return stages, contest.results(), nil
}

// writeKey makes a key and puts its files into a directory.
func (o *Options) writeKey(ctx context.Context, dir string, variant paillier.Variant, bits int) (*paillier.SecretKey, error) {
	sk, err := paillier.GenerateKey(ctx, nil, variant, bits, o.TestKey)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if _, _, err := keys.Write(ctx, job.Options{}, dir, sk, nil); err != nil {
		return nil, err
	}
	return sk, o.warmUp(ctx, dir)
}

// warmUpRows is a table of a few blocks.
const warmUpRows = 100

// warmUp encrypts a few rows, so that whatever the program keeps beside a key for next time is there.
func (o *Options) warmUp(ctx context.Context, keys string) error {
	in := filepath.Join(keys, "few.parquet")
	if err := writeInput(ctx, in, 0, warmUpRows); err != nil {
		return err
	}
	_, err := bench.RunJob(ctx, o.Program, o.encryptArgs(keys, in, filepath.Join(keys, "few.cf.parquet"), slots.Blocks))
	return err
}

func (o *Options) encryptArgs(keys, in, out, layout string) []string {
	return o.args("encrypt", "--key", filepath.Join(keys, "public.json"), "--in", in, "--out", out, "--id", idColumn,
		"--measure", fmt.Sprintf("%s:max=%d", valueColumn, valueMax), "--layout", layout)
}

// args completes a command line.
func (o *Options) args(args ...string) []string {
	args = append(args, "--json", "--quiet", "--overwrite", "--memory", strconv.FormatInt(o.Memory, 10)+"B")
	if o.Threads > 0 {
		args = append(args, "--threads", strconv.Itoa(o.Threads))
	}
	if o.Kernel != "" {
		args = append(args, "--kernel", o.Kernel)
	}
	return args
}

// run is one round: the three steps and all of them together.
func (o *Options) run(ctx context.Context, dir string, p *path, bits int) ([]bench.Stage, error) {
	sealed := func(owner int) string { return filepath.Join(dir, fmt.Sprintf("owner%d.cf.parquet", owner)) }
	fused, opened := filepath.Join(dir, "fused.cf.parquet"), p.result(dir)
	steps := map[string][]*bench.JobProcess{}
	do := func(stage string, args []string) error {
		c, err := bench.RunJob(ctx, o.Program, args)
		steps[stage] = append(steps[stage], c)
		return err
	}
	fuse := p.fuseArgs(o, fused)
	for owner := range o.Owners {
		if err := do(bench.StageEncrypt, p.encryptArgs(o, p.input(dir, owner), sealed(owner))); err != nil {
			return nil, err
		}
		fuse = append(fuse, "--in", sealed(owner))
	}
	if err := do(bench.StageFuse, fuse); err != nil {
		return nil, err
	}
	open := o.args("decrypt", "--key", filepath.Join(p.keys, "secret.json"), "--in", fused, "--out", opened)
	if o.Owners == 1 {
		open = append(open, "--unfused")
	}
	if err := do(bench.StageDecrypt, open); err != nil {
		return nil, err
	}
	if err := p.check(ctx, opened, o); err != nil {
		return nil, err
	}
	cells := o.Rows * p.measures
	values := map[string]int{bench.StageEncrypt: cells * o.Owners, bench.StageFuse: cells * o.Owners, bench.StageDecrypt: cells}
	if p.wide() {
		values[bench.StageDecrypt] = min(groups, o.Rows) * p.measures
	}
	var stages []bench.Stage
	var all []*bench.JobProcess
	for _, stage := range []string{bench.StageEncrypt, bench.StageFuse, bench.StageDecrypt} {
		all = append(all, steps[stage]...)
		stages = append(stages, o.stage(p, bits, stage, values[stage], steps[stage]))
	}
	return append(stages, o.stage(p, bits, bench.StageAll, cells*o.Owners, all)), nil
}

// stage sums up the processes of a step, which ran one after the other.
func (o *Options) stage(p *path, bits int, stage string, values int, children []*bench.JobProcess) bench.Stage {
	s := bench.Stage{Layout: p.layout, Variant: string(p.variant), Bits: bits, Rows: o.Rows, Owners: o.Owners, Stage: stage, Cores: bench.CoresUsed(o.Threads)}
	if p.wide() {
		s.Measures = p.measures
	}
	seconds, cpu, busy, peak := 0.0, 0.0, 0.0, 0.0
	for _, c := range children {
		seconds += c.Seconds
		cpu += c.CPU
		busy += c.Busy()
		peak = max(peak, c.RSSMiB)
	}
	s.Seconds = bench.Significant(seconds)
	s.CPUSeconds, s.KernelSeconds = bench.Significant(cpu), bench.Significant(busy)
	s.ValuesPerS = bench.Significant(float64(values) / seconds)
	s.PeakRSSMiB = bench.Significant(peak)
	s.KernelShare = bench.Significant(busy / (seconds * float64(s.Cores)))
	s.Utilisation = bench.Significant(cpu / (seconds * float64(s.Cores)))
	return s
}

// medianRound returns the round whose total time is the median (the lower one of the two middle ones).
func medianRound(rounds [][]bench.Stage) []bench.Stage {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b []bench.Stage) int {
		x, y := a[len(a)-1].Seconds, b[len(b)-1].Seconds
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return sorted[(len(sorted)-1)/2]
}
