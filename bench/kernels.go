package bench

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/cipherfold/cipherfold/bench/peers"
	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// KernelsOptions say what Kernels measures.
type KernelsOptions struct {
	Bits    []int   // of N
	Seconds float64 // for each operation by each implementation, over all rounds; 0 means SecondsDefault
	Rounds  int     // 0 means RoundsDefault
	Kernel  string  // only this one; "" means all that are available
	Peers   bool    // the libraries behind the build tag too; math/big always
	TestKey bool    // allow fewer than 2048 bits

	Log *slog.Logger // nil discards
}

// Defaults of KernelsOptions.
const (
	SecondsDefault = 3
	RoundsDefault  = 9
)

// Kernels measures every operation with every kernel of this machine and, in the same run, the peers. The contenders take
// turns: in each round, each runs for a slice of the time of one core, neighbours being those that are compared, so that
// whatever slows the machine down for more than a moment slows down both sides of a ratio.
func Kernels(ctx context.Context, o KernelsOptions) (*File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	kernels, err := o.kernels()
	if err != nil {
		return nil, err
	}
	libraries, err := libraries(o.Peers, o.Log)
	if err != nil {
		return nil, err
	}
	warnUnknownCommit(o.Log)
	var list, arithmetic []*contender // in the order of a round
	var limit *contender
	if MultiplyBurst != nil {
		limit = limitContender()
		arithmetic = append(arithmetic, limit)
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
	return kernelsFile(list, limit), nil
}

func (o *KernelsOptions) check() error {
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

// kernels returns what this machine can run, in order of preference.
func (o *KernelsOptions) kernels() ([]bigmod.Implementation, error) {
	var out []bigmod.Implementation
	var names []string
	for _, k := range paillier.Kernels() {
		names = append(names, k.Name)
		if k.Available && (o.Kernel == "" || o.Kernel == k.Name) {
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		return nil, &job.UsageError{Cause: fmt.Sprintf("no kernel %q on this machine", o.Kernel), Hint: fmt.Sprintf("There are %v; `cipherfold doctor` says which can run.", names)}
	}
	return out, nil
}

// libraries are the peers to measure: math/big, and on demand those behind the build tag.
func libraries(external bool, log *slog.Logger) ([]peers.Library, error) {
	all := peers.Libraries()
	if !external {
		return all[:1], nil // math/big
	}
	if len(all) == 1 {
		return nil, &job.UsageError{Cause: "this program was built without the peers GMP and OpenSSL", Hint: "Build it with `go build -tags peers ./cmd/cipherfold`; that needs cgo, libgmp-dev and libssl-dev."}
	}
	for _, l := range all {
		log.Info("peer", "name", l.Name, "version", l.Version)
	}
	return all, nil
}

// rounds lets all contenders take their turns.
func (o *KernelsOptions) rounds(ctx context.Context, list []*contender) error {
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
		o.Log.Warn("other programs were using this machine: ratios hold, rates are lower than on a quiet one", "share_of_a_core", significant(share))
	}
	return nil
}

// busyShare is the share of a core below which a machine is not called quiet.
const busyShare = 0.95

// kernelsFile makes the results of what was measured. limit is nil when there is none.
func kernelsFile(list []*contender, limit *contender) *File {
	compare(list)
	f := &File{Version: FileVersion, Machine: ThisMachine(), Pipeline: []Stage{}}
	if limit != nil {
		f.Machine.MultiplyLimitPerNs = significant(limit.OpsPerS.Median / 1e9)
	}
	for _, c := range list {
		if c == limit {
			continue
		}
		if limit != nil && c.Kernel == limitKernel && (c.Op == OpMontMul || c.Op == OpMontSqr) {
			c.OfLimit = significant(instructions(c.Op, c.Bits) * ratio(c.rates, limit.rates))
		}
		f.Results = append(f.Results, c.Result)
	}
	return f
}
