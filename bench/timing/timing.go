package timing

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Options say what Run measures.
type Options struct {
	Bits         []int              // of N
	Variants     []paillier.Variant // djn, mhl; nil means both
	Kernel       string             // only this one; "" means all that are available
	Measurements int                // of every operation with keys of at most smallBits; 0 means MeasurementsDefault
	Seconds      float64            // at most, for each operation; 0 means as long as it takes

	Log *slog.Logger // nil discards
}

// TimingBitsDefault are keys for a million measurements, and keys as they are used.
var BitsDefault = []int{512, 2048}

// MeasurementsDefault is how many measurements the literature on such tests asks for.
const MeasurementsDefault = 1_000_000

// Keys of at most smallBits are fast enough for a million measurements of everything. Longer ones run the same code with
// more limbs; they get a share of the measurements.
const (
	smallBits  = 1024
	largeShare = 20
)

// Error is the error of a run in which not all is as expected, else nil.
func Error(f *bench.File) error {
	var bad []string
	for _, c := range f.Timing {
		if !c.Passed() {
			bad = append(bad, fmt.Sprintf("%s with kernel %s, %d bits (|t| = %s)", c.Title(), c.Kernel, c.Bits, strconv.FormatFloat(math.Abs(c.T), 'f', 2, 64)))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d timing checks are not as expected: %s", len(bad), len(f.Timing), strings.Join(bad, "; "))
}

// Run measures whether the time of decryption and encryption depends on the secrets that they compute with, by a
// statistical test in the manner of dudect, and whether the test sees that of functions for public values, which may. A file with
// checks that did not pass comes without an error: see Error.
func Run(ctx context.Context, o Options) (*bench.File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	kernels, err := bench.ChosenKernels(o.Kernel)
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	bench.WarnUnknownCommit(o.Log)
	f := &bench.File{Version: bench.FileVersion, Machine: bench.ThisMachine(), Results: []bench.Result{}, Pipeline: []bench.Stage{}}
	f.Machine.Cores = 1
	for _, bits := range o.Bits {
		for _, k := range kernels {
			list, err := o.subjects(ctx, bits, k)
			if err != nil {
				return nil, err
			}
			for _, s := range list {
				n := o.Measurements
				if bits > smallBits {
					n /= largeShare
				}
				o.Log.Info("measuring", "operation", s.Title(), "kernel", k.Name, "bits", bits, "measurements", n)
				if err := s.measure(ctx, n, o.Seconds, monotonic); err != nil {
					return nil, fmt.Errorf("%s: %w", s.Title(), err)
				}
				f.Timing = append(f.Timing, s.TimingCheck)
			}
		}
	}
	return f, nil
}

func (o *Options) check() error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Measurements == 0 {
		o.Measurements = MeasurementsDefault
	}
	if o.Variants == nil {
		o.Variants = []paillier.Variant{paillier.DJN, paillier.MHL}
	}
	for _, v := range o.Variants {
		if v != paillier.DJN && v != paillier.MHL {
			return &job.UsageError{Cause: fmt.Sprintf("no timing check of variant %q", v), Hint: "Give djn, mhl or both."}
		}
	}
	if len(o.Bits) == 0 {
		return &job.UsageError{Cause: "no key size", Hint: "Give --bits 512,2048."}
	}
	if o.Measurements < 0 || o.Seconds < 0 {
		return &job.UsageError{Cause: fmt.Sprintf("%d measurements in %v seconds", o.Measurements, o.Seconds), Hint: "Give positive numbers."}
	}
	return nil
}

// The size of a lot of measurements: inputs are prepared before the first one, and times are evaluated after the last
// one.
const (
	lotMin   = 500
	lotMax   = 10_000
	lotBytes = 4 << 20
	// lotDropped measurements at the start of a lot do not count: caches are filled with the preparation.
	lotDropped = 10
)

// monotonic is the best clock that Go has without system calls: on Linux/amd64 the processor's time stamp counter.
func monotonic() time.Duration { return time.Since(epoch) }

var epoch = time.Now()

// measure takes n measurements, or as many as the seconds allow.
func (s *timed) measure(ctx context.Context, n int, seconds float64, clock func() time.Duration) error {
	size := s.size
	lot := max(lotMin, min(lotMax, lotBytes/size, n/10))
	inputs, classes, times := make([]byte, lot*size), make([]byte, lot), make([]float64, lot)
	random := paillier.NewRandom()
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // what little is allocated can wait
	start := clock()
	var test *leakTest
	for test == nil || test.count() < n {
		random.Read(classes)
		if err := s.random(inputs); err != nil {
			return err
		}
		for i := range classes {
			if classes[i] &= 1; classes[i] == 0 && s.fixed != nil {
				copy(inputs[i*size:], s.fixed)
			}
		}
		for i := range times {
			// Both classes are in memory alike and go through the same buffers.
			s.load(inputs[i*size : (i+1)*size])
			before := clock()
			s.run()
			times[i] = float64(clock() - before)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if test == nil {
			test = newLeakTest(times[lotDropped:])
			continue
		}
		for i := lotDropped; i < lot && test.count() < n; i++ {
			test.add(int(classes[i]), times[i])
		}
		if seconds > 0 && (clock()-start).Seconds() >= seconds {
			break
		}
	}
	s.Measurements, s.MedianNs = test.count(), bench.Significant(test.middle)
	s.T, s.Of = test.worst()
	s.T, s.Of, s.PlainT = bench.Significant(s.T), bench.Significant(s.Of), bench.Significant(test.plain())
	return nil
}
