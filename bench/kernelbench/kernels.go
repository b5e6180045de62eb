package kernelbench

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/peers"
	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/engine/job"
)

// Options say what Run measures.
type Options struct {
	Bits    []int   // of N
	Seconds float64 // for each operation by each implementation, over all rounds; 0 means SecondsDefault
	Rounds  int     // 0 means RoundsDefault
	Kernel  string  // only this one; "" means all that are available
	Peers   bool    // the libraries behind the build tag too; math/big always
	TestKey bool    // allow fewer than 2048 bits

	Log *slog.Logger // nil discards
}

// Defaults of Options.
const (
	SecondsDefault = 3
	RoundsDefault  = 9
)

// Run measures every operation with every kernel of this machine and, in the same run, the peers. The contenders take
// turns: in each round, each runs for a slice of the time of one core, neighbours being those that are compared, so that
// whatever slows the machine down for more than a moment slows down both sides of a ratio.
func Run(ctx context.Context, o Options) (*bench.File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	kernels, err := bench.ChosenKernels(o.Kernel)
	if err != nil {
		return nil, err
	}
	libraries, err := peers.Chosen(o.Peers, o.Log)
	if err != nil {
		return nil, err
	}
	bench.WarnUnknownCommit(o.Log)
	var list, arithmetic []*contender // in the order of a round
	bounds := map[string]*contender{} // by kernel
	for _, l := range limits {
		if slices.ContainsFunc(kernels, func(k bigmod.Implementation) bool { return k.Name == l.kernel }) {
			bounds[l.kernel] = l.contender()
			arithmetic = append(arithmetic, bounds[l.kernel])
		}
	}
	for _, bits := range o.Bits {
		o.Log.Info("making keys and tables", "bits", bits)
		of, free, err := o.operations(ctx, bits, kernels, libraries)
		if err != nil {
			return nil, err
		}
		defer free()
		list = append(list, of...)
		for _, modulus := range []int{bits, 2 * bits} { // p² and N²
			if !slices.ContainsFunc(arithmetic, func(c *contender) bool { return c.Bits == modulus }) {
				arithmetic = append(arithmetic, residues(modulus, kernels)...)
			}
		}
	}
	list = append(list, arithmetic...)
	if err := o.rounds(ctx, list); err != nil {
		return nil, err
	}
	return kernelsFile(list, bounds), nil
}

func (o *Options) check() error {
	if o.Seconds == 0 {
		o.Seconds = SecondsDefault
	}
	if o.Rounds == 0 {
		o.Rounds = RoundsDefault
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Seconds < 0 || o.Rounds < 1 {
		return &job.UsageError{Cause: fmt.Sprintf("%v seconds in %d rounds", o.Seconds, o.Rounds), Hint: "Give a positive number of seconds for each operation."}
	}
	if len(o.Bits) == 0 {
		return &job.UsageError{Cause: "no key size", Hint: "Give --bits 2048,3072."}
	}
	return nil
}

// rounds lets all contenders take their turns.
func (o *Options) rounds(ctx context.Context, list []*contender) error {
	slice := time.Duration(o.Seconds / float64(o.Rounds) * float64(time.Second))
	o.Log.Info("calibrating", "operations", len(list), "about_seconds_to_come", int(o.Seconds*float64(len(list))))
	for _, c := range list {
		if err := c.calibrate(slice); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	runtime.GC()
	wall, core := time.Now(), threadTime()
	for round := range o.Rounds {
		o.Log.Info("measuring", "round", round+1, "of", o.Rounds)
		for _, c := range list {
			if err := c.measure(ctx, slice); err != nil {
				return err
			}
		}
	}
	if share := (threadTime() - core).Seconds() / time.Since(wall).Seconds(); share < busyShare {
		o.Log.Warn("other programs were using this machine: ratios hold, rates are lower than on a quiet one", "share_of_a_core", bench.Significant(share))
	}
	return nil
}

// busyShare is the share of a core below which a machine is not called quiet.
const busyShare = 0.95

// kernelsFile makes the results of what was measured, limits among it.
func kernelsFile(list []*contender, bounds map[string]*contender) *bench.File {
	compare(list)
	f := &bench.File{Version: bench.FileVersion, Machine: bench.ThisMachine(), Pipeline: []bench.Stage{}}
	for _, c := range list {
		if c.Op == "" {
			continue // a limit
		}
		for _, l := range limits {
			if bound := bounds[l.kernel]; bound != nil && c.Kernel == l.kernel {
				c.OfLimit = bench.Significant(l.of(c.Op, c.Bits) * bench.Ratio(c.rates, bound.rates))
			}
		}
		f.Results = append(f.Results, c.Result)
	}
	for _, l := range limits {
		if bound := bounds[l.kernel]; bound != nil {
			*l.told(&f.Machine) = bench.Significant(bound.OpsPerS.Median / 1e9)
		}
	}
	return f
}
